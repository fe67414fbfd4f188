"""Our side of benchmarks/decoding.py, a process of its own: steps, prefill, memory, real rows.

python -m benchmarks.decode_ours speed --model runs/R/base --ids ids.json --output ours.json
python -m benchmarks.decode_ours mindformers --model ... --ids ... --output mindformers.json
python -m benchmarks.decode_ours rows --model ... --ids rows.json --output rows-ours.json
"""

from __future__ import annotations

import functools
import json
import resource
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

import click
import numpy as np

from tools.cli import Group
from tools.files.atomic import write_json
from tools.llama.checkpoint import Checkpoint
from tools.llama.decoder import Decoder
from tools.llama.engines import CachedEngine
from tools.llama.greedy import Limits, decode_greedily
from tools.llama.mindformers_engine import MindFormersEngine
from tools.llama.shape import LlamaShape

NOBODY = -1  # no token has this id: every row runs to its length


class ClockedDecoder(Decoder):
    """Notes when each step ended."""

    def __init__(self, shape: LlamaShape, places: int) -> None:
        super().__init__(shape, places)
        self.times: List[float] = []

    def step(self, tokens: np.ndarray, positions: np.ndarray) -> Any:
        result = super().step(tokens, positions)
        self.times.append(time.monotonic())
        return result


@click.group(cls=Group, help=__doc__.splitlines()[0])
def main() -> None:
    pass


class Task(NamedTuple):
    """What every command is told; prompts are token ids."""

    model: Path
    shape: LlamaShape
    prompts: List[np.ndarray]
    output: Path
    batches: List[int]
    max_new_tokens: int
    times: int


def _command(function: Callable[[Task], None]) -> Any:
    @functools.wraps(function)
    def read(model: Path, ids: Path, **told: Any) -> None:
        prompts = [np.array(row) for row in json.loads(ids.read_text())]
        function(Task(model, LlamaShape.load(model / "model.json"), prompts, **told))

    command: Any = read
    for option in (
        click.option("--model", type=click.Path(path_type=Path, exists=True), required=True),
        click.option("--ids", type=click.Path(path_type=Path, exists=True), required=True),
        click.option("--output", type=click.Path(path_type=Path), required=True),
        click.option("--batch-size", "batches", type=int, multiple=True, default=(1, 8, 32)),
        click.option("--max-new-tokens", type=int, default=32),
        click.option("--times", type=int, default=5),
    ):
        command = option(command)
    return main.command()(command)


@_command
def speed(task: Task) -> None:
    """Write what `decode_reference.py speed` writes."""
    result: Dict[int, Any] = {}
    for batch in task.batches:
        decoder = ClockedDecoder(task.shape, batch)
        decoder.load(Checkpoint(task.model / "model.ckpt"))
        prefill, steps = [], []
        for turn in range(task.times + 1):
            decoder.times, began = [], time.monotonic()
            decode_greedily(
                decoder,
                task.prompts[:batch],
                Limits(task.max_new_tokens, 0, NOBODY),
                lambda *_: None,
            )
            if turn:  # the first compiles
                prefill.append(decoder.times[0] - began)
                steps += np.diff(decoder.times).tolist()
        result[batch] = {"prefill": prefill, "steps": steps}
    write_json(task.output, {"batches": result, "peak": _peak()})


@_command
def mindformers(task: Task) -> None:
    """MindFormers' generate without a cache, 256 positions: seconds a step."""
    (batch,) = task.batches
    engine = MindFormersEngine("CPU", batch, length=256)
    steps = []
    for turn in range(task.times + 1):
        began = time.monotonic()
        engine.decode(
            task.model,
            task.shape,
            task.prompts[:batch],
            Limits(task.max_new_tokens, 0, NOBODY),
            lambda *_: None,
        )
        if turn:
            steps.append((time.monotonic() - began) / task.max_new_tokens)
    write_json(task.output, {"batches": {batch: {"steps": steps}}, "peak": _peak()})


@_command
def rows(task: Task) -> None:
    """Write {batch: {"tokens": [ids], "seconds"}}: whole answers, compiled before."""
    result: Dict[int, Any] = {}
    for batch in task.batches:
        engine = CachedEngine(batch)
        limits = Limits(task.max_new_tokens, 0, task.shape.eos_token_id)
        for _ in range(2):
            found: Dict[int, List[int]] = {}

            def keep(index: int, tokens: List[int], _: str, into: Any = found) -> None:
                into[index] = tokens

            began = time.monotonic()
            engine.decode(task.model, task.shape, task.prompts, limits, keep)
            seconds = time.monotonic() - began
        result[batch] = {"tokens": [found[i] for i in range(len(task.prompts))], "seconds": seconds}
    write_json(task.output, result)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
