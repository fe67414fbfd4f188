"""Adapters into base weights, all in one pass over the base, a block of rows at a time."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.files.outputs import keep_apart, require_space
from tools.files.progress import progress
from tools.llama.lora import LoraConfig, check_adapter
from tools.llama.names import LORA_A, LORA_B, lora_part
from tools.llama.opening import open_tensors
from tools.llama.peft import WEIGHTS, open_peft
from tools.llama.published import check_published
from tools.llama.shape import LlamaShape
from tools.llama.shards import open_whole
from tools.llama.tensors import FLOATS, Entry, Tensors, cast, widen
from tools.llama.writing import copy_tensor, open_writer
from tools.settings.native import read_model_config

DONE = "merge.json"


class Pair(NamedTuple):
    """The two matrices of one adapted layer: a (rank, in), b (out, rank), float32."""

    a: np.ndarray
    b: np.ndarray


class Adapter:
    """A LoRA adapter that was checked against its config: every pair will be used."""

    def __init__(self, tensors: Tensors, shape: LlamaShape, lora: LoraConfig) -> None:
        check_adapter(tensors, shape, lora)
        self.tensors, self.scaling = tensors, np.float32(lora.scaling)
        self.modules = {part[0] for part in map(lora_part, tensors.names()) if part}

    def pair(self, name: str) -> Union[Pair, None]:
        """The pair that changes the parameter `name`, None where none does."""
        module = name.removesuffix(".weight")
        if module not in self.modules:
            return None
        a, b = (self.tensors.read(module + side).astype(np.float32) for side in (LORA_A, LORA_B))
        return Pair(a, b)

    def add(self, rows: np.ndarray, start: int, pair: Pair, entry: Entry) -> np.ndarray:
        """rows (n, in) as stored, the first of which is number `start`, plus scaling · B · A.

        The sum is taken in float32 and cast once to the storage type. UserError for NaN and
        infinities.
        """
        with np.errstate(all="ignore"):  # told below, in one line
            sums = pair.b[start : start + len(rows)] @ pair.a
            sums *= self.scaling
            sums += widen(rows, entry.type_name)
            stored = cast(sums, entry.type_name)
        # Of what is stored: float16 ends at 65504.
        if not np.isfinite(widen(stored, entry.type_name)).all():
            raise UserError(
                f"{entry.name} holds NaN or infinity after the merge",
                self.tensors.path,
                "merge an earlier checkpoint",
            )
        return stored


def read_config(config: Path) -> tuple[LlamaShape, LoraConfig]:
    """Return shape and LoRA of a finetune.yaml, of which no other section is asked for."""
    model_config = read_model_config(config)
    shape = LlamaShape.from_model_config(model_config, str(config))
    return shape, LoraConfig.from_pet_config(model_config.get("pet_config") or {}, str(config))


def base_entries(base: Tensors, shape: LlamaShape) -> list[Entry]:
    """The base's parameters in the order of its file; UserError where one is not as in `shape`."""
    wanted = shape.parameters()
    remedy = "give the base checkpoint that the adapter was trained on"
    base.require_shapes(wanted, "the config", remedy)
    entries = [entry for name, entry in base.entries.items() if name in wanted]
    for entry in entries:
        if entry.type_name not in FLOATS:
            what = f"{entry.name} is of {entry.type_name}, no floating-point numbers"
            raise UserError(what, base.path, "give a base of float16, bfloat16 or float32")
    return entries


def merge_into(
    base: Tensors,
    adapters: Sequence[Adapter],
    outputs: Sequence[Path],
    shape: LlamaShape,
) -> None:
    """Write base + scaling · B · A of each adapter to its output, reading the base once.

    An output whose name ends in .safetensors is one, else a MindSpore checkpoint; names, order
    and types are the base's. At no time is more than a block of rows of a tensor in memory, with
    its deltas, and the adapters' matrices of one layer. The outputs are written in place: give
    temporary paths.
    """
    entries = base_entries(base, shape)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(open_writer(path, entries)) for path in outputs]
        total = sum(entry.nbytes for entry in entries) * len(outputs)
        bar = stack.enter_context(progress("merge", total, unit="bytes"))
        for entry in entries:
            pairs = [adapter.pair(entry.name) for adapter in adapters]
            for writer in writers:
                writer.begin(entry)
            if not any(pairs):
                copy_tensor(base, entry, writers, bar.advance)
                continue
            for start, rows in base.blocks(entry.name):
                for adapter, pair, writer in zip(adapters, pairs, writers):
                    writer.write(rows if pair is None else adapter.add(rows, start, pair, entry))
                    bar.advance(rows.nbytes)


