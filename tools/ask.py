"""Ask the base model and the trained one a problem, and mark what they answer."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple

import click

from tools.cli import Command
from tools.files.errors import UserError, visible

if TYPE_CHECKING:
    from tools.asking.models import Pair, Training

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_EPILOG = """
Example:

  python -m tools.ask --model runs/R/merged/5 --base runs/R/base '计算 1.5 + 2.25 等于多少？'

  python -m tools.ask --model runs/R/merged/5 --base runs/R/base < problems.txt
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--model", required=True, type=_FOLDER, help="Folder of the trained model.")
@click.option("--base", required=True, type=_FOLDER, help="Folder of the base model.")
@click.option(
    "--trained",
    type=_FOLDER,
    help="Folder that says what it was trained on: a published adapter, or config/ of a run "
    "[default: that of the run in which --model lies].",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object of JSON a problem.")
@click.argument("problem", required=False)
def main(
    model: Path, base: Path, trained: Optional[Path], as_json: bool, problem: Optional[str]
) -> None:
    """Ask the base model and the trained one PROBLEM; mark each line of their work.

    Without PROBLEM, problems are read line by line from the standard input: a line that cannot
    be asked is refused, and the next one read.
    """
    # MindSpore's warnings say nothing that a user could act on.
    os.environ.setdefault("GLOG_v", "3")
    from tools.asking.models import Pair, read_training

    training = read_training(trained or model.resolve().parents[1] / "config")
    pair = Pair(base, model, training)
    if problem is not None:
        problem = problem.strip()
        _answer(pair, training, problem, pair.prompts(problem, "Q"), as_json)
        return
    refused = False
    for where, line in _lines(sys.stdin.isatty()):
        try:
            prompts = pair.prompts(line, where)
        except UserError as error:
            refused = True
            click.echo(f"error: {visible(str(error))}", err=True)
        else:
            _answer(pair, training, line, prompts, as_json)
    # Whoever types has seen it; a script is told.
    if refused and not sys.stdin.isatty():
        click.get_current_context().exit(UserError.exit_code)


def _lines(prompted: bool) -> Iterator[Tuple[str, str]]:
    """Yield `line N` and the text of the lines that are not empty."""
    number = 0
    while True:
        if prompted:
            click.echo("? ", nl=False, err=True)
        raw = sys.stdin.buffer.readline()
        if not raw:
            return
        number += 1
        line = raw.decode("utf-8-sig", "surrogateescape").strip()
        if line:
            yield f"line {number}", line


def _answer(
    pair: Pair, training: Training, problem: str, prompts: Tuple[Any, Any], as_json: bool
) -> None:
    from tools.asking.marks import mark
    from tools.asking.show import show

    asked = mark(problem, pair.answer(problem, prompts), training)
    if as_json:
        click.echo(json.dumps(asked.as_json(), ensure_ascii=False))
    else:
        show(asked, sys.stdout)


if __name__ == "__main__":
    main()
