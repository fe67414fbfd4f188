"""What of MindFormers our code stands on: the names that tools/llama/stack.py imports.

Recorded with each schema, so that a test can hold our code against a release that is not there.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Tuple

from tools.packaging.configs.sources import tree

_STACK = Path(__file__).resolve().parents[2] / "llama" / "stack.py"
Signatures = Dict[str, List[str]]  # a method's name, "" for the constructor or function itself


def imported_names() -> Iterator[Tuple[str, str]]:
    """(module, name) of every import from MindFormers in stack.py."""
    for node in ast.walk(tree(_STACK)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "mindformers":
            for alias in node.names:
                yield str(node.module), alias.name


def take_used() -> Dict[str, Signatures]:
    """`module.name` → the parameters of what it is, and of its methods, in the MindFormers at hand.

    Of a class, the methods that MindFormers itself defines; of a module, its classes' names.
    """
    found = {}
    for module, name in sorted(set(imported_names())):
        member = getattr(importlib.import_module(module), name, None)
        if member is None:
            member = importlib.import_module(f"{module}.{name}")
        found[f"{module}.{name}"] = _signatures(member)
    return found


def _signatures(member: Any) -> Signatures:
    if isinstance(member, ModuleType):
        return {name: [] for name in sorted(vars(member)) if not name.startswith("_")}
    if not callable(member):
        return {}
    own = {"": _parameters(member)}
    if inspect.isclass(member):
        for name, method in inspect.getmembers(member, callable):
            theirs = getattr(method, "__module__", None) or ""
            if not name.startswith("_") and theirs.startswith("mindformers"):
                own[name] = _parameters(method)
    return own


def _parameters(function: Any) -> List[str]:
    """Names in order, `*` and `**` before those that take any; `self` left out."""
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [marks.get(p.kind, "") + p.name for p in parameters if p.name not in ("self", "cls")]
