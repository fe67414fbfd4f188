"""Reading a class off its source: names, types and defaults, in the forms that occur."""

from __future__ import annotations

import ast
import inspect
from typing import Any, Dict

import pytest

from tools.packaging.configs.signatures import (
    ANY,
    NO_DEFAULT,
    OTHERS,
    Key,
    chains,
    constructor_keys,
    documented_types,
    field_keys,
    merge,
)


def keys(source: str) -> Dict[str, Key]:
    """Those of the last class, its bases being the classes before it, nearest first."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return constructor_keys(classes[::-1])


@pytest.mark.parametrize(
    ("argument", "types", "default"),
    [
        ("a: int", "int", NO_DEFAULT),
        ("a: int = 3", "int", 3),
        ("a: int = None", "int|none", None),
        ("a: Optional[str] = 'x'", "str|none", "x"),
        ("a: Union[int, List[str]] = 1", "int|list", 1),
        ("a: float | None = None", "float|none", None),
        ("a: typing.Dict[str, int] = {}", "dict", {}),
        ("a: 'Union[bool, str]' = False", "bool|str", False),
        ("a: Union[float, Schedule] = 1e-3", "float|dict", 1e-3),
        ("a: Schedule = None", "any", None),
        ("a=(0.9, 0.999)", "list", [0.9, 0.999]),
        ("a=-100", "int", -100),
        ("a=True", "bool", True),
        ("a=Shuffle.GLOBAL", "any", NO_DEFAULT),
        ("a=None", "any", None),
        ("a", "any", NO_DEFAULT),
        ("*, a=1.5", "float", 1.5),
    ],
)
def test_arguments(argument: str, types: str, default: Any) -> None:
    found = keys(f"class A:\n def __init__(self, {argument}): pass")
    assert found == {"a": Key(tuple(types.split("|")), default)}


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("a (int): x", "int"),
        ("a (int, optional): x", "int"),
        ("    - a (Union[int, list[int]], optional): x", "int|list"),
        ("a (`bool`, *optional*, defaults to `None`): x", "bool"),
        ("a (bool or int): x", "bool|int"),
        ("a (Union(str, dict)): x", None),
        ("a (int: x", None),
        ("when a (int) is", None),
    ],
)
def test_docstrings(text: str, types: Any) -> None:
    found = documented_types(f"About.\n\nArgs:\n    {text}\n")
    assert found.get("a", ANY) == (tuple(types.split("|")) if types else ANY)


def test_a_docstring_tells_what_the_code_does_not() -> None:
    source = '''
class A:
    """About.

    Args:
        a (Union[int, str]): x
        b (int): x
    """

    def __init__(self, a=None, b: str = "x", c=None):
        """Args:
            c (float): x
        """
'''
    found = {name: key.types for name, key in keys(source).items()}
    assert found == {"a": ("int", "str", "none"), "b": ("str",), "c": ("float", "none")}
    outer = documented_types("Args:\n    a (int): x\n        - b (int): x\n", nested=False)
    assert list(outer) == ["a"]


def test_keyword_arguments_are_followed() -> None:
    base = "class Base:\n def __init__(self, x=1, **kw):\n  self.y = kw.pop('y', 2)\n  kw['z']\n"
    own = "class Own:\n def __init__(self, a, **rest):\n  super().__init__(**rest)\n"
    assert set(keys(base + own)) == {"a", "x", "y", "z"}
    # Without **kwargs the base's are not reached, and a class without a constructor has its base's.
    assert set(keys(base + own.replace(", **rest", ""))) == {"a"}
    assert set(keys(base + "class Own:\n pass")) == {"x", "y", "z"}
    assert set(keys("class A:\n def __new__(cls, a, optimizer, _b=1): pass")) == {"a"}


@pytest.mark.parametrize(
    ("body", "open_"),
    [
        ("load(**kw)", True),
        ("cls.make(kw)", True),
        ("super(A, self).__init__(**kw)", False),
        ("self.update(kw)", False),
        ("self.kept = copy.deepcopy(kw)", False),
        ("load(kw['x'])", False),
    ],
)
def test_what_is_handed_on_is_open(body: str, open_: bool) -> None:
    found = keys(f"class A:\n def __init__(self, **kw):\n  {body}")
    assert (OTHERS in found) is open_


def test_fields() -> None:
    node = ast.parse("class A:\n a = 1\n _b = 2\n c = None\n d = 128 * 8\n e: int = 4\n").body[0]
    assert isinstance(node, ast.ClassDef)
    found = field_keys(node)
    assert found == {"a": Key(("int",), 1), "c": Key(ANY, None), "d": Key(ANY, NO_DEFAULT)}


def test_names_that_are_read() -> None:
    source = """
config.a = self.config.b
if "c" in config: config.get("d.e")
config["f"], getattr(config, "g", 1), config.call(), other("h"), config.pop("i")
"""
    found = {".".join(names) for names in chains(ast.parse(source))}
    wanted = "config.a self.config.b config.c config.d.e config.f config.g config.i"
    assert set(wanted.split()) <= found
    assert not {name for name in found if "call" in name or "h" in name.split(".")}


def test_two_sources_of_a_key() -> None:
    into = {"a": Key(("int",), 1), "b": Key(ANY), "c": Key(("str",))}
    merge(into, {"a": Key(("int", "list"), 2), "b": Key(("bool",)), "d": Key(ANY, 4)})
    assert into["a"] == Key(("int", "list"), 1)
    assert into["b"] == Key(("bool",))
    assert list(into) == ["a", "b", "c", "d"]


def test_names_are_those_that_inspect_gives() -> None:
    """On classes of the standard library: the same names, without an import."""
    import argparse
    import json
    import logging.handlers

    for own in (json.JSONEncoder, argparse.ArgumentParser, logging.handlers.SMTPHandler):
        tree = ast.parse(inspect.getsource(inspect.getmodule(own)))
        nodes = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
        found = constructor_keys([nodes[own.__name__]])
        assert list(found) == list(inspect.signature(own).parameters)
