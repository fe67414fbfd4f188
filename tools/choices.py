"""`python -m tools.convert choices`: multiple-choice questions into a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import click

from tools.cli import Command, Styles, config_option

_EPILOG = """
Example:

  python -m tools.convert choices --input mmlu/data --input cmmlu_v1_0_1.zip --folder corpus
"""


@click.command(cls=Command, epilog=_EPILOG)
@config_option
@click.option(
    "--input",
    "sources",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    required=True,
    help="Folder, zip or tar in the layout of MMLU or CMMLU; several may be named.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="train.jsonl, valid.jsonl, test.jsonl and corpus.json go there.",
)
@click.option("--train", type=click.IntRange(1), help="Training rows  [default: all the source's]")
@click.option("--valid", type=click.IntRange(0), default=1000, show_default=True, help="Rows.")
@click.option("--test", type=click.IntRange(0), default=1000, show_default=True, help="Rows.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the split.")
@click.option("--repeat", type=click.IntRange(1), default=1, help="Most orders of the options.")
@click.option("--styles", type=Styles(), help="choice=option: the option's text after its letter.")
@click.option("--strict", is_flag=True, help="A row that is no choice question is an error.")
def choices(
    sources: Tuple[Path, ...],
    folder: Path,
    train: Optional[int],
    valid: int,
    test: int,
    seed: int,
    repeat: int,
    styles: Optional[Dict[str, Any]],
    strict: bool,
) -> None:
    """Multiple-choice questions: a corpus split by question, subjects in proportion.

    Where more training rows are asked for than there are questions, they come again, at most
    --repeat times, each time with their options in another order.
    """
    from tools.corpus.build import Plan, build_corpus
    from tools.corpus.choice_files import read_choices

    plan = Plan(train, valid, test, seed, None, repeat, styles or {})
    summary = build_corpus(folder, sources, plan, strict, read_choices)
    parts = [f"{count} {name}" for name, count in summary["splits"].items()]
    click.echo(
        f"{folder}: {', '.join(parts)}, {summary['rows']} rows read, "
        f"{summary['misfits']['count']} misfits, {len(summary['kinds'])} subjects"
    )
