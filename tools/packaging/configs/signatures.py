"""What a class takes, read from its source: names, types and defaults, without importing it.

`inspect.signature` would need the import, and sees `(*args, **kwargs)` where a decorator stands
before the constructor, as it does for MindSpore's optimisers.
"""

from __future__ import annotations

import ast
import keyword
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

NO_DEFAULT = object()
# In place of a name: further ones are passed on, and nothing tells which.
OTHERS = "**"
ANY = ("any",)
# In the order in which they are written.
TYPES = ("bool", "int", "float", "str", "list", "dict", "none")

_NAMES = {
    **{name: name for name in TYPES[:-1]},
    **dict.fromkeys(("string", "path"), "str"),
    **dict.fromkeys(("tuple", "Iterable", "Sequence"), "list"),
    **dict.fromkeys(("List", "Tuple", "Set", "set"), "list"),
    **dict.fromkeys(("Dict", "Mapping"), "dict"),
    **dict.fromkeys(("None", "none"), "none"),
}
# What MindFormers itself hands to the classes that a config names.
GIVEN = {"self", "cls", "params", "network", "optimizer", "backbone"}
_DOCUMENTED = re.compile(r"^\s*(?:- )?`{0,2}([A-Za-z_]\w*)`{0,2} ?\(((?:[^()]|\([^()]*\))+)\)\s*:")


class Key(NamedTuple):
    """A key of a config: the types its value may have, and what it is without one."""

    types: Tuple[str, ...]
    default: Any = NO_DEFAULT

    def merged(self, other: Key) -> Key:
        """This key, which another source knows too: either's types, this one's default first."""
        types = _ordered({*self.types, *other.types} - {"any"}) or ANY
        return Key(types, other.default if self.default is NO_DEFAULT else self.default)


def merge(into: Dict[str, Key], keys: Dict[str, Key]) -> None:
    for name, key in keys.items():
        into[name] = into[name].merged(key) if name in into else key


def constructor_keys(classes: Sequence[ast.ClassDef]) -> Dict[str, Key]:
    """What a class takes by name; `classes` are itself and its bases, in the order of lookup.

    Where a constructor takes **kwargs, the names that it takes out of them count, and those of
    the next class. Where it hands them to anything else, OTHERS stands among the keys.
    """
    keys: Dict[str, Key] = {}
    documented: Dict[str, Tuple[str, ...]] = {}
    for node in classes:
        documented = {**documented_types(ast.get_docstring(node)), **documented}
        constructor = _constructor(node)
        if constructor is None:
            continue
        arguments = constructor.args
        own = {**documented, **documented_types(ast.get_docstring(constructor))}
        for name, key in _arguments(arguments, own):
            keys.setdefault(name, key)
        if arguments.kwarg is None:
            break
        for name in _taken(constructor, arguments.kwarg.arg):
            keys.setdefault(name, Key(own.get(name, ANY)))
        if _passes_on(constructor, arguments.kwarg.arg):
            keys[OTHERS] = Key(ANY)
    return {n: key for n, key in keys.items() if n not in GIVEN and not n.startswith("_")}


def field_keys(node: ast.ClassDef) -> Dict[str, Key]:
    """The assignments in a class's body that are public, as MindFormers' templates use them."""
    keys = {}
    for item in node.body:
        if not isinstance(item, ast.Assign) or not isinstance(item.targets[0], ast.Name):
            continue
        name, default = item.targets[0].id, _literal(item.value)
        if not name.startswith("_"):
            keys[name] = Key(_types_of(default), default)
    return keys


def documented_types(text: Optional[str], nested: bool = True) -> Dict[str, Tuple[str, ...]]:
    """Types in a docstring of Google's form: `name (Union[int, str], optional): …`.

    nested   those in the lists below an argument too; MindFormers lists keyword arguments so.
    """
    found: Dict[str, Tuple[str, ...]] = {}
    for line in (text or "").splitlines():
        match = _DOCUMENTED.match(line)
        if match and (nested or re.match(r" {4}\w", line)):
            text_of_type = re.split(r",? *\*?(?:optional|default)", match[2])[0]
            found.setdefault(match[1], _parse_types(text_of_type))
    return found


