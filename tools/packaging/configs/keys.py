"""A MindFormers YAML held against a schema: unknown keys and types, values of the wrong type."""

from __future__ import annotations

import difflib
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple

import yaml

from tools.packaging.configs.document import Document, Found, pairs, scalar
from tools.packaging.configs.schema import Keys, Schema
from tools.packaging.configs.signatures import ANY, OTHERS, Key

# What each section's `type` names a class of. `*` stands for any entry of a list.
_KINDS: Dict[Tuple[str, ...], str] = {
    ("trainer",): "trainer",
    ("optimizer",): "optimizer",
    ("lr_schedule",): "lr",
    ("runner_wrapper",): "wrapper",
    ("runner_wrapper", "scale_sense"): "wrapper",
    ("callbacks", "*"): "callback",
    ("eval_callbacks", "*"): "callback",
    ("metric",): "metric",
    ("metric", "*"): "metric",
    ("processor",): "processor",
    ("processor", "tokenizer"): "tokenizer",
    ("train_dataset_task",): "dataset",
    ("eval_dataset_task",): "dataset",
    ("model", "model_config"): "config",
    ("model", "model_config", "pet_config"): "pet",
    ("model", "arch"): "models",
}
# Below a data set, wherever it stands.
_DATA_KINDS = {"data_loader": "dataset_loader", "tokenizer": "tokenizer"}
_DATA = ("train_dataset", "eval_dataset")
_SELECTORS = {"pet": "pet_type"}
# What MindFormers' registry reads itself wherever a type is named.
_REGISTRY = {"type": Key(("str",)), "auto_register": Key(("str",))}
_WORDS = {
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "dict": "a section",
    "none": "nothing",
}
Path = Tuple[str, ...]


def key_faults(document: Document, schema: Schema) -> Iterator[Found]:
    """Every key that MindFormers does not know, with the nearest it does, and every wrong type.

    An unknown key is a fault, not a warning: MindFormers mostly passes over it without a word,
    and what was to be set keeps its default.
    """
    yield from _Walk(document, schema).section((), document.tree)


class _Walk:
    def __init__(self, document: Document, schema: Schema) -> None:
        self.document, self.schema = document, schema
        # Aliases make a section occur twice, even inside of itself.
        self.seen: Set[int] = set()

    def section(self, path: Path, node: Optional[yaml.Node], line: int = 1) -> Iterator[Found]:
        if node is None or id(node) in self.seen:
            return
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from self.section((*path, "*"), item, item.start_mark.line + 1)
        if not isinstance(node, yaml.MappingNode):
            return
        faults: List[Found] = []
        known = self._known(path, node, line, faults)
        yield from faults
        owner = self._owner(path, node)
        for key, child in pairs(node):
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                yield at, f"a key of {_dotted(path) or 'the file'} is no name"
                continue
            name = _dotted((*path, key.value))
            if known is not None and key.value not in known and OTHERS not in known:
                yield at, f"{name} is unknown to {owner}; {_nearest(key.value, known)}"
                continue
            types = ANY if known is None else known.get(key.value, Key(ANY)).types
            wrong = _wrong_type(name, child, types)
            if wrong:
                yield at, wrong
            else:
                yield from self.section((*path, key.value), child, at)

    def _known(self, path: Path, node: yaml.Node, line: int, faults: List[Found]) -> Optional[Keys]:
        """The keys that a section may have; None where nothing tells."""
        sections = self.schema.sections
        if not path:
            return sections[""]
        if (path[-1] in _DATA and len(path) == 1) or path[-1] == "dataset_config":
            name = path[0].replace("_task", "")
            task = scalar(self.document.node(f"{name}_task", "type"))
            return {**sections.get(name, {}), **self.schema.types["dataset"].get(str(task), {})}
        kind = self._kind(path)
        if kind is None:
            return sections.get(path[-1]) if len(path) == 1 else None
        selector = _SELECTORS.get(kind, "type")
        own = {key.value: child for key, child in pairs(node) if isinstance(key, yaml.ScalarNode)}
        chosen = scalar(own.get(selector))
        if "auto_register" in own or (path == ("processor",) and selector not in own):
            return None
        classes = self.schema.types[kind]
        if chosen not in classes:
            what, at = f"lacks {selector}", line
            if selector in own:
                what = f"{selector} {chosen!r} is unknown to {self.schema.about}"
                at = own[selector].start_mark.line + 1
            faults.append((at, f"{_dotted(path)} {what}; {_nearest(str(chosen), classes)}"))
            return None
        extra = sections.get("data_loader", {}) if kind == "dataset_loader" else {}
        return {**_REGISTRY, **extra, **classes[chosen]}

    def _kind(self, path: Path) -> Optional[str]:
        inside = path[:-1] in ((name,) for name in _DATA) or path[-2:-1] == ("dataset_config",)
        return _DATA_KINDS.get(path[-1]) if inside else _KINDS.get(path)

    def _owner(self, path: Path, node: yaml.Node) -> str:
        kind = self._kind(path) if path else None
        chosen = self._chosen(node, kind)
        return f"{chosen} of {self.schema.about}" if chosen else self.schema.about

    @staticmethod
    def _chosen(node: yaml.Node, kind: Optional[str]) -> Optional[str]:
        selector = _SELECTORS.get(str(kind), "type")
        found = [child for key, child in pairs(node) if key.value == selector]
        value = scalar(found[-1]) if found and kind else None
        return value if isinstance(value, str) else None


def _wrong_type(name: str, node: yaml.Node, types: Tuple[str, ...]) -> Optional[str]:
    """What is wrong with a value; None where it is of one of `types`."""
    if "any" in types or _type_of(node) in types:
        return None
    found = _type_of(node)
    # Nothing stands for the empty text, and for a section or list without entries.
    if found == "none" and {"str", "list", "dict"} & {*types}:
        return None
    if found == "int" and "float" in types:
        return None
    wanted = " or ".join(_WORDS[kind] for kind in types if kind != "none")
    value = scalar(node)
    if found in ("list", "dict"):
        return f"{name} is {_WORDS[found]}, not {wanted}"
    if found != "str":
        shown = "empty" if value is None else repr(value)
        more = "; put it into quotes" if "str" in types else ""
        return f"{name} is {shown}, not {wanted}{more}"
    return f"{name} is the text {value[:40]!r}, not {wanted}{_as_meant(node, types)}"


def _as_meant(node: yaml.ScalarNode, types: Iterable[str]) -> str:
    """How a text that looks like a number or a truth value has to be written."""
    text = node.value.strip()
    if "bool" in types and text.lower() in ("true", "false"):
        return f"; write {text.capitalize()} without quotes"
    try:
        number = float(text)
    except ValueError:
        return ""
    if "float" not in types:
        return f"; write {text} without quotes" if text.lstrip("+-").isdigit() else ""
    shown = repr(number)
    if "e" in shown and "." not in shown:
        # YAML takes 1e-08 for text.
        shown = shown.replace("e", ".0e")
    return f"; write {shown} without quotes, which YAML takes for a number"


def _type_of(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "list"
    if isinstance(node, yaml.MappingNode):
        return "dict"
    value: Any = scalar(node)
    name = "none" if value is None else type(value).__name__
    return name if name in _WORDS else "str"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    same = [other for other in names if other.lower() == name.lower()]
    found = same or difflib.get_close_matches(name, names, 1)
    if found:
        return f"did you mean {found[0]}?"
    return f"known: {', '.join(sorted(names))}" if len(names) <= 12 else "take it out"


def _dotted(path: Path) -> str:
    return ".".join(step for step in path if step != "*")
