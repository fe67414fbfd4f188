"""What answers prompts: our own decoder on the CPU, MindFormers' generate on cards."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Protocol

import numpy as np

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.greedy import Done, Limits, decode_greedily
from tools.llama.precision import FLOAT32, set_matmul_precision
from tools.llama.shape import LlamaShape

CACHED, MINDFORMERS = "cached", "mindformers"
ENGINES = (CACHED, MINDFORMERS)


class Engine(Protocol):
    """What decodes.

    versions  the packages that its results depend on.
    places    rows that are decoded at once.
    """

    name: str
    versions: tuple[str, ...]
    places: int

    def decode(
        self,
        folder: Path,
        shape: LlamaShape,
        prompts: Sequence[np.ndarray],
        limits: Limits,
        done: Done,
    ) -> None:
        """Answer token ids `prompts` by FOLDER/model.ckpt; `done(index, tokens, reason)` each.

        reason  "eos", "stop" or "length".
        Raises UserError unless the checkpoint has every parameter of the shape.
        """


def open_engine(name: Optional[str], device: str, places: int) -> Engine:
    """The engine called `name`, or the device's own where that is None.

    places  rows that are decoded at once.
    Raises UserError where the engine cannot run on the device. From then on this process
    multiplies in float32, whatever its environment asked for.
    """
    set_matmul_precision(os.environ, FLOAT32)
    name = name or (CACHED if device == "CPU" else MINDFORMERS)
    if name == MINDFORMERS:
        from tools.llama.mindformers_engine import MindFormersEngine

        return MindFormersEngine(device, places)
    if device != "CPU":
        what = f"the {CACHED} decoder runs on the CPU alone"
        raise UserError(what, "--engine", f"leave it out, or say --engine {MINDFORMERS}")
    return CachedEngine(places)


class CachedEngine:
    """Our decoder with its key-value cache: one for all models of a shape, so compiled once."""

    name = CACHED
    versions = ("mindspore", "numpy")

    def __init__(self, places: int) -> None:
        self.places = places
        self._decoder: Any = None
        self._loaded: Any = None

    def decode(
        self,
        folder: Path,
        shape: LlamaShape,
        prompts: Sequence[np.ndarray],
        limits: Limits,
        done: Done,
    ) -> None:
        """As Engine's; answers come as they end, in no order."""
        from tools.llama.decoder import Decoder

        if self._decoder is None or self._decoder.shape != shape:
            sys.stderr.write("decode: compiling the graphs, some seconds\n")
            self._decoder, self._loaded = Decoder(shape, self.places), None
        if self._loaded != folder:
            self._decoder.load(Checkpoint(folder / "model.ckpt"))
            self._loaded = folder
        decode_greedily(self._decoder, prompts, limits, done)
