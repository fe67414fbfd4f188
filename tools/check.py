"""Check configs before they are run, corpora before they are learnt from, submissions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import click

from tools.cli import Group, Styles

_CORPUS = """
Example:

  python -m tools.check corpus runs/R/corpus/*.jsonl

  python -m tools.check corpus rows.jsonl --styles multiply=schoolbook:4,divide=schoolbook:4
"""


@click.group(cls=Group, epilog="Example:\n\npython -m tools.check configs configs")
def main() -> None:
    """Check configs before they are run, corpora before they are learnt from, submissions."""


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


@main.command(epilog=_CORPUS)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--styles", type=Styles(), help="As they were made with  [default: corpus.json's]")
def corpus(paths: Tuple[Path, ...], styles: Optional[Dict[str, Any]]) -> None:
    """Recompute the rows of a corpus: each answer, and each line of each worked solution.

    The corpus.json beside a file says in what style its kinds are worked out, or --styles does.
    Every fault is named by file, row and line; exit code 1 if there is any.
    """
    from tools.corpus.verify import recorded_styles, verify_rows
    from tools.files.progress import progress

    count, faults = 0, []
    for path in paths:
        known = styles or recorded_styles(path.parent)
        with progress(f"check {path.name}", None, "rows") as bar:
            for rows, found in verify_rows(path, known):
                count, faults = count + rows, faults + found
                bar.advance(rows)
    _print(faults, f"{count} rows recomputed")


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
