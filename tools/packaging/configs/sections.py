"""Which keys the sections of a YAML may have that name no class, by release of MindFormers."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import yaml

from tools.packaging.configs.document import NotYaml, pairs
from tools.packaging.configs.document import read as read_yaml
from tools.packaging.configs.signatures import ANY, Key, documented_types, field_keys, merge
from tools.packaging.configs.sources import definition, tree
from tools.settings.stacks import CONTEST

# Sections whose keys are those of the class that their `type` names.
_BY_TYPE = (
    "callbacks",
    "eval_callbacks",
    "eval_dataset_task",
    "lr_schedule",
    "metric",
    "optimizer",
    "processor",
    "runner_wrapper",
    "train_dataset_task",
    "trainer",
)
Keys = Dict[str, Key]


def of_release(release: str) -> Tuple[List[str], Callable[[Dict[str, Keys]], Dict[str, Keys]]]:
    """The run modes of the imported MindFormers, and what makes its sections.

    The second takes the keys that MindFormers' code reads, by section, and gives those that a
    section may have; "" is the file itself.
    """
    if release == CONTEST:
        return _modes_of_its_script(), _by_example
    from mindformers.tools.register import template

    return sorted(template.ConfigTemplate._run_modes), _declared


def _declared(read: Dict[str, Keys]) -> Dict[str, Keys]:
    from mindformers.core import config_args
    from mindformers.tools.register import template

    sections = {}
    for name, own in template.CONFIG_NAME_TO_CLASS.items():
        # These refuse what they do not declare; the others, and code behind them, read more.
        keys = field_keys(definition(own))
        if not (own._raise_error_for_unexpected_key and keys):
            merge(keys, read.get(name, {}))
        sections[name] = keys
    top = sections.pop("general_config")
    for name in sections:
        merge(top, {name: Key(("list",) if name.endswith("callbacks") else ("dict",))})
    top["metric"] = Key(("list", "dict"))
    top["base_config"] = Key(("str", "list"))
    _merge_contexts({"": top, **sections}, config_args)
    merge(top, read[""])
    sections["data_loader"] = read["data_loader"]
    for name in _BY_TYPE:
        del sections[name]
    for name in ("train_dataset", "eval_dataset"):
        merge(sections[name], read["dataset"])
    return {"": top, **sections}


def _by_example(read: Dict[str, Keys]) -> Dict[str, Keys]:
    """The contest's release declares nothing and refuses nothing: what its code and files use."""
    from mindformers.trainer import config_args

    sections = {name: dict(keys) for name, keys in read.items()}
    top = sections[""]
    for path in sorted(_root().glob("[cr]*/**/*.yaml")):  # configs, research
        try:
            document = read_yaml(path)[1]
        except NotYaml:
            continue
        for key, child in _named(document.tree):
            merge(top, {key: Key(ANY)})
            if isinstance(child, yaml.MappingNode):
                names = {name: Key(ANY) for name, _ in _named(child)}
                merge(sections.setdefault(key, {}), names)
    _merge_contexts(sections, config_args)
    for name in _BY_TYPE:
        sections.pop(name, None)
    for name in ("train_dataset", "eval_dataset"):
        merge(sections[name], sections["dataset"])
    return sections


def _named(node: Any) -> Iterator[Tuple[str, Any]]:
    return ((k.value, child) for k, child in pairs(node) if isinstance(k, yaml.ScalarNode))


def _modes_of_its_script() -> List[str]:
    """Those that run_mindformer.py lets pass: `assert config.run_mode in ['train', …]`."""
    for node in ast.walk(tree(_root() / "run_mindformer.py")):
        is_in = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In)
        if is_in and ast.unparse(node.left).endswith(".run_mode"):
            return sorted(ast.literal_eval(node.comparators[0]))
    raise LookupError("run_mindformer.py checks no run_mode")


def _root() -> Path:
    import mindformers

    return Path(mindformers.__file__).parents[1]


def _merge_contexts(sections: Dict[str, Keys], config_args: Any) -> None:
    """Add what MindFormers hands on to MindSpore's contexts."""
    import mindspore

    for name, own, function in (
        ("", getattr(config_args, "MFContextConfig", None), None),
        ("context", config_args.ContextConfig, mindspore.set_context),
        ("parallel", config_args.ParallelContextConfig, mindspore.set_auto_parallel_context),
    ):
        if own is None:
            continue
        keys = sections.setdefault(name, {})
        types = documented_types(inspect.getdoc(own), nested=False)
        if function:
            types = {**documented_types(inspect.getdoc(function), nested=False), **types}
        names = {*own._support_kwargs, *(types if function else ())}
        merge(keys, {key: Key(types.get(key, ANY)) for key in names})
    # Numbers, or their names: MindFormers has a table of both.
    merge(sections["parallel"], {"parallel_mode": Key(("int", "str"))})
    merge(sections["context"], {"mode": Key(("int", "str"))})
