"""Which keys MindFormers takes in a YAML file, read off its classes, as JSON Schema.

A section that names a class takes what the class's constructor does; any other takes what
MindFormers' template declares, its code reads there, or its own example files use.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

import yaml

from tools.llama import stack
from tools.settings.stacks import CONTEST
from tools.training import cpu, packed_rows, recorder, saver  # noqa: F401 - they register classes of ours
from tools.training.lora_plus import register_optimizer

Properties = Dict[str, Dict[str, Any]]
RELEASE = stack.RELEASE

# The part of MindFormers' registry that the `type` in a section names a class of.
_KINDS = {
    "trainer": "trainer",
    "optimizer": "optimizer",
    "lr_schedule": "lr",
    "runner_wrapper": "wrapper",
    "scale_sense": "wrapper",
    "callbacks": "callback",
    "eval_callbacks": "callback",
    "metric": "metric",
    "processor": "processor",
    "tokenizer": "tokenizer",
    "train_dataset_task": "dataset",
    "eval_dataset_task": "dataset",
    "data_loader": "dataset_loader",
    "model_config": "config",
    "pet_config": "pet",
    "arch": "models",
}
_DATA = ("train_dataset", "eval_dataset", "dataset_config")
# Those that stand inside of others, wherever that is.
_INNER = (
    "arch",
    "data_loader",
    "dataset_config",
    "model_config",
    "pet_config",
    "scale_sense",
    "tokenizer",
)
# What MindFormers itself hands to the classes that a config names.
_GIVEN = {"self", "cls", "params", "network", "optimizer", "backbone"}
_TYPES = {
    "bool": "boolean",
    "int": "integer",
    "float": "number",
    **dict.fromkeys(("str", "string", "path"), "string"),
    **dict.fromkeys(("list", "tuple", "set", "iterable", "sequence"), "array"),
    **dict.fromkeys(("dict", "mapping"), "object"),
    "none": "null",
    "nonetype": "null",
}
# An argument in a docstring of Google's form: `name (Union[int, str], optional): …`.
_DOCUMENTED = re.compile(r"^\s*(?:- )?`{0,2}(\w+)`{0,2} ?\(((?:[^()]|\([^()]*\))+)\)\s*:")
# `config.model.arch`, `config.get("seed")`, `config.context['mode']`.
_READ = re.compile(r"""\b(?:dataset_)?config((?:\.\w+)*)(?:([(\[])\s*["']([\w.]+)["']|(\())?""")
# `hasattr(self.config, "seed")`, `"mode" in config.context`.
_ASKED = re.compile(
    r"""(?:hasattr|getattr)\(\s*[\w.]*?config((?:\.\w+)*),\s*["'](\w+)"""
    r"""|["'](\w+)["'] (?:not )?in [\w.]*?config((?:\.\w+)*)"""
)


def mindformers_schema() -> Dict[str, Any]:
    """Return the JSON Schema of a YAML file for the MindFormers that is imported."""
    register_optimizer("LoraPlusFP32StateAdamWeightDecay")
    if stack.RELEASE != CONTEST:
        register_optimizer("LoraPlusAdamW")
    package = Path(inspect.getfile(importlib.import_module("mindformers"))).parent
    sections = _sections(package)
    definitions: Dict[str, Any] = {}
    for kind in sorted({*_KINDS.values()}):
        classes = {name: _class_schema(own) for name, own in sorted(_classes(kind).items())}
        for name, schema in classes.items():
            if kind == "dataset":
                # What a data set hands on is its section, whose keys are known.
                schema["additionalProperties"] = False
                _add(sections["data"], schema["properties"])
            if kind == "dataset_loader":
                _add(schema["properties"], sections["data_loader"])
            if kind == "pet":
                schema["properties"]["pet_type"] = {}
            if kind == "config":
                _add(schema["properties"], sections["model_config"])
                _add(schema["properties"], _model_keys(package, _classes(kind)[name]))
            definitions[f"{kind}.{name}"] = schema
        definitions[kind] = _choice(kind, classes)
    top = sections.pop("")
    del top["type"], sections["data"]["type"]
    for name, keys in sections.items():
        if name == "data" or (name in top and name not in _KINDS and name not in _DATA):
            definitions[name] = {"type": ["object", "null"], **_closed(keys)}
            top[name] = {"$ref": f"#/definitions/{name}"}
    del top["data"]
    for name in top:
        if name in _KINDS or name in _DATA:
            top[name] = _section(name)
    for schema in definitions.values():
        for name, own in sorted(schema.pop("properties", {}).items()):
            inner = _section(name) if name in _INNER else {}
            schema.setdefault("properties", {})[name] = {**own, **inner}
    top["run_mode"] = {"enum": _run_modes(package)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"MindFormers {stack.__version__}",
        "type": "object",
        **_closed(dict(sorted(top.items()))),
        # Its faults come after those of types.
        "allOf": [{"$ref": "values.schema.json"}],
        "definitions": definitions,
    }


def _closed(properties: Properties) -> Dict[str, Any]:
    """A section that has these keys alone."""
    return {"properties": properties, "additionalProperties": False}


def _add(properties: Properties, more: Properties) -> None:
    """Add keys that another source knows: either's types will do, the first's default."""
    for name, schema in more.items():
        own = properties.get(name, schema)
        types = sorted({*own.get("type", []), *schema.get("type", [])})
        properties[name] = {**own, "type": types} if types else own


def _section(name: str) -> Dict[str, Any]:
    """A section that names a class, a list of such, or a data set's."""
    kind = {"$ref": f"#/definitions/{'data' if name in _DATA else _KINDS[name]}"}
    if name == "metric":  # one, or several
        return {"if": {"type": "array"}, "then": {"items": kind}, "else": kind}
    if name.endswith("callbacks"):
        return {"type": ["array", "null"], "items": kind}
    if name in ("scale_sense", "tokenizer"):  # a number or an object will do
        return {"if": {"type": "object"}, "then": kind}
    return kind


def _choice(kind: str, classes: Dict[str, Any]) -> Dict[str, Any]:
    """A section whose `type` says which of the classes it describes."""
    key = "pet_type" if kind == "pet" else "type"
    cases = [
        {
            "if": {"required": [key], "properties": {key: {"const": name}}},
            "then": {"$ref": f"#/definitions/{kind}.{name}"},
        }
        for name in classes
    ]
    chosen = {"properties": {key: {"enum": list(classes)}}, "allOf": cases}
    if kind != "processor":
        chosen["required"] = [key]
    # MindFormers imports what this key names.
    return {"type": ["object", "null"], "if": {"required": ["auto_register"]}, "else": chosen}


def _classes(kind: str) -> Dict[str, type]:
    """The classes that a section may name: MindFormers' and ours, and MindSpore's beside them."""
    if kind == "pet":
        return importlib.import_module("mindformers.pet.pet_model").PET_TYPE_TO_CONFIG_MAPPING
    found = {}
    for name, own in stack.MindFormerRegister.registry[kind].items():
        # The `mcore_` ones are chosen by another key, in configs that are not native YAML; and
        # MindSpore's whole module of data sets is registered, helpers and all.
        helper = kind == "dataset_loader" and not name.endswith(("Dataset", "DataLoader"))
        if inspect.isclass(own) and _is_known(own) and not name.startswith("mcore_") and not helper:
            found[name] = own
    return found


def _is_known(own: type) -> bool:
    return own.__module__.split(".")[0] in ("mindformers", "mindspore", "tools")


def _class_schema(own: type) -> Dict[str, Any]:
    """The keyword arguments of a class: names, types by annotation, docstring or default.

    Where a constructor takes **kwargs, what it takes out of them by name counts, and what the
    next class takes. Where it hands them to anything else, any key may stand.
    """
    properties: Properties = {"type": {}, "auto_register": {}}
    documented: Dict[str, List[str]] = {}
    anything = False
    for base in filter(_is_known, own.__mro__):
        documented = {**_documented(inspect.getdoc(base)), **documented}
        constructor = _undecorated(base.__dict__.get("__init__") or base.__dict__.get("__new__"))
        if constructor is None:
            continue
        told = {**documented, **_documented(constructor.__doc__)}
        parameters = inspect.signature(constructor).parameters.values()
        others = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            known = parameter.annotation is not parameter.empty
            types = _types(inspect.formatannotation(parameter.annotation)) if known else []
            default = [] if parameter.default is parameter.empty else [parameter.default]
            schema = _typed(types or told.get(parameter.name, []), *default)
            properties.setdefault(parameter.name, schema)
        if not others:
            break
        source = inspect.getsource(constructor)
        taken = rf"""\b{others[0]}(?:\.(?:get|pop)\(|\[)\s*["'](\w+)"""
        taken += rf"""|["'](\w+)["'] in {others[0]}\b"""
        for names in re.findall(taken, source):
            name = "".join(names)
            properties.setdefault(name, _typed(told.get(name, [])))
        callees = re.findall(rf"([\w.)]+)\([^()]*\*?\*?\b{others[0]}\s*\)", source)
        anything |= any(not re.search(r"^self\.|^copy\.|__init__$", name) for name in callees)
    for name in [n for n in properties if n in _GIVEN or n.startswith("_")]:
        del properties[name]
    if "lora_alpha" in properties:
        # Documented as whole, and divided as any other number: rsLoRA's is not whole.
        properties["lora_alpha"]["type"] = ["number"]
    ours = own.__module__.startswith("tools.")
    owner = "this project" if ours else f"MindFormers {stack.__version__}"
    schema = {"title": f"{own.__name__} of {owner}", **_closed(properties)}
    return {**schema, "additionalProperties": True} if anything else schema


def _undecorated(function: Any) -> Any:
    """The function inside of decorators, which need not use functools.wraps; None for C's."""
    function = getattr(function, "__func__", function)
    for cell in getattr(function, "__closure__", None) or ():
        if getattr(cell.cell_contents, "__name__", "") in ("__init__", "__new__"):
            return _undecorated(cell.cell_contents)
    return function if inspect.isfunction(function) else None


def _documented(text: Any, nested: bool = True) -> Dict[str, List[str]]:
    """Types by name; `nested`: those in a list below an argument too, as keyword arguments are."""
    lines = (text or "").splitlines()
    matches = map(_DOCUMENTED.match, lines if nested else [n for n in lines if n[4:5] != " "])
    return {m[1]: _types(re.split(r",? *\*?(?:optional|default)", m[2])[0]) for m in matches if m}


def _types(text: str) -> List[str]:
    """JSON's types in a docstring's or annotation's words; empty where they do not tell."""
    inner = r"(?i)\b(list|tuple|dict|set|iterable|sequence|mapping)(?:\[[^\[\]]*\]|\([^()]*\))"
    text = re.sub(inner, r"\1", re.sub(inner, r"\1", text))
    words = {word.rpartition(".")[2].lower() for word in re.findall(r"[A-Za-z_][\w.]*", text)}
    found = {_TYPES.get(word, "object") for word in words - {"union", "optional", "or"}}
    if "optional" in words:
        found.add("null")
    # An object of a class that YAML does not know can only be described there, by a section.
    return sorted(found) if found - {"object", "null"} or "dict" in words else []


def _typed(types: List[str], *default: Any) -> Dict[str, Any]:
    """A property of these types; without any, of its default's. Nothing stands for an empty one."""
    literal = [d for d in default if isinstance(d, (bool, int, float, str, type(None)))]
    if not types and default:
        types = [_TYPES[name] for name in [type(default[0]).__name__] if name in _TYPES]
        types = [] if types == ["null"] else types
    if types and ({"array", "object", "string"} & {*types} or None in literal):
        types = sorted({*types, "null"})
    schema: Dict[str, Any] = {"type": types} if types else {}
    return {**schema, "default": literal[0]} if literal else schema


def _sections(package: Path) -> Dict[str, Properties]:
    """The keys of the sections that name no class; "" is the file itself, "data" any data set."""
    sections: Dict[str, Properties] = defaultdict(dict)
    for names in _keys_read([*package.glob("trainer/**/*.py"), *package.glob("core/context/*.py")]):
        sections[""][names[0]] = {}
        sections[names[-2] if len(names) > 1 else ""][names[-1]] = {}
    for names in _keys_read([package / "models/build_model.py"]):
        sections["model"][names[0]] = {}
        if names[0] == "model_config" and len(names) > 1:
            sections["model_config"][names[1]] = {}
    for names in _keys_read(package.glob("dataset/*.py")):
        sections["data"][names[0]] = {}
        sections[names[-2] if len(names) > 1 else "data"][names[-1]] = {}
    # Its example files, where the release declares nothing.
    if stack.RELEASE == CONTEST:
        for path in sorted(package.parent.glob("[cr]*/**/*.yaml")):
            for name, value in yaml.load(path.read_text("utf-8"), yaml.CSafeLoader).items():
                sections[""][name] = {}
                if isinstance(value, dict):
                    _add(sections[name], {key: {} for key in value})
    else:
        template = importlib.import_module("mindformers.tools.register.template")
        for name, own in template.CONFIG_NAME_TO_CLASS.items():
            public = {key: value for key, value in vars(own).items() if not key.startswith("_")}
            kinds = (classmethod, staticmethod)
            fields = {k: _typed([], v) for k, v in public.items() if not isinstance(v, kinds)}
            if own._raise_error_for_unexpected_key and fields:
                sections[name].clear()
            if name != "general_config":
                sections[""][name] = {}
            sections["" if name == "general_config" else name].update(fields)
        sections[""].update(base_config={"type": ["string", "array"]}, metric={})
    _add_contexts(sections)
    for name in ("train_dataset", "eval_dataset"):
        _add(sections["data"], sections.pop(name))
    return sections


def _add_contexts(sections: Dict[str, Properties]) -> None:
    """Add what MindFormers hands on to MindSpore's contexts."""
    import mindspore

    place = "trainer" if stack.RELEASE == CONTEST else "core"
    own = importlib.import_module(f"mindformers.{place}.config_args")
    for name, config, function in (
        ("context", own.ContextConfig, mindspore.set_context),
        ("parallel", own.ParallelContextConfig, mindspore.set_auto_parallel_context),
    ):
        told = _documented(inspect.getdoc(function), nested=False)
        told.update(_documented(inspect.getdoc(config), nested=False))
        names = {*config._support_kwargs, *told}
        _add(sections[name], {key: _typed(told.get(key, [])) for key in names})
    if hasattr(own, "MFContextConfig"):
        _add(sections[""], {key: {} for key in own.MFContextConfig._support_kwargs})
    # Numbers, or their names: MindFormers has a table of both.
    sections["parallel"]["parallel_mode"] = {"type": ["integer", "string"]}
    sections["context"]["mode"] = {"type": ["integer", "string"]}


def _model_keys(package: Path, own: type) -> Properties:
    """What generation, the model's code and ours read of a model's config beside its arguments."""
    generation = importlib.import_module("mindformers.generation").GenerationConfig
    properties: Properties = {}
    _add(properties, _class_schema(generation)["properties"])
    folders = [Path(inspect.getfile(own)).parent, Path(cpu.__file__).parent, package / "generation"]
    files = [path for folder in folders for path in folder.glob("*.py")]
    files += [package / "models/modeling_utils.py", *package.glob("modules/**/*.py")]
    for names in _keys_read(files):
        properties.setdefault(names[0], {})
    return properties


def _keys_read(paths: Iterable[Path]) -> Iterator[List[str]]:
    """The path of each key that code reads below a name that ends in `config`."""
    for path in paths:
        text, found = path.read_text("utf-8"), []
        for chain, opening, word, call in _READ.findall(text):
            names = chain.split(".")[1:]
            method = names.pop() if names and "(" in (opening, call) else ""
            if opening == "[" or method in ("get", "get_value", "pop"):
                names += word.split(".")
            found.append(names)
        for before, word, other, after in _ASKED.findall(text):
            found.append([*(before or after).split(".")[1:], word or other])
        for names in found:
            if names and "json" not in names and not any(name.startswith("_") for name in names):
                yield names


def _run_modes(package: Path) -> List[str]:
    if stack.RELEASE != CONTEST:
        template = importlib.import_module("mindformers.tools.register.template")
        return sorted(template.ConfigTemplate._run_modes)
    text = (package.parent / "run_mindformer.py").read_text("utf-8")
    return sorted(re.findall(r"'(\w+)'", re.search(r"run_mode in \[(.*?)\]", text, re.S)[1]))
