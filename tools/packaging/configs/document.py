"""A YAML file as it was composed: every value with its line, aliases and merges followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List, Optional, Set, Tuple, Union

import yaml

from tools.settings.lines import LARGEST_FILE

Found = Tuple[int, str]  # line from 1, what is wrong
Step = Union[str, int]
MERGE = "tag:yaml.org,2002:merge"


class NotYaml(Exception):
    """A text that is no YAML; `line` is None where the parser does not say."""

    def __init__(self, what: str, line: Optional[int] = None) -> None:
        super().__init__(what)
        self.what, self.line = what, line


def compose(text: str) -> Document:
    """Parse YAML, JSON included, without building any object. Raises NotYaml."""
    try:
        return Document(yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not valid YAML, {error.problem}"
        raise NotYaml(what, mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise NotYaml("not valid YAML") from error


def read(path: Path) -> Tuple[str, Document]:
    """The text of a file and what it is composed of. Raises NotYaml, and OSError."""
    if path.stat().st_size > LARGEST_FILE:
        raise NotYaml(f"larger than {LARGEST_FILE} bytes")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise NotYaml("not UTF-8 text") from error
    return text, compose(text)


class Document:
    """Asked by the path of a key: `document.value("optimizer", "eps")`; integers count in lists."""

    def __init__(self, tree: Optional[yaml.Node]) -> None:
        self.tree = tree

    def node(self, *path: Step) -> Optional[yaml.Node]:
        return self._walk(path)[0]

    def has(self, *path: Step) -> bool:
        return self.node(*path) is not None

    def line(self, *path: Step) -> int:
        """The line of the deepest key on `path` that the file holds."""
        return self._walk(path)[1]

    def value(self, *path: Step, default: Any = None) -> Any:
        """A scalar, or a list of scalars; `default` where the key is absent."""
        node = self.node(*path)
        if isinstance(node, yaml.SequenceNode):
            return [scalar(item) for item in node.value]
        return default if node is None else scalar(node)

    def section(self, *path: Step) -> dict:
        """The scalars and lists of scalars in a section; empty where there is none."""
        return {name: self.value(*path, name) for name in self.names(*path)}

    def names(self, *path: Step) -> List[str]:
        """The keys of a section that are text, in the order of the file."""
        keys = (key for key, _ in pairs(self.node(*path)))
        return list(dict.fromkeys(key.value for key in keys if isinstance(key, yaml.ScalarNode)))

    def _walk(self, path: Tuple[Step, ...]) -> Tuple[Optional[yaml.Node], int]:
        node, line = self.tree, 1
        for step in path:
            if isinstance(step, int):
                items = node.value if isinstance(node, yaml.SequenceNode) else []
                if step >= len(items):
                    return None, line
                node, line = items[step], items[step].start_mark.line + 1
                continue
            found = [(key, child) for key, child in pairs(node) if key.value == step]
            if not found:
                return None, line
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        return node, line


def pairs(node: Optional[yaml.Node]) -> Iterator[Tuple[yaml.Node, yaml.Node]]:
    """Keys and values of a mapping, what `<<` merges in first: a key's last value counts."""
    yield from _pairs(node, set())


def _pairs(node: Optional[yaml.Node], above: Set[int]) -> Iterator[Tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode) or id(node) in above:
        return
    own = []
    for key, child in node.value:
        if key.tag != MERGE:
            own.append((key, child))
            continue
        # Of several merged mappings the first counts most.
        merged = child.value[::-1] if isinstance(child, yaml.SequenceNode) else [child]
        for item in merged:
            yield from _pairs(item, {*above, id(node)})
    yield from own


def scalar(node: Optional[yaml.Node]) -> Any:
    """A scalar's value as YAML resolves it; None for anything else."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError):
        return node.value


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
