"""Read a YAML file into a pydantic model; every fault names its file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Tuple, Type, TypeVar, Union

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.files.errors import UserError

# A settings file is a few kilobytes; aliases could make a small one explode when it is built.
LARGEST_FILE = 1 << 20


class Settings(BaseModel):
    """A model that refuses unknown keys, so that a misspelt one does not pass unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


AnySettings = TypeVar("AnySettings", bound=BaseModel)


def read_settings(path: Union[str, Path], model: Type[AnySettings]) -> AnySettings:
    """Read `path` as YAML and check it against `model`.

    Every fault is reported at once, as `key: what` in the order of the file.
    Raises UserError at `file:line` of the first fault.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"larger than {LARGEST_FILE} bytes", path, "name a settings file")
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_aliases(text, path)
        value = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise UserError("not UTF-8 text", path, "save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UserError(f"not valid YAML, {error.problem}", where, "correct the line") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError("not valid YAML", path, "correct the file") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # A missing key has no line of its own, only that of what should hold it: those come last.
        faults = sorted(
            (fault["type"] == "missing", _line_of(tree, fault["loc"]), index, fault)
            for index, fault in enumerate(error.errors())
        )
        what = "; ".join(
            f"{_dotted(fault['loc'])}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
            for *_, fault in faults
        )
        raise UserError(what, f"{path}:{faults[0][1]}", "correct the named keys") from error


def line_at(path: Union[str, Path], *keys: Union[str, int]) -> int:
    """Return the line (from 1) of the deepest of nested `keys` that a YAML file holds."""
    return _line_of(yaml.compose(Path(path).read_text("utf-8"), Loader=yaml.SafeLoader), keys)


def _refuse_aliases(text: str, path: Path) -> None:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            where = f"{path}:{event.start_mark.line + 1}"
            raise UserError("YAML aliases are not read", where, "write the value out")


def _dotted(location: Tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in location) or "file"


def _line_of(tree: Optional[yaml.Node], location: Tuple[Any, ...]) -> int:
    """The line (from 1) of the deepest node on `location` that the file holds."""
    node, line = tree, 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, child) for key, child in node.value if key.value == str(step)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            if step >= len(node.value):
                break
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
