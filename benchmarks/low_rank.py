"""Which matrices are low-rank, and what a LoRA of a given size can keep: tables of the ledger.

    python -m benchmarks.low_rank --base runs/smollm2-135m-quick/base
    python -m benchmarks.full_deltas --run runs/smollm2-135m-quick --records train.mindrecord
    python -m benchmarks.low_rank --base runs/smollm2-135m-quick/base --deltas runs/full-deltas

Measures the singular values σ of every matrix of the layers: of the base weights and, with
--deltas, of what benchmarks.full_deltas wrote (the gradient at the base, its signs, and the change
by full fine-tuning). A random matrix has a sloped spectrum too, whose slope depends on the shape:
so ranks are compared after division by the rank of a random matrix of the same shape.

The three tables, in Markdown: the rank that holds 90 % of the energy Σσ² by kind of matrix, median
over the layers, with its ratio to a random matrix in brackets; attention beside the feed-forward by
four measures; and the energy that one rank for some kinds keeps (Eckart and Young, 1936: the best
matrix of rank r keeps the r largest σ²) where a number of trained parameters is given.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import click
import numpy as np

from tools.cli import Command
from tools.files.errors import CheckFailed
from tools.files.progress import progress
from tools.llama.opening import open_tensors
from tools.llama.shape import LlamaShape

ATTENTION, FEED_FORWARD = ("wq", "wk", "wv", "wo"), ("w1", "w2", "w3")
KINDS = (*ATTENTION, *FEED_FORWARD)
# What a LoRA is usually put on.
SETS = (KINDS, ATTENTION, ("wq", "wv"), FEED_FORWARD)
# Of each measure: what a matrix of rank r with equal σ gives is r (90 % energy: 0.9 r).
MEASURES = ("stable rank", "participation ratio", "entropy rank", "90 % energy rank")
R90 = MEASURES.index("90 % energy rank")

# A matrix's kind and layer → its (out, in) and its singular values, largest first.
Spectra = Dict[Tuple[str, int], Tuple[Tuple[int, int], np.ndarray]]


def measure(values: np.ndarray) -> List[float]:
    """Return MEASURES of singular values (r,), largest first, the first of them positive.

    Stable rank: Σσ² / σ₁² (Rudelson and Vershynin, 2007). Participation ratio of σ²:
    (Σσ²)² / Σσ⁴. Entropy rank: exp(−Σ p ln p) with p = σ / Σσ (Roy and Vetterli, 2007).
    90 % energy rank: the least k with σ₁² + … + σₖ² ≥ 0.9 Σσ².
    """
    relative = values / values[0]
    energies = relative**2
    total = energies.sum()
    shares = relative[relative > 0] / relative.sum()
    return [
        total,
        total**2 / (energies**2).sum(),
        np.exp(-(shares * np.log(shares)).sum()),
        np.searchsorted(np.cumsum(energies), 0.9 * total) + 1,
    ]


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """Return the min(m, n) singular values of a matrix (m, n), largest first, float64.

    As roots of the eigenvalues of the smaller side's Gram matrix: exact to about 1e-8 of the
    largest, in a tenth of the time of a singular value decomposition. bfloat16 stores to 4e-3.
    """
    wide = matrix.astype(np.float64)
    gram = wide.T @ wide if wide.shape[0] > wide.shape[1] else wide @ wide.T
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))


@cache
def random_measures(rows: int, columns: int) -> List[float]:
    """Return MEASURES of a (rows, columns) matrix of independent random numbers.

    From the density of its eigenvalues λ (Marchenko and Pastur, 1967), not from a draw: with
    β = short side / long side and λ = 1 + β + 2 √β cos θ the density over θ in (0, π) is
    2 sin²θ / (π λ), and the i-th value of r lies at the quantile (i − 1/2) / r. At β = 1 the limit
    in θ = π is taken from sin²θ / λ = (1 − cos θ) / 2.
    """
    count, ratio = min(rows, columns), min(rows, columns) / max(rows, columns)
    angle = np.linspace(0.0, math.pi, 200_001)
    places = 1 + ratio + 2 * math.sqrt(ratio) * np.cos(angle)
    if ratio == 1:
        density = (1 - np.cos(angle)) / math.pi
    else:
        density = 2 * np.sin(angle) ** 2 / (math.pi * places)
    steps = (density[1:] + density[:-1]) / 2 * (angle[1] - angle[0])
    below = np.concatenate([[0.0], np.cumsum(steps)])
    quantiles = np.interp((np.arange(count) + 0.5) / count, below / below[-1], angle)
    return measure(np.sqrt(np.maximum(1 + ratio + 2 * math.sqrt(ratio) * np.cos(quantiles), 0.0)))


def spectra_of(shape: LlamaShape, weights: Path, minus: Optional[Path] = None) -> Spectra:
    """Return the spectra of a checkpoint's matrices, or of their difference from another's.

    Raises CheckFailed for a matrix of zeros, infinities or NaN, which has no spectrum.
    """
    files = [open_tensors(path) for path in (weights, minus) if path]
    names = [name for name in shape.parameters() if name.split(".")[-2] in KINDS]
    spectra: Spectra = {}
    with progress(weights.stem, total=len(names), unit="matrices") as bar:
        for name in names:
            read = [file.read(name).astype(np.float64) for file in files]
            matrix = read[0] - read[1] if minus else read[0]
            if not (np.isfinite(matrix).all() and matrix.any()):
                raise CheckFailed(f"{name} is zero or not finite", weights)
            kind, layer = name.split(".")[-2], int(name.split(".")[2])
            spectra[kind, layer] = (matrix.shape, singular_values(matrix))
            bar.advance()
    return spectra


def of_random(spectra: Spectra) -> Dict[Tuple[str, int], np.ndarray]:
    """Return MEASURES of each matrix divided by those of a random one of its shape."""
    return {
        key: np.array(measure(values)) / random_measures(*dims)
        for key, (dims, values) in spectra.items()
    }


def ranks_table(columns: Dict[str, Spectra]) -> List[str]:
    """Return the table of 90 % energy ranks: a row a kind, a column a source."""
    lines = [f"| kind | {' | '.join(columns)} |", "| --- " * (1 + len(columns)) + "|"]
    for kind in KINDS:
        cells = []
        for spectra in columns.values():
            ratios = of_random(spectra)
            own = [key for key in spectra if key[0] == kind]
            rank = np.median([measure(spectra[key][1])[R90] for key in own])
            ratio = np.median([ratios[key][R90] for key in own])
            cells.append(f"{rank:g} ({ratio:.2f})" if ratio >= 0.1 else f"{rank:g} ({ratio:.3f})")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return lines


def claim_table(columns: Dict[str, Spectra]) -> List[str]:
    """Return how attention compares with the feed-forward: a row a measure, a column a source.

    Medians of the measures divided by a random matrix's, and the layers in which the median of
    attention's matrices is the lower one.
    """
    lines = [
        f"| attention, feed-forward | {' | '.join(columns)} |",
        "| --- " * (1 + len(columns)) + "|",
    ]
    tables = [of_random(spectra) for spectra in columns.values()]
    for at, name in enumerate(MEASURES):
        cells = [_compared({key: ratios[key][at] for key in ratios}) for ratios in tables]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _compared(ratios: Dict[Tuple[str, int], float]) -> str:
    layers = sorted({layer for _, layer in ratios})

    def median(kinds: Sequence[str], only: Sequence[int]) -> float:
        return float(np.median([ratios[kind, layer] for kind in kinds for layer in only]))

    lower = sum(median(ATTENTION, [one]) < median(FEED_FORWARD, [one]) for one in layers)
    both = f"{median(ATTENTION, layers):.3f}, {median(FEED_FORWARD, layers):.3f}"
    return f"{both}; lower in {lower} of {len(layers)} layers"


def energy_table(columns: Dict[str, Spectra], parameters: int) -> List[str]:
    """Return what one rank for some kinds keeps: a row a set of kinds, a column a source.

    The rank is the highest for which a LoRA on these kinds trains at most `parameters`.
    """
    lines = [
        f"| {parameters:,} parameters on | rank | {' | '.join(columns)} |",
        "| --- " * (2 + len(columns)) + "|",
    ]
    for kinds in SETS:
        cells = []
        for spectra in columns.values():
            own = [one for (kind, _), one in spectra.items() if kind in kinds]
            rank = parameters // sum(sum(dims) for dims, _ in own)
            kept = sum((values[:rank] ** 2).sum() for _, values in own)
            total = sum((values**2).sum() for _, values in spectra.values())
            cells.append(f"{kept / total:.1%}")
        lines.append(f"| {', '.join(kinds)} | {rank} | {' | '.join(cells)} |")
    return lines


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--deltas", type=click.Path(path_type=Path, exists=True))
@click.option("--parameters", default=921_600, show_default=True, help="Trained by the LoRA.")
def main(base: Path, deltas: Optional[Path], parameters: int) -> None:
    shape, weights = LlamaShape.load(base / "model.json"), base / "model.ckpt"
    columns = {"weights": spectra_of(shape, weights)}
    if deltas:
        columns["gradient"] = spectra_of(shape, deltas / "gradient.ckpt")
        columns["sign step"] = spectra_of(shape, deltas / "adam.ckpt")
        columns["full fine-tuning"] = spectra_of(shape, deltas / "tuned.ckpt", weights)
    tables = (ranks_table(columns), claim_table(columns), energy_table(columns, parameters))
    click.echo("\n\n".join("\n".join(table) for table in tables))


if __name__ == "__main__":
    main()
