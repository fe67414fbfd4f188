"""Write a run's report: report.md, report.html and the figures."""

from __future__ import annotations

from pathlib import Path

import click

from tools.cli import Command

_EPILOG = "Example:\n\npython -m tools.report --run runs/tiny --output runs/tiny/report"


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--run", type=click.Path(path_type=Path), required=True, help="The run's folder.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder."
)
def main(run: Path, output: Path) -> None:
    """Write report.md, report.html (one file, two languages, readable offline) and figures.

    Everything in them is read from the run's files. A model that is not eligible is exit code 0
    here: the report says so.
    """
    from tools.packaging.page import opening, verdict, words_of, write_report

    facts = write_report(run, output)
    words = words_of(facts, "en")
    for line in (opening(facts, words), *verdict(facts, words)):
        click.echo(line)
    click.echo(f"{output}: report.md, report.html, hashes.json, 3 figures")


if __name__ == "__main__":
    main()
