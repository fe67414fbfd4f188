"""Adapter and merged weights: counted, held against their config, and against one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional

import numpy as np

from tools.files.errors import UserError
from tools.files.progress import progress
from tools.llama.base import convert_weights
from tools.llama.checkpoint import Checkpoint
from tools.llama.huggingface import is_tied
from tools.llama.lora import check_adapter
from tools.llama.merging import Adapter, base_entries, read_config
from tools.llama.shape import LlamaShape
from tools.llama.tensors import Tensors, widen
from tools.packaging import layout
from tools.packaging.grading.comparison import Row, compare, count_of, failed
from tools.packaging.grading.unpack import Package
from tools.scoring.contest_score import denominator_of
from tools.settings.contest import Contest
from tools.settings.resolve import read_resolved
from tools.training.inputs import count_parameters

_MODEL = "configs/model.json"
# A base of a seed is drawn anew up to this size: 400 MB, a second.
_LARGEST_SEEDED = 100_000_000
# A unit in the last place, as a share of a number: 2^-(bits behind the point).
_UNITS = {"BFloat16": 2.0**-7, "Float16": 2.0**-10, "Float32": 2.0**-23, "Float64": 2.0**-52}
# B · A is a float32 sum; another library adds it up in another order.
_SUM = 1e-5


def count_all(package: Package, rules: Contest) -> Dict[str, Any]:
    """Return what training/parameters.json must say, by finetune.yaml and the weights.

    That adapter and weights are those of finetune.yaml is measured by `shape_rows`. Where the
    weights are not at hand, configs/model.json says whether their output is the embedding, which
    then counts once.
    """
    if package.weights is None:
        tied = read_resolved(package.folder / _MODEL, ["tied"])["tied"]
    else:
        tied = is_tied(Checkpoint(package.weights))
    counts = count_parameters(*read_config(package.folder / layout.FINETUNE), tied, None)
    return {**counts, "denominator": denominator_of(rules, counts["total"])}


def shape_rows(package: Package, base: Optional[Path]) -> Iterator[Row]:
    """Yield whether adapter and weights are what finetune.yaml makes, and belong together.

    base   checkpoint of the base weights, if it is at hand
    """
    folder = package.folder
    shape, lora = read_config(folder / layout.FINETUNE)
    for name in (layout.ADAPTER, layout.INIT):
        # Only a training that began with another's adapter has the second.
        if name == layout.ADAPTER or (folder / name).is_file():
            what = "the LoRA that finetune.yaml trains"
            yield _holds(
                name, what, lambda n=name: check_adapter(Checkpoint(folder / n), shape, lora)
            )
    for name in (layout.MODEL, _MODEL):
        told = read_resolved(folder / name, [])
        same = LlamaShape.from_model_config(told.get("model_config", told), name) == shape
        yield compare(name, "the shape in finetune.yaml", True, same)
    if package.weights is None:
        return
    merged = Checkpoint(package.weights)
    yield _holds(layout.WEIGHTS, "the model of finetune.yaml", lambda: base_entries(merged, shape))
    wanted = shape.parameters()
    strange = (n for n, e in merged.entries.items() if n not in wanted and e.size > 1)
    yield count_of(layout.WEIGHTS, "tensors that are no part of the model", strange)
    if base is not None:
        adapter = Adapter(Checkpoint(folder / layout.ADAPTER), shape, lora)
        differing = _differing(Checkpoint(base), adapter, merged, shape)
        what = "tensors that are not base + alpha/rank · B · A"
        yield count_of(layout.WEIGHTS, what, differing)


def seeded_base(package: Package, output: Path) -> Optional[Path]:
    """Return the base weights of a profile that draws them from a seed; None for any other.

    Drawn by our own code, of a shape that was checked and a size that is bounded.
    """
    path = package.folder / _MODEL
    settings = read_resolved(path, ["source", "seed", "model_config"])
    shape = LlamaShape.from_model_config(settings["model_config"], _MODEL)
    if settings["source"] != "seed" or shape.count() > _LARGEST_SEEDED:
        return None
    convert_weights(path, output, output / "model.ckpt")
    return output / "model.ckpt"


def _holds(group: str, what: str, check: Callable[[], object]) -> Row:
    """Return a line that passes where `check` raises no UserError."""
    try:
        check()
    except UserError as error:
        return failed(group, what, error.what)
    return compare(group, what, True, True)


def _differing(
    base: Tensors, adapter: Adapter, merged: Tensors, shape: LlamaShape
) -> Iterator[str]:
    """Name each tensor that is not the base's with the adapter's delta.

    With a delta, numbers may be a unit in the last place apart, and what another order of summing
    makes of B · A; without one they are the base's.
    """
    entries = base_entries(base, shape)
    with progress("merge again", sum(entry.nbytes for entry in entries), "B") as bar:
        for entry in entries:
            name, kind, far = entry.name, entry.type_name, 0
            if merged.entry(name).type_name != kind:
                yield f"{name}: of another type"
                continue
            pair = adapter.pair(name)
            for (start, rows), (_, others) in zip(base.blocks(name), merged.blocks(name)):
                bar.advance(rows.nbytes)
                wanted = rows if pair is None else adapter.add(rows.copy(), start, pair, entry)
                before, right, found = (
                    widen(array, kind).astype(np.float64) for array in (rows, wanted, others)
                )
                unit = 0.0 if pair is None else _UNITS[kind]
                limit = unit * np.abs(right) + _SUM * np.abs(right - before).max(initial=0)
                far += int(np.count_nonzero(~(np.abs(found - right) <= limit)))
            if far:
                yield f"{name}: {far} numbers"
