"""Check configs before they are run, and submissions before they are handed in."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import click

from tools.cli import Group


@click.group(cls=Group, epilog="Example:\n\npython -m tools.check configs configs")
def main() -> None:
    """Check configs before they are run, and submissions before they are handed in."""


@main.command(epilog="Example:\n\npython -m tools.check configs configs/tiny/finetune.yaml")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def configs(paths: Tuple[Path, ...]) -> None:
    """Check YAML files, or all below a folder, against their schema.

    A finetune.yaml is held against what MindFormers needs. Every fault is named as file:line;
    exit code 1 if there is any.
    """
    from tools.packaging.configs import check_configs

    count, faults = check_configs(paths)
    _print(faults, f"{count} file{'' if count == 1 else 's'} checked")


@main.command(epilog="Example:\n\npython -m tools.check submission submission/debias.zip")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def submission(path: Path) -> None:
    """Check a submission, a folder or a zip, without unpacking it.

    Every missing, empty, extra or altered file is named, and every absolute path and secret;
    exit code 1 if there is any.
    """
    from tools.packaging.inspection import check_submission

    _print(check_submission(path), f"{path}: complete and as its manifest says")


def _print(faults: List[str], good: str) -> None:
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        click.echo(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}", err=True)
        click.get_current_context().exit(1)
    click.echo(good)


if __name__ == "__main__":
    main()
