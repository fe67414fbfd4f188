"""A Jinja template of submission/ filled in; a fault in it is one line that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

from tools.files.errors import UserError


def fill(
    path: Path, values: Dict[str, Any], autoescape: bool, finalize: Callable[[Any], Any]
) -> str:
    """Render the template at `path`; `finalize` is applied to every value that it shows.

    Raises UserError with file:line for a template that cannot be used, a name that `values`
    lacks among the reasons.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(path.read_text(encoding="utf-8")).render(values)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else str(path)
        raise UserError(f"the template cannot be used, {error}", where, "correct it") from error
