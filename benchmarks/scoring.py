"""How long scoring takes, whole processes: an evaluation log, and 20 000 arithmetic answers.

    python -m benchmarks.scoring --log base-squad-eval.log

The answers are worked solutions, the longest that we write, every third with a digit changed.
Medians of five; prints a Markdown table.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Optional

import click
import numpy as np

from tools.cli import Command
from tools.corpus.grammar import Rounding
from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.solve import answer
from tools.corpus.worked.styles import STYLES, Style, work_out

TIMES = 5


def write_answers(path: Path, count: int) -> int:
    """Rows of predictions of about `count` problems of all kinds; the mean length in characters."""
    share = count // len(CHINESE) + 1
    counts = {kind: min(share, CAPACITY[kind]) for kind in CHINESE}
    counts[CHINESE[0]] += count - sum(counts.values())  # some kinds have few problems
    chosen = random.Random(0)
    characters = 0
    with path.open("w", encoding="utf-8") as handle:
        for index, problem in enumerate(draw(counts, 1)):
            text = work_out(problem, Style(STYLES[problem.kind][-1], Rounding(decimals=2)))
            if index % 3 == 0:
                at = chosen.choice([i for i, char in enumerate(text) if char.isdigit()])
                text = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
            characters += len(text)
            row = {"id": str(index), "kind": problem.kind, "prompt": problem_text(problem)}
            row.update(prediction=text, reference=answer(problem))
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
    return characters // count


def seconds(arguments: List[str]) -> float:
    """Median wall time of `python -m tools.score ARGUMENTS --json`."""
    taken = []
    for _ in range(TIMES):
        began = time.monotonic()
        command = [sys.executable, "-m", "tools.score", *arguments, "--json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return float(np.median(taken))


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--count", type=click.IntRange(min=1000), default=20_000, show_default=True)
@click.option("--log", type=click.Path(exists=True), help="MindFormers' log of an evaluation.")
def main(count: int, log: Optional[str]) -> None:
    click.echo("| what | s |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "answers.jsonl"
        length = write_answers(path, count)
        what = f"{count} arithmetic answers of {length} characters on average"
        click.echo(f"| {what} | {seconds(['math', '--predictions', str(path)]):.2f} |")
    if log:
        click.echo(f"| {Path(log).name} | {seconds(['squad', '--log', log]):.2f} |")


if __name__ == "__main__":
    main()
