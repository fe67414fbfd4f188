"""Write the contest's configs, filled in for MindFormers' own scripts."""

from __future__ import annotations

from pathlib import Path

import click

from tools.cli import Command

_EXAMPLE = """
Example:

  python -m tools.configs --profile llama3-8b --output configs/llama3-8b/contest
"""


@click.command(cls=Command, epilog=_EXAMPLE)
@click.option("--profile", default="llama3-8b", show_default=True, help="Folder under configs/.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder  [default: contest/ beside the profile]",
)
def main(profile: str, output: Path) -> None:
    """Write the contest's configs: fine-tuning on 4 and 8 cards, the baseline, the evaluations.

    `make` needs none of them: it fills finetune.yaml in itself. They are for those who start
    MindFormers' own run_mindformer.py.
    """
    from tools.settings.contest_files import write_contest_files
    from tools.settings.profile import profile_folder

    output = output or profile_folder(profile) / "contest"
    names = write_contest_files(profile, output)
    click.echo(f"{output}: {', '.join(names)}")


if __name__ == "__main__":
    main()
