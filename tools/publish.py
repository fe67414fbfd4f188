"""Publish the adapter of a run, and measure a published one again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tools.cli import Group

if TYPE_CHECKING:
    from tools.packaging.remeasure import Measured

_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_WRITE = """
Example:

  python -m tools.publish write --run runs/night-2
  --output material/embedded/adapters/smollm2-135m
"""
_MEASURE = """
Example:

  python -m tools.publish measure --adapter material/embedded/adapters/smollm2-135m
  --base runs/R/base --output runs/R/adapter
"""


@click.group(cls=Group, epilog=_WRITE)
def main() -> None:
    """Publish the adapter of a run, and measure a published one again."""
    # MindSpore's warnings say nothing that a user could act on.
    os.environ.setdefault("GLOG_v", "3")


@main.command(epilog=_WRITE)
@click.option("--run", type=_FOLDER, required=True, help="An evaluated run, the last of its chain.")
@click.option("--output", type=_PATH, required=True, help="Folder to be published.")
def write(run: Path, output: Path) -> None:
    """Write the run's chosen adapter into OUTPUT as PEFT has it, with the figures of that file.

    It is rounded to bfloat16, merged, asked and scored before; broken off, it goes on.
    """
    from tools.packaging.adapter_folder import publish

    _print(publish(run, output))
    click.echo(f"{output}: written")


@main.command(epilog=_MEASURE)
@click.option("--adapter", type=_FOLDER, required=True, help="A published folder.")
@click.option("--base", type=_FOLDER, required=True, help="Folder of the base model.")
@click.option("--output", type=_PATH, required=True, help="Folder of models, answers and scores.")
@click.option("--baseline", is_flag=True, help="Ask the base model, too.")
def measure(adapter: Path, base: Path, output: Path, baseline: bool) -> None:
    """Merge a published adapter, ask its problems again, score, and compare with its answers.

    Without --baseline the base model's published answers are taken.
    """
    from tools.packaging.remeasure import compare_answers
    from tools.packaging.remeasure import measure as measure_again

    known = None if baseline else adapter / "base"
    _print(measure_again(adapter, base, output, adapter / "model", known))
    for line in compare_answers(adapter, output):
        click.echo(line)


def _print(scores: Measured) -> None:
    from tools.packaging.remeasure import figures, reading
    from tools.scoring.score_tables import table

    click.echo(f"{table(figures(scores))}\n\n{reading(scores)}")


if __name__ == "__main__":
    main()
