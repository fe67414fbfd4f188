"""Tensors opened, whatever the format of their file or files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional, Union

import numpy as np

from tools.files.errors import UserError
from tools.files.text import read_text
from tools.llama.checkpoint import Checkpoint
from tools.llama.safetensors import INDEX, SafetensorsFile
from tools.llama.tensors import TensorFile, Tensors


def open_tensors(path: Union[str, Path]) -> Tensors:
    """Open a MindSpore checkpoint, a .safetensors file, or a folder of .safetensors files.

    They are told apart by name, then by content. Raises UserError where it is none of these.
    """
    path = Path(path)
    if path.is_dir():
        return open_folder(path)
    if not path.is_file():
        raise UserError("no such file", path, "name a checkpoint")
    if path.suffix == ".safetensors":
        return SafetensorsFile(path)
    return Checkpoint(path)


class SafetensorsFolder(Tensors):
    """The shards of a model, as its index names them."""

    def __init__(self, folder: Path, files: dict[str, TensorFile]) -> None:
        self.path, self._files = folder, files
        self.entries = {name: file.entries[name] for name, file in files.items()}

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        self.entry(name)
        return self._files[name].read_rows(name, start, stop)

    def place(self, name: str) -> Optional[tuple[Path, tuple[tuple[int, int], ...]]]:
        self.entry(name)
        return self._files[name].place(name)


def open_folder(folder: Path) -> Tensors:
    """Open model.safetensors, or the shards that model.safetensors.index.json names."""
    single, index = folder / "model.safetensors", folder / INDEX
    if single.is_file():
        return SafetensorsFile(single)
    if not index.is_file():
        raise UserError(f"holds neither {single.name} nor {INDEX}", folder, "name a model")
    try:
        places = json.loads(read_text(index))["weight_map"]
        shards = set(places.values())
        if not shards or not all(
            isinstance(name, str) and Path(name).name == name for name in shards
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = "is no index of shards in its own folder"
        raise UserError(what, index, "fetch the model again") from error
    opened = {}
    for name in sorted(shards):
        if not (folder / name).is_file():
            raise UserError("the shard is missing", folder / name, "fetch it again")
        opened[name] = SafetensorsFile(folder / name)
    for name, shard in places.items():
        opened[shard].entry(name)
    return SafetensorsFolder(folder, {name: opened[shard] for name, shard in places.items()})
