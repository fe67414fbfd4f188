"""What is probed: a checkpoint's matrices, the difference of two checkpoints, a LoRA's deltas."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy as np

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.llama.merging import Adapter
from tools.llama.names import hf_name
from tools.llama.shape import LlamaShape
from tools.llama.tensors import FLOATS, Tensors, open_tensors
from tools.probing.baseline import random_product_spectrum, random_spectrum
from tools.probing.spectra import singular_values, singular_values_of_product

ATTENTION = ("wq", "wk", "wv", "wo")
FEED_FORWARD = ("w1", "w2", "w3")
KINDS = (*ATTENTION, *FEED_FORWARD)


class Matrix(NamedTuple):
    """One matrix of a layer: its name in MindFormers, kind ("wq"), layer, (out, in)."""

    name: str
    kind: str
    layer: int
    shape: tuple[int, int]

    @property
    def cost(self) -> int:
        """Parameters of a LoRA of it, for each unit of rank."""
        return sum(self.shape)


def matrices_of(shape: LlamaShape) -> List[Matrix]:
    """The matrices of all layers, layer by layer; embedding, output matrix and norms are none."""
    found = []
    for name, dims in shape.parameters().items():
        parts = name.split(".")
        if len(dims) == 2 and parts[-2] in KINDS:
            found.append(Matrix(name, parts[-2], int(parts[2]), dims))
    return found


class Weights:
    """A checkpoint's matrices, or by how much they differ from another's.

    path, minus   MindSpore checkpoints, .safetensors files, or folders of these; in MindFormers'
                  or in Hugging Face's names

    One matrix is in memory at a time, of a difference two.
    """

    def __init__(self, path: Path, minus: Optional[Path], shape: LlamaShape) -> None:
        self._files = [open_tensors(each) for each in (path, minus) if each]
        self.matrices = matrices_of(shape)
        self.what = "difference" if minus else "weights"
        self.origin = {"weights": _state(path), **({"minus": _state(minus)} if minus else {})}
        for file in self._files:
            for matrix in self.matrices:
                _check(file, matrix)

    def values(self, matrix: Matrix) -> np.ndarray:
        """The singular values of one of `matrices`, largest first."""
        read = [file.read(_stored(file, matrix.name)) for file in self._files]
        difference = read[0] if len(read) == 1 else np.subtract(*read, dtype=np.float32)
        return singular_values(difference, f"{self._files[0].path}: {matrix.name}")

    def baseline(self, matrix: Matrix) -> np.ndarray:
        """The singular values of a random matrix of that shape, of scale 1."""
        return random_spectrum(*matrix.shape)


class Deltas:
    """alpha / rank · B · A of an adapter; UserError unless it is what `lora` trains."""

    what = "adapter"

    def __init__(self, path: Path, shape: LlamaShape, lora: LoraConfig) -> None:
        self._adapter, self._lora, self._path = Adapter(open_tensors(path), shape, lora), lora, path
        self.matrices = [
            matrix
            for matrix in matrices_of(shape)
            if matrix.name[: -len(".weight")] in self._adapter.modules
        ]
        self.origin = {"adapter": _state(path), "scaling": lora.scaling}

    def values(self, matrix: Matrix) -> np.ndarray:
        """The singular values of one of `matrices`, largest first; at most the rank of them."""
        pair = self._adapter.pair(matrix.name)
        where = f"{self._path}: {matrix.name}"
        return self._lora.scaling * singular_values_of_product(pair.b, pair.a, where)

    def baseline(self, matrix: Matrix) -> np.ndarray:
        """The singular values of a product of random matrices of those shapes."""
        return random_product_spectrum(*matrix.shape, self._lora.rank)


Source = Union[Weights, Deltas]


def last_adapter(path: Path) -> Path:
    """The checkpoint of the highest number in a folder of adapters; a file is given back."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.ckpt"), key=lambda each: (len(each.stem), each.stem))
    if not found:
        raise UserError("holds no adapter checkpoint", path, "run `make finetune`")
    return found[-1]


def _stored(file: Tensors, name: str) -> str:
    return name if name in file else hf_name(name)


def _check(file: Tensors, matrix: Matrix) -> None:
    name = _stored(file, matrix.name)
    file.require_shapes({name: matrix.shape}, "the config", "name the checkpoint of this model")
    if file.entry(name).type_name not in FLOATS:
        what = f"{name} is of {file.entry(name).type_name}, no floating-point numbers"
        raise UserError(what, file.path, "name a checkpoint of float16, bfloat16 or float32")


def _state(path: Path) -> Dict[str, Any]:
    """What tells a checkpoint from another without reading 16 GB: name, bytes, time."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    states = [file.stat() for file in files]
    return {
        "name": path.name,
        "bytes": sum(state.st_size for state in states),
        "modified_ns": max((state.st_mtime_ns for state in states), default=0),
    }