def merge_one(
    base: Path,
    adapter: Path,
    output: Path,
    shape: LlamaShape,
    lora: LoraConfig,
    strategies: Sequence[Path] = (),
) -> None:
    """Write base + scaling · B · A to `output`, names as in the base, whole or not at all.

    base, adapter   either may be the path of shards with {rank} in it, cut as `strategies` say
    """
    keep_apart(output, base, adapter)
    opened = open_whole(base, strategies)
    checked = Adapter(open_whole(adapter, strategies), shape, lora)
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, _size(opened, shape))
    with atomic_path(output) as temporary:
        merge_into(opened, [checked], [temporary], shape)


def merge_all(base: Path, adapters: Path, config: Path, output: Path) -> int:
    """Merge adapters/K.ckpt into `output`/K for every K in one pass; return how many there are.

    adapters   folder of checkpoints, or PEFT's folder of one adapter, which becomes `output`/1;
               a published one is held against its run.json

    A model folder holds model.ckpt, model.json and the tokenizer of the base, and merge.json,
    which says what it was made of; all of them appear together. One that was made of the same is
    left as it is; one that was merged of an adapter that is no more is removed. Raises UserError
    where there is no adapter or too little disk.
    """
    if (adapters / WEIGHTS).exists():
        check_published(adapters, base)
        paths = {"1": adapters / WEIGHTS}
    else:
        numbered = sorted(adapters.glob("*.ckpt"), key=lambda path: (len(path.stem), path.stem))
        paths = {path.stem: path for path in numbered}
    shape, lora = read_config(config)
    if not paths:
        raise UserError("holds no adapter checkpoint", adapters, "run `make finetune`")
    keep_apart(output, base, adapters)
    opened = open_tensors(base)
    beside = [base.with_name("model.json"), *sorted(base.parent.glob("tokenizer.*"))]
    made_of = {name: _ingredients(base, path, lora, beside) for name, path in paths.items()}
    todo = [name for name in paths if not _is_made(output / name, made_of[name])]
    checked = [Adapter(_open_adapter(paths[name], shape, lora), shape, lora) for name in todo]
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, _size(opened, shape) * len(todo))
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(atomic_path(output / name)) for name in todo]
        for name, folder in zip(todo, folders):
            folder.mkdir()
            for extra in beside:
                shutil.copyfile(extra, folder / extra.name)
            write_json(folder / DONE, made_of[name])
        if todo:
            merge_into(opened, checked, [folder / "model.ckpt" for folder in folders], shape)
    for folder in output.iterdir():
        if folder.name not in made_of and (folder / DONE).is_file() and not folder.is_symlink():
            shutil.rmtree(folder)
    return len(paths)


def _open_adapter(path: Path, shape: LlamaShape, lora: LoraConfig) -> Tensors:
    """Open an adapter checkpoint, or PEFT's weights in their folder, held against `lora`."""
    if path.name != WEIGHTS:
        return open_tensors(path)
    tensors, said, _ = open_peft(path.parent, shape)
    if (said.rank, said.alpha) != (lora.rank, lora.alpha):
        what = f"has rank {said.rank} and alpha {said.alpha:g}"
        remedy = f"the config says {lora.rank} and {lora.alpha:g}; give the one that trained it"
        raise UserError(what, path.parent, remedy)
    return tensors


def _size(base: Tensors, shape: LlamaShape) -> int:
    return sum(entry.nbytes for entry in base_entries(base, shape))


def _ingredients(base: Path, adapter: Path, lora: LoraConfig, beside: list[Path]) -> dict[str, Any]:
    """What a merged model is made of; the base by size and time, since it may have 16 GB."""
    state = base.stat()
    return {
        "base": {
            "name": base.name,
            "bytes": state.st_size,
            "modified_ns": state.st_mtime_ns,
            "changed_ns": state.st_ctime_ns,
        },
        "adapter": content_of(adapter).sha256,
        "scaling": lora.scaling,
        "targets": lora.targets,
        "beside": {path.name: content_of(path).sha256 for path in beside},
    }


def _is_made(folder: Path, ingredients: dict[str, Any]) -> bool:
    try:
        same = json.loads((folder / DONE).read_text("utf-8")) == ingredients
        beside = {name: content_of(folder / name).sha256 for name in ingredients["beside"]}
        return same and beside == ingredients["beside"] and (folder / "model.ckpt").is_file()
    except (OSError, ValueError, RecursionError):
        return False
