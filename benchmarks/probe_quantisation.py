"""How far 4-bit blocks can move the ranks that `tools.probe` finds.

    python -m benchmarks.probe_quantisation --run runs/smollm2-135m-quick

SmolLM2's weights come from blocks of 32 numbers (GGUF's Q4_1), each rounded to one of 16 even
levels: an error of variance step² / 12 a number, which a random matrix of that variance stands for.
The step of a block is (largest − smallest) / 15. Rounding cannot be undone, but it can be done
once more: errors of the same sizes are added, and what they change is about what the first ones
changed. Prints, by kind: medians over the layers of the error's share of the energy, of how many
singular values lie below the largest that the error alone has, and of the ranks before and after.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import click
import numpy as np

from tools.cli import Command
from tools.files.errors import CheckFailed
from tools.files.progress import progress
from tools.llama.shape import LlamaShape
from tools.llama.tensors import open_tensors
from tools.probing.measures import RANKS, measure
from tools.probing.sources import KINDS, matrices_of
from tools.probing.spectra import singular_values

BLOCK, LEVELS = 32, 16


def steps_of(matrix: np.ndarray, where: str) -> np.ndarray:
    """matrix (m, n) → the step of every number's block, (m, n).

    CheckFailed where the numbers do not lie on the levels.
    """
    blocks = matrix.reshape(len(matrix), -1, BLOCK)
    low = blocks.min(axis=2, keepdims=True)
    step = (blocks.max(axis=2, keepdims=True) - low) / (LEVELS - 1)
    level = np.divide(blocks - low, step, out=np.zeros_like(blocks), where=step > 0)
    # A block need not use its outermost levels; then its own range misses the step.
    on = np.abs(level - np.rint(level)).max(axis=2) < 0.02
    if on.mean() < 0.9:
        raise CheckFailed(f"only {on.mean():.0%} of its blocks have {LEVELS} even levels", where)
    return np.broadcast_to(step, blocks.shape).reshape(matrix.shape)


def figures(matrix: np.ndarray, where: str, generator: np.random.Generator) -> List[float]:
    """[share of the energy, values below the noise's largest, each rank before and after]."""
    steps = steps_of(matrix, where)
    values = singular_values(matrix, where)
    noise = generator.uniform(-0.5, 0.5, matrix.shape) * steps
    again = singular_values(matrix + noise, where)
    variance = float((steps.astype(np.float64) ** 2).mean()) / 12
    edge = variance**0.5 * sum(side**0.5 for side in matrix.shape)
    before, after = measure(values)._asdict(), measure(again)._asdict()
    share = variance * matrix.size / before["frobenius"] ** 2
    pairs = [both[rank] for rank in RANKS for both in (before, after)]
    return [share, float((values < edge).sum()), *pairs]


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
def main(run: Path) -> None:
    shape = LlamaShape.load(run / "base" / "model.json")
    tensors = open_tensors(run / "base" / "model.ckpt")
    generator = np.random.default_rng(1)
    found: Dict[str, List[List[float]]] = {kind: [] for kind in KINDS}
    matrices = matrices_of(shape)
    with progress("probe twice", total=len(matrices), unit="matrices") as bar:
        for matrix in matrices:
            weight = tensors.read(matrix.name)
            found[matrix.kind].append(figures(weight, matrix.name, generator))
            bar.advance()
    click.echo(f"| kind | error's energy | below its edge | {' | '.join(RANKS)} |")
    click.echo("| --- " * (3 + len(RANKS)) + "|")
    for kind, rows in found.items():
        share, below, *pairs = np.median(rows, axis=0)
        cells = [f"{share:.2%}", f"{below:.0f}"]
        cells += [f"{a:.1f} → {b:.1f}" for a, b in zip(pairs[::2], pairs[1::2])]
        click.echo(f"| {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
