"""The keys that MindFormers accepts, from a committed snapshot, and those of our own classes.

A schema is data: `schemas/NAME.json` is what `python -m tools.schema` reads off an installed
MindFormers, so that another version takes another file and no code.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

import yaml

from tools.packaging.configs.document import Document, pairs
from tools.packaging.configs.signatures import (
    ANY,
    NO_DEFAULT,
    Key,
    chains,
    constructor_keys,
    merge,
)
from tools.settings.stacks import CONTEST, PYPI

SCHEMAS = Path(__file__).with_name("schemas")
Keys = Dict[str, Key]

# Documented as a whole number, and divided as any other: rsLoRA's is not whole (docs/training.md).
_REAL = {"pet": ("lora_alpha",)}

_TRAINING = Path(__file__).resolve().parents[2] / "training"
_REGISTER = "MindFormerRegister.register("


class Schema(NamedTuple):
    """Sections by name ("" is the file itself), and classes by kind and by the name in `type`."""

    about: str
    run_modes: List[str]
    sections: Dict[str, Keys]
    types: Dict[str, Dict[str, Keys]]

    def default(self, kind: str, name: Any, key: str) -> Any:
        """What a class takes for a key that is not given; None where that is not known."""
        found = self.types[kind].get(str(name), {}).get(key, Key(ANY)).default
        return None if found is NO_DEFAULT else found


@cache
def read_schema(stack: str = PYPI) -> Schema:
    """The committed schema of a release, CONTEST or PYPI, with our own classes."""
    return schema_of(_snapshot(stack))


@cache
def _snapshot(stack: str) -> Dict[str, Any]:
    return json.loads((SCHEMAS / f"{stack}.json").read_text("utf-8"))


def schema_for(document: Document) -> Schema:
    """The schema of the release that a file is written for.

    That is the contest's where the file names a class that only the contest's has, as its
    optimiser and its way to save checkpoints are; PyPI's otherwise.
    """
    named = set(_types_named(document.tree, set()))
    contest, pypi = map(_class_names, (CONTEST, PYPI))
    return read_schema(CONTEST if named & (contest - pypi) else PYPI)


def _class_names(stack: str) -> Set[str]:
    return {name for classes in _snapshot(stack)["types"].values() for name in classes}


def _types_named(node: Any, seen: Set[int]) -> Iterator[str]:
    # Aliases make nodes occur twice, even inside of themselves.
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _types_named(item, seen)
    for key, child in pairs(node):
        if key.value == "type" and isinstance(child, yaml.ScalarNode):
            yield child.value
        yield from _types_named(child, seen)


def schema_of(snapshot: Dict[str, Any]) -> Schema:
    """A schema from what `take_snapshot` gives, with our own classes."""
    types = {
        kind: {name: _keys(keys) for name, (_, keys) in classes.items()}
        for kind, classes in snapshot["types"].items()
    }
    for kind, names in _REAL.items():
        for keys in types.get(kind, {}).values():
            keys.update({n: keys[n].merged(Key(("float",))) for n in names if n in keys})
    sources = [path.read_text("utf-8") for path in sorted(_TRAINING.rglob("*.py"))]
    trees = [ast.parse(source) for source in sources]
    for kind, name, keys in own_classes(trees):
        # LoRA+ stands on an optimiser that the release may not have.
        if name.replace("LoraPlus", "") in types[kind] or not name.startswith("LoraPlus"):
            types[kind][name] = keys
    for keys in types["config"].values():
        merge(keys, own_model_keys(trees))
    return Schema(
        f"MindFormers {snapshot['mindformers']}",
        snapshot["run_modes"],
        {name: _keys(keys) for name, keys in snapshot["sections"].items()},
        types,
    )


def own_classes(trees: List[ast.Module]) -> Iterator[Tuple[str, str, Keys]]:
    """(kind, name, keys) of each class that `trees` register with MindFormers.

    The decorator is `@MindFormerRegister.register(MindFormerModuleType.OPTIMIZER)`.
    """
    for tree in trees:
        for node in tree.body:
            for decorator in getattr(node, "decorator_list", []):
                text = ast.unparse(decorator)
                if isinstance(node, ast.ClassDef) and text.startswith(_REGISTER):
                    kind = text[len(_REGISTER) :].rstrip(")").rpartition(".")[2].lower()
                    yield kind, node.name, constructor_keys([node])


def own_model_keys(trees: List[ast.Module]) -> Keys:
    """What our models ask of the model's config beyond MindFormers' keys: `getattr(config, …)`."""
    return {
        names[1]: Key(ANY)
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "getattr"
        for names in chains(call)
        if names[0] == "config" and len(names) == 2
    }


def _keys(entries: Dict[str, List[Any]]) -> Keys:
    return {name: Key(tuple(types.split("|")), *rest) for name, (types, *rest) in entries.items()}
