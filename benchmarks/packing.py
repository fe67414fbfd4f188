"""How full packed rows are, beside what no packing of whole examples can exceed.

    python -m benchmarks.packing --rows corpus/train.jsonl --tokenizer tokenizer.model

The bound is that of the cutting-stock linear programme (Gilmore and Gomory 1961): the fewest rows
if fractions of a row's pattern could be taken, by column generation. Prints a Markdown table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import click
import numpy as np
from scipy.optimize import linprog

from tools.cli import Command
from tools.records.encoding import Job, encode_block, prepare, spread
from tools.records.packing import WINDOW_EXAMPLES, fill_rows
from tools.records.tokenizers import SpecialIds, open_tokenizer


def sizes_of(rows: Path, tokenizer: Path, frame: str) -> np.ndarray:
    """Tokens of each example, int32 (n,), in the order of the rows."""
    opened = open_tokenizer(tokenizer)
    ids = SpecialIds(opened.bos_id, opened.eos_id, opened.pad_id)
    job = Job(rows, tokenizer, ids, frame, 1 << 20, False)
    blocks = spread(rows, encode_block, prepare, job, lambda: None)
    return np.concatenate([block.sizes for block in blocks])


def fewest_rows(sizes: np.ndarray, room: int) -> float:
    """Least number of rows of `room` tokens for whole examples, fractions of rows allowed."""
    values, counts = np.unique(sizes, return_counts=True)
    patterns = [np.bincount([at], [room // v], len(values)) for at, v in enumerate(values)]
    while True:
        matrix = np.array(patterns).T
        found = linprog(np.ones(len(patterns)), A_ub=-matrix, b_ub=-counts, method="highs")
        pattern, worth = _most_worth(values, -found.ineqlin.marginals, room)
        if worth <= 1 + 1e-9:  # no pattern would save anything
            return float(found.fun)
        patterns.append(pattern)


def _most_worth(values: np.ndarray, worths: np.ndarray, room: int) -> Tuple[np.ndarray, float]:
    """Fill a row with what is worth most in all (a knapsack, any number of each)."""
    best, last = np.zeros(room + 1), np.full(room + 1, -1)
    for used in range(1, room + 1):
        fits = np.flatnonzero(values <= used)
        gains = best[used - values[fits]] + worths[fits]
        best[used] = best[used - 1]
        if len(fits) and gains.max() > best[used] + 1e-12:
            best[used], last[used] = gains.max(), fits[gains.argmax()]
    pattern, used = np.zeros(len(values)), room
    while used > 0:
        if last[used] < 0:
            used -= 1
        else:
            pattern[last[used]] += 1
            used -= values[last[used]]
    return pattern, float(best[room])


def packed_rows(sizes: np.ndarray, room: int) -> int:
    """Rows that `records --pack` makes of examples in this order."""
    return sum(
        int(fill_rows(sizes[start : start + WINDOW_EXAMPLES], room).max()) + 1
        for start in range(0, len(sizes), WINDOW_EXAMPLES)
    )


@click.command(cls=Command)
@click.option("--rows", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--tokenizer", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--prompt", default="alpaca", show_default=True, help="The frame.")
@click.option("--seq-length", "lengths", type=int, multiple=True, default=(256, 512, 768))
def main(rows: Path, tokenizer: Path, prompt: str, lengths: Tuple[int, ...]) -> None:
    """Compare the packing of a corpus with its bound."""
    sizes = sizes_of(rows, tokenizer, prompt)
    click.echo("| seq_length | examples | rows | used | least rows | at most used |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    for length in lengths:
        room = length + 1
        fitting = sizes[sizes <= room]
        ours, least = packed_rows(fitting, room), fewest_rows(fitting, room)
        used, most = (100 * fitting.sum() / (count * room) for count in (ours, least))
        click.echo(
            f"| {length} | {len(fitting)} | {ours} | {used:.2f} % | {least:.1f} | {most:.2f} % |"
        )


if __name__ == "__main__":
    main()
