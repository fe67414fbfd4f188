"""Fetch the artefacts of a profile into material/, resumed and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.fetch --profile smollm2-135m --output material/smollm2-135m

  python -m tools.fetch --profile tiny --output material/tiny --mirror /mnt

  python -m tools.fetch --artifact llama3-tokenizer --output material/x
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--profile", metavar="NAME", help="Fetch what configs/NAME/profile.yaml lists.")
@click.option("--artifact", "ids", metavar="ID", multiple=True, help="Fetch this one; repeatable.")
@click.option(
    "--output",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder to fill; fetched.json is written there last.",
)
@click.option(
    "--mirror",
    metavar="FOLDER_OR_URL",
    help="Tried first: holds the files (or wheels, zips) under their own names.",
)
@click.option("--replace", is_flag=True, help="Fetch wrong files again instead of refusing.")
@click.option(
    "--configs",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder of artifacts.yaml and the profiles (default: the project's configs).",
)
def main(
    profile: Optional[str],
    ids: tuple[str, ...],
    output: Path,
    mirror: Optional[str],
    replace: bool,
    configs: Optional[Path],
) -> None:
    """Bring artefacts into a folder and verify their size and sha256.

    Files that are there already and right are left alone. A download that broke off goes on
    where it stopped. Without network, name a folder or URL that holds the files with --mirror
    (make: MIRROR=...).
    """
    if bool(profile) == bool(ids):
        raise click.UsageError("give either --profile or --artifact")
    from tools.files.fetching import fetch_artifacts
    from tools.files.progress import format_bytes
    from tools.settings.artifacts import CONFIGS, profile_ids, select_artifacts

    configs = configs or CONFIGS
    chosen = select_artifacts(profile_ids(profile, configs) if profile else ids, configs)
    fetched = fetch_artifacts(chosen, output, mirror or None, replace)
    for item in fetched:
        state = "verified" if item.verified else "sha256 not known beforehand"
        click.echo(f"{item.file}  {format_bytes(item.bytes)}  {item.sha256}  {state}")
    click.echo(f"{output}: {len(fetched)} file{'' if len(fetched) == 1 else 's'}")


if __name__ == "__main__":
    main()
