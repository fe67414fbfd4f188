"""Run one stage's command and record its wall time and peak memory."""

from __future__ import annotations

import click

from tools.cli import Command

_EPILOG = """Example:

python -m tools.stage --run runs/tiny --stage merge -- python -m tools.merge --help"""


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--run", type=click.Path(file_okay=False), required=True, help="The run's folder.")
@click.option("--stage", required=True, help="Its name: the record is RUN/stages/STAGE.json.")
@click.argument("command", nargs=-1, required=True)
def main(run: str, stage: str, command: tuple[str, ...]) -> None:
    """Run COMMAND and record its wall time and peak memory in RUN/stages/STAGE.json.

    The exit code is the command's own. A failed command leaves no record.
    """
    from tools.packaging.stages import record_stage

    raise SystemExit(record_stage(run, stage, command))


if __name__ == "__main__":
    main()
