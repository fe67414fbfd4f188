"""The schemas under configs/schema/: which there are, and what they say of a MindFormers YAML."""

from __future__ import annotations

import difflib
import json
import re
from functools import cache
from typing import Any, Dict, Iterable, Iterator, List, Set, Tuple

import jsonschema
import referencing

from tools.settings.artifacts import ArtifactsFile
from tools.settings.contest import Contest
from tools.settings.measured import Measured
from tools.settings.profile import CONFIGS, Profile, Recipe
from tools.settings.stacks import CONTEST, PYPI

SCHEMAS = CONFIGS / "schema"
DIALECT = {"$schema": "http://json-schema.org/draft-07/schema#"}

Keys = Tuple[Any, ...]


def own_models() -> Dict[str, Any]:
    """Return the model of each kind of settings file; a recipe is known by its folder."""
    models = (Profile, Recipe, ArtifactsFile, Contest, Measured)
    return dict(zip(("profile", "recipe", "artifacts", "contest", "measured"), models))


def own_schemas() -> Dict[str, Dict[str, Any]]:
    """Return the schemas of our own settings by name, for editors: the models check more."""
    models = own_models().items()
    return {name: {**DIALECT, **model.model_json_schema()} for name, model in models}


@cache
def read_schema(name: str) -> Dict[str, Any]:
    """Return a schema of configs/schema/ by its name, as `finetune-pypi`."""
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))


def release_of(config: Any) -> str:
    """Return the release of MindFormers that a config is written for.

    That is the contest's where the config names a class that only the contest's has, as its
    optimiser and its way to save checkpoints are; PyPI's otherwise.
    """
    contest, pypi = map(_class_names, (CONTEST, PYPI))
    return CONTEST if {*_types_named(config)} & (contest - pypi) else PYPI


def _class_names(release: str) -> Set[str]:
    definitions = read_schema(f"finetune-{release}")["definitions"].items()
    theirs = [name for name, own in definitions if "this project" not in own.get("title", "")]
    return {name.partition(".")[2] for name in theirs}


def _types_named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (own for own in [value.get("type")] if isinstance(own, str))
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from _types_named(inner)


def structure_faults(config: Any, release: str) -> Iterator[Tuple[Keys, str]]:
    """Yield what a MindFormers YAML's schema refuses: the keys to the value, and what is wrong."""
    for error in _validator(release).iter_errors(config):
        yield from _described(error)


@cache
def _validator(release: str) -> Any:
    values = referencing.Resource.from_contents(read_schema("values"))
    # To JSON 1.0 is an integer, to MindFormers it is none.
    types = jsonschema.Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    formats = jsonschema.FormatChecker(())
    formats.checks("regex", (re.error, RecursionError, OverflowError))(
        lambda value: not isinstance(value, str) or re.compile(value) is not None
    )
    kind = jsonschema.validators.extend(jsonschema.Draft7Validator, type_checker=types)
    registry = referencing.Registry().with_resource("values.schema.json", values)
    return kind(read_schema(f"finetune-{release}"), registry=registry, format_checker=formats)


def _described(error: jsonschema.ValidationError) -> Iterator[Tuple[Keys, str]]:
    keys, schema, value = tuple(error.absolute_path), error.schema, error.instance
    name = _dotted(keys) or "the file"
    if error.validator == "additionalProperties":
        owner = schema.get("title", "MindFormers")
        for key in value.keys() - schema.get("properties", {}).keys():
            near = _nearest(str(key), schema.get("properties", ()))
            yield (*keys, str(key)), f"{_dotted((*keys, str(key)))} is unknown to {owner}; {near}"
    elif error.validator == "required":
        properties, shared = schema.get("properties", {}), read_schema("values")["definitions"]
        for key in error.validator_value:
            told = properties.get(key, {})
            told = shared.get(told.get("$ref", "").rpartition("/")[2], told)
            if key not in value:
                yield (*keys, key), f"{name} lacks {key}; {told.get('description', 'add it')}"
    elif "description" in schema:
        shown = "empty" if value is None else str(value)[:60]
        yield keys, f"{name} is {shown}: {schema['description']}"
    elif error.validator == "enum":
        near = _nearest(str(value), error.validator_value)
        yield keys, f"{name} {str(value)[:60]!r} is unknown to MindFormers; {near}"
    else:
        types = [kind for kind in schema["type"] if kind != "null"]
        shown = f"the text {value[:60]!r}" if isinstance(value, str) else str(value)[:60]
        shown, wanted = "empty" if value is None else shown, " or ".join(types)
        yield keys, f"{name} is {shown}, not of type {wanted}; {_as_meant(value, types)}"


def _as_meant(value: Any, types: List[str]) -> str:
    """How a value that looks like a number, a truth value or a text has to be written."""
    text = str(value).strip()
    if "boolean" in types and text.lower() in ("true", "false"):
        return f"write {text.capitalize()} without quotes"
    if "integer" in types and re.fullmatch(r"[+-]?\d+", text):
        return f"write {text} without quotes"
    if "number" in types and re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text):
        mantissa, _, exponent = f"{float(text):e}".partition("e")
        return f"write {float(mantissa)}e{int(exponent):+03} without quotes: YAML wants a point"
    return "put it into quotes" if "string" in types else "correct it"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(map(str, known))
    same = [other for other in names if other.lower() == name.lower()]
    found = same or difflib.get_close_matches(name, names, 1)
    if found:
        return f"did you mean {found[0]}?"
    return f"known: {', '.join(sorted(names))}" if len(names) <= 12 else "take it out"


def _dotted(keys: Keys) -> str:
    return ".".join(str(key) for key in keys if not isinstance(key, int))
