"""Write down which keys the installed MindFormers accepts in a YAML file."""

from __future__ import annotations

from pathlib import Path

import click

from tools.cli import Command

_EXAMPLE = """
Example:

  python -m tools.schema --output tools/packaging/configs/schemas/mindformers-1.9.0.json
"""


@click.command(cls=Command, epilog=_EXAMPLE)
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file."
)
def main(output: Path) -> None:
    """Write down which keys, types and defaults the installed MindFormers accepts in a YAML file.

    `tools.check configs` reads the file, so that it neither imports MindFormers nor needs it.
    """
    from tools.packaging.configs.snapshot import write_snapshot

    click.echo(f"{output}: {write_snapshot(output)} classes")


if __name__ == "__main__":
    main()
