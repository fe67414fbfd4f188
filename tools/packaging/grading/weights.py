"""Adapter and merged weights: counted, held against their config, and against one another."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, Optional

import numpy as np

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.files.progress import progress
from tools.llama.base import convert_weights
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import check_adapter, count
from tools.llama.merging import Adapter, base_entries, read_config
from tools.llama.names import lora_part
from tools.llama.shape import EMBEDDING, OUTPUT, LlamaShape
from tools.llama.tensors import Entry, Tensors, widen
from tools.packaging import layout
from tools.packaging.grading.figures import Counts
from tools.packaging.grading.rows import Row, compare, count_of, failed
from tools.packaging.grading.unpack import Package
from tools.scoring.contest import denominator_of
from tools.settings.contest import Contest
from tools.settings.resolve import read_resolved

# A base of a seed is drawn anew up to this size: 400 MB, a second.
_LARGEST_SEEDED = 100_000_000
# A unit in the last place, as a share of a number: 2^-(bits behind the point).
_UNITS = {"BFloat16": 2.0**-7, "Float16": 2.0**-10, "Float32": 2.0**-23, "Float64": 2.0**-52}
# B · A is a float32 sum; another library adds it up in another order.
_SUM = 1e-5


def count_all(package: Package, rules: Contest) -> Counts:
    """Count trained parameters in the adapter, all of them in the weights.

    Where the weights are not at hand, those of weights/model.json are counted. An output that
    is the embedding counts once.
    """
    adapter = Checkpoint(package.folder / layout.ADAPTER)
    trained = count({name: e.shape for name, e in adapter.entries.items() if lora_part(name)})
    if package.weights is None:
        shape = LlamaShape.load(package.folder / layout.MODEL)
        known = read_resolved(package.folder / "configs/model.json", ["tied"])
        total = shape.count() - (shape.vocab_size * shape.hidden_size if known["tied"] else 0)
    else:
        merged = Checkpoint(package.weights)
        total = count({name: entry.shape for name, entry in merged.entries.items()})
        if _is_tied(merged):
            total -= merged.entry(OUTPUT).size
    return Counts(trained, total, denominator_of(rules, total))


def parameter_rows(package: Package, counts: Counts) -> Iterator[Row]:
    """training/parameters.json beside what was counted."""
    claims = read_resolved(package.folder / layout.PARAMETERS, ["trained", "total", "denominator"])
    for key, value in counts._asdict().items():
        yield compare(layout.PARAMETERS, key, claims[key], value)


def shape_rows(package: Package, base: Optional[Path]) -> Iterator[Row]:
    """Whether adapter and weights are what finetune.yaml makes, and belong together.

    base   checkpoint of the base weights, if it is at hand
    """
    folder = package.folder
    shape, lora = read_config(folder / layout.FINETUNE)
    adapter = Checkpoint(folder / layout.ADAPTER)
    yield _holds(
        layout.ADAPTER,
        "the LoRA that finetune.yaml trains",
        lambda: check_adapter(adapter, shape, lora),
    )
    if (folder / layout.INIT).is_file():
        yield _holds(
            layout.INIT,
            "the LoRA that finetune.yaml trains",
            lambda: check_adapter(Checkpoint(folder / layout.INIT), shape, lora),
        )
    for name in (layout.MODEL, "configs/model.json"):
        told = read_resolved(folder / name, [])
        told = told.get("model_config", told) if isinstance(told, dict) else told
        same = LlamaShape.from_model_config(told, name) == shape
        yield compare(name, "the shape in finetune.yaml", True, same)
    if package.weights is None:
        return
    merged = Checkpoint(package.weights)
    yield _holds(layout.WEIGHTS, "the model of finetune.yaml", lambda: base_entries(merged, shape))
    wanted = shape.parameters()
    strange = (n for n, e in merged.entries.items() if n not in wanted and e.size > 1)
    yield count_of(layout.WEIGHTS, "tensors that are no part of the model", strange)
    if base is not None:
        opened = Checkpoint(base)
        differing = _differing(opened, Adapter(adapter, shape, lora), merged, shape)
        what = "tensors that are not base + alpha/rank · B · A"
        yield count_of(layout.WEIGHTS, what, differing)


def weights_row(package: Package) -> Row:
    """Whether the weights are those that were scored, by their sha256."""
    claim = read_resolved(package.folder / layout.BEST, []).get("model_sha256")
    if package.weights is not None:
        found = content_of(package.weights).sha256
    else:
        found = read_resolved(package.folder / layout.LINK, ["sha256"])["sha256"]
    note = "" if package.weights else "as their link says; give --weights to read them"
    return compare(layout.BEST, "sha256 of the weights that were scored", claim, found, note=note)


def seeded_base(package: Package, output: Path) -> Optional[Path]:
    """The base weights of a profile that draws them from a seed; None for any other.

    Drawn by our own code, of a shape that was checked and a size that is bounded.
    """
    path = package.folder / "configs/model.json"
    settings = read_resolved(path, ["source", "seed", "model_config"])
    if settings["source"] != "seed":
        return None
    shape = LlamaShape.from_model_config(settings["model_config"], "configs/model.json")
    seed = settings["seed"]
    if type(seed) is not int or not 0 < seed < 1 << 63 or shape.count() > _LARGEST_SEEDED:
        return None
    convert_weights(path, output, output / "model.ckpt")
    return output / "model.ckpt"


def _holds(group: str, what: str, check: Callable[[], object]) -> Row:
    """A line that passes where `check` raises no UserError."""
    try:
        check()
    except UserError as error:
        return failed(group, what, error.what)
    return compare(group, what, True, True)


def _is_tied(model: Tensors) -> bool:
    """Whether the output is the embedding, number by number."""
    pair = [model.entries.get(name) for name in (OUTPUT, EMBEDDING)]
    if None in pair or pair[0].shape != pair[1].shape or pair[0].type_name != pair[1].type_name:
        return False
    blocks = zip(model.blocks(OUTPUT), model.blocks(EMBEDDING))
    return all(np.array_equal(ours, theirs) for (_, ours), (_, theirs) in blocks)


def _differing(
    base: Tensors, adapter: Adapter, merged: Tensors, shape: LlamaShape
) -> Iterator[str]:
    """Name each tensor that is not the base's with the adapter's delta."""
    entries = base_entries(base, shape)
    with progress("merge again", sum(entry.nbytes for entry in entries), "B") as bar:
        for entry in entries:
            far = 0
            pair = adapter.pair(entry.name)
            found = merged.entries.get(entry.name)
            if found is None or (found.shape, found.type_name) != (entry.shape, entry.type_name):
                yield f"{entry.name}: of another shape or type"
                continue
            blocks = zip(base.blocks(entry.name), merged.blocks(entry.name))
            for (start, rows), (_, others) in blocks:
                bar.advance(rows.nbytes)
                if pair is None:
                    far += int(np.count_nonzero(rows.view(np.uint8) != others.view(np.uint8)))
                else:
                    wanted = adapter.add(rows.copy(), start, pair, entry)
                    far += _far(rows, wanted, others, entry)
            if far:
                yield f"{entry.name}: {far} numbers"


def _far(rows: np.ndarray, wanted: np.ndarray, found: np.ndarray, entry: Entry) -> int:
    """How many numbers are further apart than a last place and another order of summing."""
    before, right, ours = (
        widen(array, entry.type_name).astype(np.float64) for array in (rows, wanted, found)
    )
    delta = np.abs(right - before).max(initial=0)
    limit = _UNITS[entry.type_name] * np.abs(right) + _SUM * delta
    return int(np.count_nonzero(~(np.abs(ours - right) <= limit)))