def chains(tree: ast.AST) -> Iterator[Tuple[str, ...]]:
    """Every dotted name that is read: `self.config.seed` and `config.get("seed")` alike."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in called:
            yield from _chain(node)
        elif isinstance(node, ast.Subscript):
            yield from _chain(node.value, _word(node.slice))
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            yield from _chain(node.comparators[0], _word(node.left))
        elif isinstance(node, ast.Call) and node.args:
            called_name = node.func
            if isinstance(called_name, ast.Attribute) and called_name.attr in _READERS:
                yield from _chain(called_name.value, _word(node.args[0]))
            elif getattr(called_name, "id", "") in _ASKERS and len(node.args) > 1:
                yield from _chain(node.args[0], _word(node.args[1]))


_READERS = ("get", "get_value", "pop")
_ASKERS = ("getattr", "hasattr")


def _chain(node: ast.AST, last: Optional[str] = "") -> Iterator[Tuple[str, ...]]:
    names: List[str] = list(reversed(last.split("."))) if last else []
    if last is None:
        return
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        yield (node.id, *reversed(names))


def _word(node: ast.AST) -> Optional[str]:
    """A constant text; None for anything else."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and value else None


def _constructor(node: ast.ClassDef) -> Optional[ast.FunctionDef]:
    found = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    return found.get("__init__") or found.get("__new__")


def _arguments(
    arguments: ast.arguments, documented: Dict[str, Tuple[str, ...]]
) -> Iterator[Tuple[str, Key]]:
    named = arguments.posonlyargs + arguments.args
    padding: List[Optional[ast.expr]] = [None] * (len(named) - len(arguments.defaults))
    defaults = [*padding, *arguments.defaults, *arguments.kw_defaults]
    for argument, node in zip(named + arguments.kwonlyargs, defaults):
        default = NO_DEFAULT if node is None else _literal(node)
        types = _parse_node(argument.annotation) if argument.annotation else ANY
        if types == ANY:
            types = documented.get(argument.arg, ANY)
        if types == ANY:
            types = _types_of(default)
        elif default is None:
            types = _ordered({*types, "none"})
        yield argument.arg, Key(types, default)


def _taken(constructor: ast.FunctionDef, variable: str) -> Set[str]:
    read = (names for names in chains(constructor) if names[0] == variable and len(names) == 2)
    return {names[1] for names in read if not keyword.iskeyword(names[1])}


def _passes_on(constructor: ast.FunctionDef, variable: str) -> bool:
    """Whether `variable` goes whole into a call other than the base class's, a copy or `self`'s.

    What `self.update(kwargs)` keeps is read by name, or by nobody.
    """
    for node in ast.walk(constructor):
        if not isinstance(node, ast.Call):
            continue
        values = [*node.args, *(word.value for word in node.keywords)]
        whole = any(isinstance(value, ast.Name) and value.id == variable for value in values)
        if whole and not ast.unparse(node.func).startswith(("super(", "self.", "copy.")):
            return True
    return False


def _literal(node: ast.expr) -> Any:
    """A default as JSON can hold it; NO_DEFAULT where it is none."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return NO_DEFAULT
    if isinstance(value, (tuple, set)):
        value = list(value)
    return value if isinstance(value, (bool, int, float, str, list, dict, type(None))) else None


def _types_of(default: Any) -> Tuple[str, ...]:
    """The type that a default tells; None and what is no literal tell nothing."""
    name = type(default).__name__
    return (name,) if name in TYPES else ANY


def _parse_types(text: str) -> Tuple[str, ...]:
    """Types as a docstring has them: `Union[int, List[str]]`, `bool or int`, `` `str` ``."""
    text = re.sub(r"[`'\"“”*]", "", text).strip(" ,")
    text = re.sub(r"\s+or\s+", " | ", text).replace("/", " | ")
    try:
        return _parse_node(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return ANY


def _parse_node(node: Union[ast.AST, None]) -> Tuple[str, ...]:
    """The types that an annotation allows in a YAML file.

    An object of another class can only be described there: by a section with its keys.
    """
    found = set(_members(node))
    return (
        ANY
        if not found - {"object", "none"}
        else _ordered({"dict" if name == "object" else name for name in found})
    )


def _members(node: Union[ast.AST, None]) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _members(node.left)
        yield from _members(node.right)
    elif isinstance(node, ast.Tuple):
        for item in node.elts:
            yield from _members(item)
    elif isinstance(node, ast.Subscript):
        base = _last_name(node.value)
        if base in ("Union", "Optional"):
            yield from _members(node.slice)
            if base == "Optional":
                yield "none"
        else:
            yield _NAMES.get(base, "object")
    elif isinstance(node, ast.Constant):
        if node.value is None:
            yield "none"
        elif isinstance(node.value, str):
            yield from _parse_types(node.value)
    else:
        yield _NAMES.get(_last_name(node), "object")


def _last_name(node: Union[ast.AST, None]) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _ordered(types: Set[str]) -> Tuple[str, ...]:
    return tuple(name for name in TYPES if name in types)
