"""Grade a submission: verify it, measure again, compare with its claims."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.grade submission/debias.zip

  python -m tools.grade debias.zip --depth score --test-set hidden.jsonl --output verdicts/debias
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.argument("package", metavar="ZIP", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--depth",
    type=click.Choice(["verify", "score", "reproduce"]),
    default="verify",
    show_default=True,
    help="verify: recompute every figure from what is packaged. score: and decode again with the "
    "packaged weights. reproduce: and train again from the recipe.",
)
@click.option("--output", type=_FOLDER, help="Of the verdict  [default: runs/grade/NAME]")
@click.option("--weights", type=_FILE, help="The merged weights of a package that only links them.")
@click.option("--base", type=_FILE, help="The base model: merging and its reading are measured.")
@click.option("--test-set", type=_FILE, help="Own problems with answers  [default: drawn anew]")
@click.option("--squad", type=_FILE, help="SQuAD 1.1 file  [default: the profile's]")
@click.option("--records", type=_FILE, help="MindRecord that was trained on, to reproduce with.")
@click.option("--seed", type=click.IntRange(1), help="Of the draw  [default: the zip's sha256]")
@click.option(
    "--per-kind",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Problems of each kind that are drawn.",
)
@click.option(
    "--device",
    type=click.Choice(["CPU", "Ascend"]),
    default="CPU",
    show_default=True,
    help="Where to decode.",
)
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json.")
def main(
    package: Path,
    output: Optional[Path],
    seed: Optional[int],
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure what a submission claims: claim, measured, difference, allowed.

    A zip is hostile until shown otherwise: what cannot be unpacked without harm is refused by
    name, and nothing of it is run, imported or unpickled. Exit code 1 where a claim does not hold.
    verdict.json and verdict.html go into --output.
    """
    # MindSpore's warnings say nothing that a grader could act on.
    os.environ.setdefault("GLOG_v", "3")
    from tools.packaging.grading import grader, verdict

    output = output or Path("runs") / "grade" / package.resolve().stem
    seed = seed or grader.seed_of(package)
    result = grader.grade(grader.Request(package, output, seed=seed, **asked))
    if as_json:
        click.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        click.echo(verdict.describe(result))
        click.echo(output / verdict.PAGE)
    if not result.passed:
        click.get_current_context().exit(1)


if __name__ == "__main__":
    main()
