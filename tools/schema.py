"""Write down which keys the installed MindFormers accepts in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EXAMPLE = """
Example:

  python -m tools.schema --output tools/packaging/configs/schemas/pypi.json
  python -m tools.schema --source ../mindformers
    --output tools/packaging/configs/schemas/contest.json
"""


@click.command(cls=Command, epilog=_EXAMPLE)
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file."
)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds mindformers/, as the contest's does; without it, the installed one.",
)
def main(output: Path, source: Optional[Path]) -> None:
    """Write down which keys, types and defaults the installed MindFormers accepts in a YAML file.

    `tools.check configs` reads the file, so that it neither imports MindFormers nor needs it.
    """
    from tools.packaging.configs.snapshot import write_snapshot

    click.echo(f"{output}: {write_snapshot(output, source)} classes")


if __name__ == "__main__":
    main()
