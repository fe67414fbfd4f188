"""What a laptop learns overnight: right answers and right lines over the hours of a chain of runs.

    python -m benchmarks.night --run runs/night-3 --output docs

RUN is the last of the chain, each of its runs evaluated (`make evaluate`). Every adapter is asked
200 sums and differences beside its validation problems; what was asked is not asked again. Writes
OUTPUT/night.csv and OUTPUT/night.png, and prints the entry of the record table: hours until 90 % of
the sums and differences and until half of all kinds are right.
"""

from __future__ import annotations

import csv
import json
import statistics
from itertools import accumulate
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import click

from benchmarks.learning import Arm, rows_of, run_tool
from tools.cli import Command
from tools.corpus.kinds import KINDS
from tools.corpus.rows import read_rows
from tools.corpus.verify import faults_of, recorded_styles
from tools.corpus.worked.restate import Styles
from tools.files.atomic import write_text
from tools.files.figure import BLUE, GREEN, GREY, ORANGE, new_figure, save_figure
from tools.packaging.chain import chain_of
from tools.scoring.prediction_rows import Prediction, read_predictions
from tools.scoring.right_lines import score_lines
from tools.scoring.scores import math_from_rows
from tools.training.losses import read_losses

SUMS = 200
SUMS_SEED = 20
GROUPS = {
    "all kinds": ((), "#000000"),
    "sums and differences": (("add", "subtract"), BLUE),
    "equations and means": (("equation", "mean"), ORANGE),
    "products, quotients, roots": (("multiply", "divide", "root"), GREEN),
    "the rest": (("power", "area", "discount", "sales", "mass", "fraction", "function"), GREY),
}


class Point(NamedTuple):
    """One group of problems, asked of one adapter after `hours` of training steps."""

    run: str
    step: int
    hours: float
    group: str
    right: int
    count: int
    right_lines: int
    lines: int


def hours_of_steps(run: Path) -> List[float]:
    """Return the hours of a run's steps up to each step; those that compiled count as a median."""
    seconds = [step.seconds for step in read_losses(run / "finetune" / "loss.csv")]
    usual = statistics.median(seconds)
    return [sum_ / 3600 for sum_ in accumulate(s if s < 10 * usual else usual for s in seconds)]


def ask_sums(run: Path, adapter: Path) -> Path:
    """Ask an adapter the 200 sums and differences; the answers lie beside the run's others."""
    folder = run / "sums" / adapter.stem
    answers = folder / "answers.jsonl"
    if answers.is_file():
        return answers
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows_of(Arm("", ""), SUMS, SUMS_SEED))
    write_text(folder / "sums.jsonl", text)
    words = ["tools.convert", "prompts", "--input", folder / "sums.jsonl", "--prompt", "none"]
    run_tool(folder, *words, "--output", folder / "prompts.jsonl")
    model = run / "merged" / adapter.stem
    words = ["tools.generate", "--model", model, "--prompts", folder / "prompts.jsonl"]
    run_tool(folder, *words, "--batch-size", 64, "--max-new-tokens", 96, "--output", answers)
    return answers


def taught_otherwise(run: Path, styles: Styles) -> Set[str]:
    """Return the kinds of the run's corpus whose style is one of `styles`, but in another form.

    Of a style that changed between two stages, all lines in the old form would count as wrong.
    """
    own = recorded_styles(run / "config" / "corpus.json")
    first = {row.kind: row for row in read_rows(run / "corpus" / "train.jsonl")}
    return {
        kind
        for kind, row in first.items()
        if own.get(kind) == styles.get(kind) and faults_of(row, styles)
    }


def points_of(runs: Sequence[Path]) -> List[Point]:
    """Return what every adapter of the runs answers, by group, hours summed over the runs.

    Lines of a group are not counted where a run was taught one of its kinds in another form.
    """
    styles = recorded_styles(runs[-1] / "config" / "corpus.json")
    points, before = [], 0.0
    for run in runs:
        hours, otherwise = hours_of_steps(run), taught_otherwise(run, styles)
        steps = json.loads((run / "finetune/adapters/steps.json").read_text("utf-8"))["steps"]
        for number, step in enumerate(steps, 1):
            asked = read_predictions(run / "evaluate" / str(number) / "valid.jsonl")
            sums = read_predictions(ask_sums(run, run / f"finetune/adapters/{number}.ckpt"))
            for group, (kinds, _) in GROUPS.items():
                rows = sums if group == "sums and differences" else _of_kinds(asked, kinds)
                math = math_from_rows(rows)
                told = None if otherwise.intersection(kinds or KINDS) else score_lines(rows, styles)
                lines: Dict[str, Any] = told or {"right": 0, "count": 0}
                right = math["correct"], math["count"], lines["right"], lines["count"]
                points.append(Point(run.name, step, before + hours[step - 1], group, *right))
        before += hours[-1]
    return points


def _of_kinds(rows: Sequence[Prediction], kinds: Tuple[str, ...]) -> List[Prediction]:
    return [row for row in rows if not kinds or row.kind in kinds]


def first_at(points: Sequence[Point], group: str, share: float) -> Optional[Point]:
    """Return the first point of a group whose right answers are at least `share`."""
    reached = (p for p in points if p.group == group and p.right >= share * p.count)
    return next(reached, None)


def draw(points: Sequence[Point]) -> Any:
    """Return a figure: right answers and right lines, in per cent, over hours."""
    figure = new_figure((9, 3.8), dpi=130)
    answers, lines = figure.subplots(1, 2, sharey=True)
    ends = {point.run: point.hours for point in points}
    for axes, title in ((answers, "right answers"), (lines, "right lines of work")):
        for group, (_, color) in GROUPS.items():
            own = [point for point in points if point.group == group]
            drawn = [point for point in own if axes is answers or point.lines]
            shares = [
                100 * (p.right / p.count if axes is answers else p.right_lines / p.lines)
                for p in drawn
            ]
            at = [p.hours for p in drawn]
            if len(drawn) == len(own):  # nothing is right before the first step
                at, shares = [0, *at], [0, *shares]
            width = 2.4 if group == "all kinds" else 1.6
            axes.plot(at, shares, "o-", ms=3, lw=width, color=color, label=group)
        for end in list(ends.values())[:-1]:
            axes.axvline(end, color=GREY, lw=0.8, ls=":")
        axes.set(title=title, xlabel="hours of training", xlim=(0, None), ylim=(0, 100))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.4)
    answers.set_ylabel("%")
    handles = answers.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    return figure


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path, exists=True), required=True)
def main(run: Path, output: Path) -> None:
    points = points_of(chain_of(run))
    with (output / "night.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(Point._fields)
        writer.writerows(point._replace(hours=round(point.hours, 4)) for point in points)
    save_figure(draw(points), output / "night.png")
    for group, share in (("sums and differences", 0.9), ("all kinds", 0.5)):
        point = first_at(points, group, share)
        found = point and f"{point.hours:.2f} hours, {point.right} of {point.count}"
        click.echo(f"{100 * share:.0f} % of {group}: {found or 'not reached'}")


if __name__ == "__main__":
    main()
