"""Work out what a run would need and bring, before cards are spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import click

from tools.cli import Accuracy, Command

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_EPILOG = """
Example:

  python -m tools.plan --profile llama3-8b --budget full --cards 4 --hbm 32 --accuracy 64%

  The contest's own way, one model on four cards:
  python -m tools.plan --profile llama3-8b --budget full --cards 4 --hbm 32
  --model-parallel 4 --batch 64 --recompute full

  python -m tools.plan --profile smollm2-135m --recipe worked --figure plan.png --json
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
    "--reserve",
    type=click.FloatRange(0, max=1e5),
    metavar="GIB",
    help="Of it, not for the training  [default: max_device_memory's rest, or 6 on a card]",
)
@click.option(
    "--accuracy", type=Accuracy(), default="50%", show_default=True, help="The expected one."
)
@click.option("--finetune", type=_FILE, help="A MindFormers YAML in the place of the profile's.")
@click.option("--records", type=_FILE, help="MindRecord file of the training rows.")
@click.option("--log", type=_FILE, help="Log of a worker in this training: its step times count.")
@click.option("--rows", type=click.IntRange(1), help="Training rows, an epoch.")
@click.option("--batch", type=click.IntRange(1), help="Rows of a step, of a share of the data.")
@click.option("--length", type=click.IntRange(16), help="seq_length.")
@click.option("--rank", type=click.IntRange(1, 1 << 16), help="lora_rank; alpha keeps its ratio.")
@click.option(
    "--recompute",
    type=click.Choice(["none", "selective", "full"]),
    help="What the backward pass computes anew.",
)
@click.option("--model-parallel", type=click.IntRange(1), help="Cards that share a model.")
@click.option(
    "--dry-run",
    type=click.Choice(["build", "compile"]),
    help="Build MindFormers' network without a card and compare; compile a step, too.",
)
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw the memory: a PNG."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    profile: str,
    budget: str,
    recipe: Optional[str],
    cards: Optional[int],
    hbm: Optional[float],
    reserve: Optional[float],
    accuracy: float,
    finetune: Optional[Path],
    records: Optional[Path],
    log: Optional[Path],
    rows: Optional[int],
    batch: Optional[int],
    length: Optional[int],
    rank: Optional[int],
    recompute: Optional[str],
    model_parallel: Optional[int],
    dry_run: Optional[str],
    figure: Optional[Path],
    as_json: bool,
) -> None:
    """Parameters, memory, hours and score of a run, and what twice as much of something costs.

    Memory is by formula, hours by what was measured (configs/measured.yaml); how far the formulas
    are from each figure is printed, and docs/planning.md derives them. Exit code 1 where the run
    does not fit the memory: the last line says which term is too large and what would help.
    """
    from tools.planning.plan import Asked, present
    from tools.planning.setup import Changes
    from tools.planning.tables import plan_table

    changes = Changes(batch, length, rank, recompute, model_parallel, rows)
    asked = Asked(
        profile,
        budget,
        recipe,
        cards,
        hbm,
        reserve,
        accuracy,
        changes,
        records,
        finetune,
        log,
    )
    plan, refusal = present(asked, figure, dry_run)
    click.echo(json.dumps(plan, ensure_ascii=False, indent=2) if as_json else plan_table(plan))
    if refusal:
        raise refusal


if __name__ == "__main__":
    main()
