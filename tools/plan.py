"""Work out what a run would need and bring, before cards are spent."""

from __future__ import annotations

from typing import Any

import click

from tools.cli import Accuracy, Command

_EPILOG = """
Example:

  python -m tools.plan --profile llama3-8b --budget full --cards 4 --hbm 32 --accuracy 64%

  The contest's own way, one model on four cards:
  python -m tools.plan --profile llama3-8b --budget full --cards 4 --hbm 32
  --model-parallel 4 --batch 64 --recompute full
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option(
    "--profile",
    metavar="NAME",
    default="smollm2-135m",
    show_default=True,
    help="For configs/NAME/profile.yaml.",
)
@click.option(
    "--budget", metavar="NAME", default="quick", show_default=True, help="One of the profile's."
)
@click.option("--recipe", metavar="NAME", help="configs/recipes/NAME.yaml  [default: the budget's]")
@click.option("--cards", type=click.IntRange(1), help="Workers  [default: the profile's]")
@click.option(
    "--hbm",
    type=click.FloatRange(0, min_open=True, max=1e5),
    metavar="GIB",
    help="Memory of a card, of the machine on the CPU  [default: the profile's]",
)
@click.option(
    "--accuracy", type=Accuracy(), default="50%", show_default=True, help="The expected one."
)
@click.option("--rows", type=click.IntRange(1), help="Training rows, an epoch.")
@click.option("--batch", type=click.IntRange(1), help="Rows of a step, of a share of the data.")
@click.option("--length", type=click.IntRange(16), help="seq_length.")
@click.option("--rank", type=click.IntRange(1, 1 << 16), help="lora_rank; alpha keeps its ratio.")
@click.option(
    "--recompute",
    type=click.Choice(["none", "full"]),
    help="What the backward pass computes anew.",
)
@click.option("--model-parallel", type=click.IntRange(1), help="Cards that share a model.")
def main(**options: Any) -> None:
    """Parameters, memory, hours and score of a run.

    Memory is by formula, hours by what was measured (configs/measured.yaml); docs/planning.md
    derives both and says how far they are off. Exit code 1 where the run does not fit the memory:
    the last line says which term is too large and what would help.
    """
    from tools.planning.plan_text import plan_text
    from tools.planning.planned_run import Options

    text, refusal = plan_text(Options(**options))
    click.echo(text)
    if refusal:
        raise refusal


if __name__ == "__main__":
    main()
