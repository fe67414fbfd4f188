"""What a training is given, checked before anything is started."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import LlamaShape
from tools.settings.native import PACKED_ARCH, PLAIN_ARCH
from tools.settings.resolve import read_resolved

_LABELS_TOGETHER = 16


def count_parameters(
    shape: LlamaShape, lora: LoraConfig, tied: bool, denominator: Optional[int]
) -> Dict[str, Any]:
    """Exact counts: {"trained", "total", "denominator", "by_module"}; a tied output counts once.

    by_module   trained parameters by kind of module, over all layers: {"attention.wq": 276480}.
    """
    total = shape.count() - (shape.vocab_size * shape.hidden_size if tied else 0)
    adapter = adapter_parameters(shape, lora)
    by_module: Counter = Counter()
    for name, dims in adapter.items():
        # model.layers.7.attention.wq.mindpet_delta_lora_a
        by_module[".".join(name.split(".")[3:-1])] += count({name: dims})
    return {
        "trained": count(adapter),
        "total": total,
        "denominator": denominator or total,
        "by_module": dict(by_module),
    }


def check_inputs(
    native: Dict[str, Any],
    config: Path,
    base: Path,
    records: Path,
    shape: LlamaShape,
    checkpoints: int,
) -> int:
    """Give the number of steps; UserError where data, weights and config do not fit together."""
    summary_path = records.with_name(records.name + ".json")
    if not records.is_file() or not summary_path.is_file():
        raise UserError("no such MindRecord file, or its summary is missing", records, "make it")
    summary = read_resolved(summary_path, ["seq_length", "rows"])
    length = native["model"]["model_config"]["seq_length"]
    if summary["seq_length"] != length:
        raise UserError(
            f"seq_length is {length}, the records were made with {summary['seq_length']}",
            config,
            "make the records again (make convert)",
        )
    _check_packing(native["model"]["arch"]["type"], config, summary.get("pack", False), records)
    remedy = "convert the weights again (make convert)"
    Checkpoint(base).require_shapes(shape.parameters(), config.name, remedy)
    steps = steps_of(native, summary["rows"])
    if steps < checkpoints:
        batch = native["train_dataset"]["batch_size"] * native["parallel_config"]["data_parallel"]
        raise UserError(
            f"{summary['rows']} rows in batches of {batch} give {steps} steps, "
            f"fewer than the {checkpoints} checkpoints asked for",
            records,
            "take more rows, a smaller batch or fewer workers",
        )
    return steps


def steps_of(native: Dict[str, Any], rows: int) -> int:
    """Give the number of steps that a finetune.yaml makes of `rows` rows, over all workers."""
    batch, epochs = native["train_dataset"]["batch_size"], native["runner_config"]["epochs"]
    return count_steps(rows, batch, native["parallel_config"]["data_parallel"], epochs)


def count_steps(rows: int, batch: int, workers: int, epochs: int) -> int:
    """Give the number of steps; `batch` is that of a worker.

    MindSpore's sampler gives each worker its share of the rows rounded up, some rows twice; of
    that share an incomplete last batch is dropped.
    """
    return -(-rows // workers) // batch * epochs


def even_steps(steps: int, checkpoints: int) -> List[int]:
    """Give the steps after which checkpoints are saved: even intervals, the last step included."""
    return [steps // checkpoints * k for k in range(1, checkpoints)] + [steps]


def labels_per_row(records: Path, length: int) -> int:
    """Give the labels that a row of `records` has at most, rounded up, at most `length`.

    Rounded, so that a few rows more or less leave a compiled graph as it is.
    """
    summary = read_resolved(records.with_name(records.name + ".json"), [])
    most = summary.get("most_labels", length)
    return min(-(-most // _LABELS_TOGETHER) * _LABELS_TOGETHER, length)


def _check_packing(arch: str, config: Path, packed: bool, records: Path) -> None:
    """UserError unless packed records meet the architecture that keeps their examples apart."""
    if packed and arch != PACKED_ARCH:
        raise UserError(
            f"its rows are packed, and {arch} would let their examples see each other",
            records,
            f"set model.arch.type to {PACKED_ARCH} in {config.name} (pack: true in the profile), "
            "or make the records again without --pack",
        )
    if arch == PACKED_ARCH and not packed:
        raise UserError(
            f"model.arch.type is {PACKED_ARCH}, but the records are not packed",
            config,
            f"make the records again with --pack, or set model.arch.type to {PLAIN_ARCH}",
        )
