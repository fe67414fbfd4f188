"""One probe: a source measured, written down, drawn, and turned into ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.merging import read_config
from tools.llama.shape import LlamaShape
from tools.probing.ledger import spectra_of
from tools.probing.picture import draw_probe
from tools.probing.ranks import describe, rank_plan, table_of_shape
from tools.probing.sources import Deltas, Source, Weights, last_adapter
from tools.probing.summary import summarise, table
from tools.settings.native import read_finetune

# alpha / rank of a config without LoRA: what the contest's baseline trains with.
_USUAL_SCALING = 2.0


def probe_weights(
    config: Path, weights: Path, minus: Optional[Path], output: Path, budget: Optional[int]
) -> str:
    """Probe a checkpoint's matrices, or their difference from those of `minus`.

    config   finetune.yaml of the model

    budget   of trained parameters; None: as many as the config trains, if it has a LoRA

    Writes spectra.jsonl, probe.json, probe.png and, where there is a budget, ranks.json into
    `output`; gives what is to be printed. Raises UserError where the checkpoints do not fit the
    config.
    """
    shape, lora = _read(config)
    if budget is None and lora:
        budget = count(adapter_parameters(shape, lora))
    scaling = lora.scaling if lora else _USUAL_SCALING
    return _probe(Weights(weights, minus, shape), output, budget, scaling)


def probe_adapter(config: Path, adapter: Path, output: Path, budget: Optional[int]) -> str:
    """Probe what an adapter adds; of a folder of adapters, the last one's. See probe_weights.

    Without a budget no ranks are proposed: its own would keep all of it.
    """
    shape, lora = read_config(config)
    source = Deltas(last_adapter(adapter), shape, lora)
    text = _probe(source, output, budget, lora.scaling)
    return f"{text}\n\nof rank {lora.rank}: no rank above can exceed that"


def ranks_of_shape(config: Path, budget: int) -> str:
    """The ranks that a budget buys for the usual sets of modules, from the config alone."""
    _require_budget(budget)
    shape, _ = _read(config)
    return table_of_shape(shape, budget, config)


def _probe(source: Source, output: Path, budget: Optional[int], scaling: float) -> str:
    if budget is not None:
        _require_budget(budget)
    output.mkdir(parents=True, exist_ok=True)
    spectra = spectra_of(source, output)
    plan: Optional[Dict[str, Any]] = rank_plan(spectra, budget, scaling) if budget else None
    summary = summarise(source, spectra)
    draw_probe(source, spectra, summary, output / "probe.png")
    if plan:
        write_json(output / "ranks.json", plan)
    else:
        (output / "ranks.json").unlink(missing_ok=True)  # of another probe
    write_json(output / "probe.json", summary)
    return table(summary) + (f"\n\n{describe(plan)}" if plan else "")


def _require_budget(budget: int) -> None:
    if budget < 1:
        raise UserError(f"{budget} is no budget", "--parameters", "name a number from 1 on")


def _read(config: Path) -> tuple[LlamaShape, Optional[LoraConfig]]:
    """Shape, and LoRA where the config trains one."""
    model_config = read_finetune(config)["model"]["model_config"]
    shape = LlamaShape.from_model_config(model_config, str(config))
    pet = model_config.get("pet_config")
    return shape, LoraConfig.from_pet_config(pet, str(config)) if pet else None
