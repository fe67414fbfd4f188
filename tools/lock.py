"""Hold a run for one command and everything that it starts."""

from __future__ import annotations

from pathlib import Path

import click

from tools.cli import Command


@click.command(
    cls=Command,
    epilog="\nExample:\n\n  python -m tools.lock runs/R -- make report\n",
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def main(folder: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND while nothing else may write into FOLDER; exit 2 if something does already."""
    from tools.files.lock import exec_locked

    exec_locked(folder, command)


if __name__ == "__main__":
    main()
