"""Tell what this machine lacks for a run, before anything is spent."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Optional, Tuple

# Every option once, since there are two readers of them: click, and before `make setup`, when
# there is no click, the standard library's.
_OPTIONS: Tuple[Tuple[str, Dict[str, Any]], ...] = (
    (
        "--profile",
        {"metavar": "NAME", "default": "smollm2-135m", "help": "For configs/NAME/profile.yaml."},
    ),
    (
        "--run",
        {"metavar": "FOLDER", "help": "The run's folder  [default: runs/PROFILE-quick]"},
    ),
    (
        "--mirror",
        {"metavar": "FOLDER_OR_URL", "help": "Holds the artefacts (make: MIRROR=...)."},
    ),
    (
        "--cards",
        {"metavar": "N", "type": int, "help": "Workers  [default: the profile's]"},
    ),
    (
        "--python",
        {
            "metavar": "PYTHON",
            "default": "python3.11",
            "help": "What make setup would make .venv with (make: PYTHON_SYSTEM=...).",
        },
    ),
    (
        "--stack",
        {
            "metavar": "NAME",
            "default": "cpu",
            "help": "What make setup would install: requirements/NAME.txt (make: STACK=...).",
        },
    ),
    ("--offline", {"is_flag": True, "help": "Ask nothing of the network."}),
    ("--json", {"is_flag": True, "help": "Print JSON."}),
)
_EPILOG = """Example:

python -m tools.doctor --profile smollm2-135m

python -m tools.doctor --profile llama3-8b --cards 8 --json"""


def report(
    profile: str,
    run: Optional[str],
    mirror: Optional[str],
    cards: Optional[int],
    python: str,
    stack: str,
    offline: bool,
    as_json: bool,
) -> int:
    """Tell what this machine lacks for a run, before anything is spent.

    One line a check: ok, warning (slower, or little room), fault (`make all` would fail), or
    skipped, with the remedy. Exit code 1 if there is a fault. Runs with any Python from 3.9 on,
    before `make setup` too.
    """
    from tools.machine.examine import examine

    examination = examine(profile, run, mirror, cards, python, stack, offline)
    text = json.dumps(examination.as_json()) if as_json else str(examination)
    # A terminal that cannot show a character of a path shows its code.
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
    return 0 if examination.passes else 1


def _parameter(name: str) -> str:
    return "as_json" if name == "--json" else name[2:]


try:
    import click

    from tools.cli import Command
except ModuleNotFoundError:

    def main() -> None:
        """The same without click."""
        import argparse

        from tools.files.errors import UserError, from_os_error

        parser = argparse.ArgumentParser(
            prog="python -m tools.doctor",
            description=report.__doc__,
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for name, settings in _OPTIONS:
            given = {**settings}
            if given.pop("is_flag", False):
                given["action"] = "store_true"
            parser.add_argument(name, dest=_parameter(name), **given)
        try:
            code = report(**vars(parser.parse_args()))
        except (UserError, OSError) as error:
            refusal = from_os_error(error) if isinstance(error, OSError) else error
            print(f"error: {refusal}", file=sys.stderr)
            code = refusal.exit_code
        sys.exit(code)

else:

    @click.pass_context
    def _invoke(ctx: click.Context, **options: Any) -> None:
        ctx.exit(report(**options))

    main = Command(
        "doctor",
        callback=_invoke,
        params=[click.Option([name, _parameter(name)], **given) for name, given in _OPTIONS],
        help=report.__doc__,
        epilog=_EPILOG,
    )


if __name__ == "__main__":
    main()
