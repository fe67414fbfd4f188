"""Resolve what a run is made with, and run a command that alone may write into the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Tuple

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.run runs/R --profile tiny

  python -m tools.run runs/R --profile tiny --seed 2 -- make report
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--profile", required=True, help="Folder under configs/.")
@click.option("--budget", default="quick", show_default=True, help="One of the profile's.")
@click.option("--recipe", help="File under configs/recipes/  [default: the budget's]")
@click.option("--seed", type=int, default=1, show_default=True, help="Of draw and training.")
@click.option("--cards", type=click.IntRange(1), help="Workers  [default: the profile's]")
@click.option("--hbm", type=click.IntRange(1), help="GB a card  [default: the profile's]")
@click.option(
    "--records",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MindRecord to train on instead of the corpus.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path, exists=True),
    help="Adapter that the training begins with.",
)
@click.option(
    "--resume",
    type=click.Choice(["auto", "no"]),
    default="auto",
    help="no: an unfinished training of another choice may be given up.",
)
@click.option("--untrained", is_flag=True, help="Nothing will be trained: tell no hours.")
def main(
    run: Path,
    command: Tuple[str, ...],
    profile: str,
    budget: str,
    recipe: Optional[str],
    seed: int,
    cards: Optional[int],
    hbm: Optional[int],
    records: Optional[Path],
    init: Optional[Path],
    resume: str,
    untrained: bool,
) -> None:
    """Resolve a profile and a budget into RUN/config, one small file a subject, and RUN/run.mk.

    Then COMMAND runs, if there is one. Until all that it started has ended, no other command of
    this kind gets at RUN: it ends with exit code 2. So it does, and nothing is written, where RUN
    holds a training of another choice.
    """
    from tools.corpus.recipe_faults import recipe_faults
    from tools.files.run_lock import hold
    from tools.settings.makefile import write_makefile
    from tools.settings.profile import choose, recipe_path
    from tools.settings.resolve import resolve

    chosen = choose(profile, budget, recipe)
    for fault in recipe_faults(chosen.mix, recipe_path(chosen.recipe)):
        raise fault
    hold(run)
    given = {"given": records, "resume": resume == "auto", "init": init}
    written = resolve(run / "config", profile, budget, recipe, seed, cards, hbm, **given)
    write_makefile(run / "run.mk", chosen.settings, Path("material", profile))
    changed = [name for name, new in written.items() if new]
    if changed:
        click.echo(f"{run / 'config'}: {', '.join(changed)} changed")
    trained = (run / "finetune" / "run.json").is_file()
    if changed and records is None and not untrained and not trained:
        from tools.planning.forecast import run_forecast

        told = run_forecast(profile, budget, recipe, cards, hbm)
        click.echo(f"{run}: {told}" if told else "", nl=bool(told))
    if command:
        os.execvp(command[0], list(command))


if __name__ == "__main__":
    main()
