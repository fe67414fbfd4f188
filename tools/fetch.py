"""Fetch the artefacts of a profile into material/, resumed and verified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.fetch --profile smollm2-135m --output material/smollm2-135m

  python -m tools.fetch --profile tiny --output material/tiny --mirror /mnt,http://files/contest

  python -m tools.fetch --artifact llama3-tokenizer --output material/x

  python -m tools.fetch --list
"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--profile", metavar="NAME", help="Fetch what configs/NAME/profile.yaml lists.")
@click.option("--artifact", "ids", metavar="ID", multiple=True, help="Fetch this one; repeatable.")
@click.option("--list", "listed", is_flag=True, help="List what there is; fetch nothing.")
@click.option(
    "--output",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder to fill; fetched.json is written there last.",
)
@click.option(
    "--mirror",
    metavar="FOLDERS_OR_URLS",
    help="Tried first, in order: hold the files (or wheels, zips) under their own names.",
)
@click.option("--replace", is_flag=True, help="Fetch wrong files again instead of refusing.")
@click.option(
    "--accept",
    metavar="ID",
    multiple=True,
    help="Of this one, let what is found now replace its entry in artifacts.lock; repeatable.",
)
@click.option(
    "--configs",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder of artifacts.yaml and the profiles (default: the project's configs); "
    "artifacts.lock lies beside it.",
)
def main(
    profile: Optional[str],
    ids: Sequence[str],
    listed: bool,
    output: Optional[Path],
    mirror: Optional[str],
    replace: bool,
    accept: tuple[str, ...],
    configs: Optional[Path],
) -> None:
    """Bring artefacts into a folder and verify their size and sha256.

    Files that are there already and right are left alone. A download that broke off goes on
    where it stopped. Without network, name a folder or URL that holds the files with --mirror
    (make: MIRROR=...). Where no sha256 is published, what came first counts: artifacts.lock.
    """
    if bool(profile) + bool(ids) + listed != 1:
        raise click.UsageError("give either --profile or --artifact, or --list")
    from tools.settings.artifacts import read_artifacts, select_artifacts
    from tools.settings.profile import CONFIGS, profile_folder, read_profile

    configs = configs or CONFIGS
    if listed:
        from tools.files.artifact import list_artifacts
        from tools.files.pins import LOCK

        known = read_artifacts(configs / "artifacts.yaml").values()
        click.echo(list_artifacts(known, configs.resolve().parent / LOCK))
        return
    if output is None:
        raise click.UsageError("give --output")
    from tools.files.fetching import fetch_artifacts
    from tools.files.pins import LOCK
    from tools.files.progress import format_bytes

    if profile:
        ids = read_profile(profile_folder(profile, configs) / "profile.yaml").artifacts
    chosen = select_artifacts(ids, configs)
    lock = configs.resolve().parent / LOCK
    fetched = fetch_artifacts(chosen, output, mirror, replace, lock, accept)
    for item in fetched:
        state = "verified" if item.verified else f"first seen, or as in {LOCK}"
        click.echo(f"{item.file}  {format_bytes(item.bytes)}  {item.sha256}  {state}")
    click.echo(f"{output}: {len(fetched)} file{'' if len(fetched) == 1 else 's'}")


if __name__ == "__main__":
    main()
