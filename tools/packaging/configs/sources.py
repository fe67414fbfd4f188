"""The source of classes, as syntax trees."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path
from typing import Any, Union


def definition(own: type, required: bool = True) -> Any:
    """The `class` statement of a class; None, or LookupError where required, without source."""
    try:
        module = tree(inspect.getsourcefile(own))
    except TypeError:
        module = ast.Module([], [])
    found = [n for n in ast.walk(module) if isinstance(n, ast.ClassDef) and n.name == own.__name__]
    if not found and required:
        raise LookupError(f"{own} has no source")
    return found[-1] if found else None


@cache
def tree(path: Union[str, Path]) -> ast.Module:
    return ast.parse(Path(path).read_text("utf-8"))
