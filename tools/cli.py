"""What every script shares: `--debug`, and one line instead of a traceback.

Exit codes: 0 done, 1 a check says no, 2 bad input or usage.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Optional

import click

from tools.files.errors import UserError, from_os_error, visible
from tools.files.text import read_text


def _load_defaults(ctx: click.Context, _: click.Parameter, path: Optional[str]) -> None:
    if path is None:
        return
    try:
        values = json.loads(read_text(path))
    except UserError as error:
        raise click.UsageError(str(error), ctx) from None
    except FileNotFoundError:
        raise click.UsageError(f"{path}: no such file; make it with `make`", ctx) from None
    except OSError as error:
        raise click.UsageError(str(from_os_error(error)), ctx) from None
    except (ValueError, RecursionError):
        raise click.UsageError(f"{path}: not JSON; make it again with `make`", ctx) from None
    if not isinstance(values, dict):
        raise click.UsageError(f"{path}: not a JSON object; make it again with `make`", ctx)
    ctx.default_map = values


def config_option(command: Any) -> Any:
    """Add `--config FILE`: options that are not given are read from this JSON object.

    The resolved files of a run (runs/RUN/config/*.json) carry an option's value under its name,
    so that no recipe repeats what a profile says.
    """
    return click.option(
        "--config",
        is_eager=True,
        expose_value=False,
        callback=_load_defaults,
        metavar="FILE",
        help="JSON file with values for options that are not given.",
    )(command)


_DEBUG = click.Option(["--debug"], is_flag=True, help="Show the traceback of an error.")


class _OneLineErrors(click.Command):
    """Turns a UserError or OSError into `error: where: what; remedy` and its exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _DEBUG]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            # click before 8.2, all there is for Python 3.9, would end with exit code 0.
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        rest = super().parse_args(ctx, args)
        if ctx.params.pop("debug", False):
            ctx.find_root().meta["tools.debug"] = True
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Examples are command lines: click would re-wrap them into one paragraph.
        if self.epilog:
            formatter.write_paragraph()
            for line in self.epilog.strip("\n").splitlines():
                formatter.write_text(line) if line.strip() else formatter.write_paragraph()

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (UserError, OSError) as error:
            if ctx.find_root().meta.get("tools.debug"):
                raise
            refusal = from_os_error(error) if isinstance(error, OSError) else error
            click.echo(f"error: {visible(str(refusal))}", err=True)
            ctx.exit(refusal.exit_code)


class Command(_OneLineErrors):
    """A script with one purpose."""


class Group(_OneLineErrors, click.Group):
    """A script with subcommands; `@group.command()` makes them of the same kind."""

    command_class = Command


class Styles(click.ParamType):
    """Styles by kind, `multiply=schoolbook:4,function=direct:6s`; in a --config file an object."""

    name = "kind=style:n,…"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from tools.corpus.worked.styles import read_styles

        if not isinstance(value, dict):
            value = {
                kind: self._choice(text, param, ctx)
                for kind, _, text in (part.partition("=") for part in str(value).split(","))
            }
        return read_styles(value, "--styles")

    def _choice(self, text: str, param: Any, ctx: Any) -> Dict[str, Any]:
        style, _, places = text.partition(":")
        digits = places[:-1] if places.endswith("s") else places
        if digits and not (digits.isascii() and digits.isdigit() and int(digits) <= 20):
            self.fail(f"{places!r} is no number of places; write 4, or 6s for digits", param, ctx)
        count = int(digits) if digits else None
        significant = places.endswith("s")
        return {
            "style": style,
            "decimals": None if significant else count,
            "significant": count if significant else None,
        }


class Accuracy(click.ParamType):
    """A share: 0.7161, 71.61% or 71.61."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        text = str(value).strip()
        try:
            share = float(text.rstrip("%"))
        except ValueError:
            self.fail(f"{text!r} is not a number; write 0.7161 or 71.61%", param, ctx)
        # Nobody means 1 % by a bare 1: up to 1 it is a share, above it a percentage.
        if text.endswith("%") or share > 1:
            share /= 100
        if not 0 <= share <= 1:
            self.fail(f"{text} is not between 0 and 100 %", param, ctx)
        return share
