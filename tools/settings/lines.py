"""Read a YAML file, JSON included: its values, the line of each, and every fault with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple, Type, TypeVar, Union

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.files.errors import UserError
from tools.files.text import read_text

# A settings file is a few kilobytes; aliases could make a small one explode when it is looked at.
LARGEST_FILE = 1 << 20
MOST_VALUES = 20_000

Step = Union[str, int]


class Settings(BaseModel):
    """A model that refuses unknown keys, so that a misspelt one does not pass unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


AnySettings = TypeVar("AnySettings", bound=BaseModel)


class Yaml(NamedTuple):
    """What a YAML file holds, and the nodes that know the lines."""

    value: Any
    tree: Optional[yaml.Node]

    def get(self, *keys: Step) -> Any:
        """Return the value at nested keys, integers counting in lists; None where there is none."""
        value = self.value
        for key in keys:
            inside = value if isinstance(value, dict) else {}
            if isinstance(value, list) and isinstance(key, int):
                inside = dict(enumerate(value))
            value = inside.get(key)
        return value

    def line(self, *keys: Step) -> int:
        """Return the line, from 1, of the deepest of nested keys that the file holds."""
        node, line = self.tree, 1
        for key in keys:
            if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                found = [(item, item) for item in node.value[key : key + 1]]
            else:
                pairs = node.value if isinstance(node, yaml.MappingNode) else []
                found = [(own, child) for own, child in pairs if own.value == str(key)]
            if not found:
                break
            # Of a key that `<<` brings in and that is overwritten, the last counts.
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        return line


def read_settings_text(path: Union[str, Path]) -> str:
    """Return the text of a settings file; UserError where it is too large, or no UTF-8."""
    return read_text(path, LARGEST_FILE, "name a settings file")


def read_yaml(path: Union[str, Path]) -> Yaml:
    """Read a file of plain YAML. Raises UserError as `parse_yaml` does."""
    return parse_yaml(read_settings_text(path), path)


def parse_yaml(text: str, path: Union[str, Path]) -> Yaml:
    """Parse plain YAML: no object is built, and no key may stand twice.

    Raises UserError at `path:line` where it is none, or its aliases stand for too much.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        repeated: Dict[int, str] = {}
        if tree is not None:
            _count_values(tree, frozenset(), {}, repeated)
        if repeated:
            what = ", ".join(f"{key} in line {line}" for line, key in sorted(repeated.items()))
            where = f"{path}:{min(repeated)}"
            raise UserError(f"a key stands twice: {what}", where, "take one of the two out")
        constructor = yaml.constructor.SafeConstructor()
        return Yaml(None if tree is None else constructor.construct_document(tree), tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UserError(f"not valid YAML, {error.problem}", where, "correct the line") from error
    except RecursionError as error:
        raise UserError("not valid YAML, nested too deeply", path, "correct the file") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # A value that its tag or form does not allow: 2024-99-99.
        raise UserError("not valid YAML", path, "correct the file") from error


def _count_values(
    node: yaml.Node, above: FrozenSet[int], known: Dict[int, int], repeated: Dict[int, str]
) -> int:
    """How many values a node is with its aliases written out; the keys that stand twice."""
    if id(node) in above:
        problem = "an alias stands inside of what it stands for"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    if id(node) not in known:
        above, total, keys = above | {id(node)}, 1, set()
        for item in node.value if not isinstance(node, yaml.ScalarNode) else ():
            for child in item if isinstance(item, tuple) else (item,):
                total += _count_values(child, above, known, repeated)
            if isinstance(item, tuple) and isinstance(item[0], yaml.ScalarNode):
                if item[0].value in keys:
                    repeated[item[0].start_mark.line + 1] = repr(item[0].value[:40])
                keys.add(item[0].value)
        if total > MOST_VALUES:
            problem = f"holds more than {MOST_VALUES} values with its aliases written out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        known[id(node)] = total
    return known[id(node)]


def read_settings(path: Union[str, Path], model: Type[AnySettings]) -> AnySettings:
    """Read `path` as YAML and check it against `model`.

    Every fault is reported at once, as `key: what` in the order of the file.
    Raises UserError at `file:line` of the first fault.
    """
    content = read_yaml(path)
    try:
        return model.model_validate(content.value)
    except ValidationError as error:
        faults = validation_faults(content, error)
        what = "; ".join(what for _, what in faults)
        raise UserError(what, f"{path}:{faults[0][0]}", "correct the named keys") from error


def settings_faults(content: Yaml, model: Type[BaseModel]) -> List[Tuple[int, str]]:
    """Return what `model` does not accept of a file, each fault as (line, `key: what`)."""
    try:
        model.model_validate(content.value)
    except ValidationError as error:
        return validation_faults(content, error)
    return []


def validation_faults(content: Yaml, error: ValidationError) -> List[Tuple[int, str]]:
    """Return pydantic's faults with their lines; a missing key has its section's and comes last."""
    faults = sorted(
        (fault["type"] == "missing", content.line(*fault["loc"]), index, fault)
        for index, fault in enumerate(error.errors())
    )
    return [
        (line, f"{_dotted(fault['loc'])}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
        for _, line, _, fault in faults
    ]


def line_at(path: Union[str, Path], *keys: Step) -> int:
    """Return the line (from 1) of the deepest of nested `keys` that a YAML file holds."""
    return read_yaml(path).line(*keys)


def _dotted(location: Tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in location) or "file"
