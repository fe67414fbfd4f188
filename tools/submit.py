"""Make the submission of a run: a folder, and a zip of it."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """Example:

python -m tools.submit --run runs/tiny --team debias --output submission"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--run", type=click.Path(path_type=Path), required=True, help="The run's folder.")
@click.option("--team", required=True, help="Letters, digits, Chinese characters, - and _.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder."
)
@click.option("--weights-url", help="Put this link in, not the merged weights themselves.")
def main(run: Path, team: str, output: Path, weights_url: Optional[str]) -> None:
    """Make OUTPUT/TEAM/ and OUTPUT/TEAM.zip, checked before they appear.

    The run's report must be written. Exit code 1 where `tools.check submission` would refuse
    the package: then nothing is made.
    """
    from tools.packaging.submission import build_submission, describe

    click.echo(describe(build_submission(run, team, output, weights_url)))


if __name__ == "__main__":
    main()
