"""What every script shares: `--debug`, and one line instead of a traceback.

Exit codes: 0 done, 1 a check says no, 2 bad input or usage.
"""

from __future__ import annotations

from typing import Any

import click

from tools.files.errors import UserError, from_os_error

_DEBUG = click.Option(["--debug"], is_flag=True, help="Show the traceback of an error.")


class _OneLineErrors(click.Command):
    """Turns a UserError or OSError into `error: where: what; remedy` and its exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), _DEBUG]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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
            click.echo(f"error: {refusal}", err=True)
            ctx.exit(refusal.exit_code)


class Command(_OneLineErrors):
    """A script with one purpose."""


class Group(_OneLineErrors, click.Group):
    """A script with subcommands; `@group.command()` makes them of the same kind."""

    command_class = Command
