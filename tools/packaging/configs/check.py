"""Our YAML files checked before anything is started: every fault with file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple, Union

import yaml

from tools.files.errors import UserError
from tools.packaging.configs import evaluation, plan_rules, rules
from tools.packaging.configs.document import Document, Found, NotYaml, compose, read, scalar
from tools.packaging.configs.keys import key_faults
from tools.packaging.configs.plans import plans_beside
from tools.packaging.configs.schema import Schema, schema_for
from tools.packaging.leaks import absolute_paths, secrets

# file, line (None where there is no telling), what
Fault = Tuple[Path, Optional[int], str]

# A MindFormers YAML has one of these, which no file of ours has.
_MARKS = ("run_mode", "trainer", "runner_config", "runner_wrapper")
# `!!python/object:…` has a slash behind it.
_PLAIN_TAG = "tag:yaml.org,2002:"
# Keys of MindFormers whose value opens something.
_SECRET_KEYS = ("hub_token", "enc_key", "ak", "sk", "password")


def check_configs(
    paths: Iterable[Union[str, Path]], schema: Optional[Schema] = None
) -> Tuple[int, List[str]]:
    """Check YAML files, and those below folders: (how many, every fault as `file:line: what`).

    schema   what MindFormers accepts; without one, that of the release that each file is for.

    A finetune.yaml is held against the profile.yaml, or the resolved files of a run, beside it,
    and an evaluation's config against the finetune.yaml beside it. The faults are in the order
    of the files and their lines. Raises UserError where a path is not there or holds no YAML.
    """
    files: List[Path] = []
    for path in map(Path, paths):
        found = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise UserError("no YAML file", path, "name a config or a folder of them")
        files += found
    files = list(dict.fromkeys(files))
    return len(files), _report(fault for file in files for fault in _all_faults(file, schema))


def check_config(path: Path, schema: Optional[Schema] = None) -> List[str]:
    """The faults of one file, and those between it and the files beside it."""
    return _report(_all_faults(path, schema))


def finetune_faults(text: str, schema: Optional[Schema] = None) -> Iterator[Found]:
    """What would make MindFormers fail late, or silently do something else, with this config.

    Raises ValueError where the text is no YAML.
    """
    try:
        document = compose(text)
    except NotYaml as error:
        raise ValueError(error.what) from error
    yield from sorted(_native_faults(document, schema or schema_for(document), rules.RULES))


def _report(faults: Iterable[Fault]) -> List[str]:
    ordered = sorted(dict.fromkeys(faults), key=lambda fault: (str(fault[0]), fault[1] or 0))
    return [f"{file}:{line}: {what}" if line else f"{file}: {what}" for file, line, what in ordered]


def _all_faults(path: Path, schema: Optional[Schema]) -> Iterator[Fault]:
    try:
        yield from _faults(path, schema)
    except UserError as error:
        # A file that a rule needs, the contest's, is itself at fault.
        yield _as_fault(error)


def _faults(path: Path, schema: Optional[Schema]) -> Iterator[Fault]:
    """The faults of one file; what is asked of it follows from its name and its keys."""
    try:
        text, document = read(path)
    except NotYaml as error:
        yield path, error.line, error.what
        return
    if not text.strip():
        yield path, None, "is empty"
        return
    found = list(_general(document, text))
    named = path.stem.startswith("finetune")
    if named or any(document.has(mark) for mark in _MARKS):
        evaluates = evaluation.is_evaluation(document) and not named
        table = evaluation.RULES if evaluates else rules.RULES
        found += _native_faults(document, schema or schema_for(document), table)
        found += evaluation.adapter_faults(path, document) if evaluates else []
    else:
        yield from _model_faults(path, document)
    yield from ((path, line, what) for line, what in found)
    if path.name in ("finetune.yaml", "profile.yaml"):
        # Between two files: told whichever of them is checked.
        for plan in plans_beside(path.with_name("finetune.yaml")):
            for rule in plan_rules.RULES.values():
                yield from rule(plan)


def _native_faults(
    document: Document, schema: Schema, table: Dict[str, rules.Rule]
) -> Iterator[Found]:
    yield from key_faults(document, schema)
    for rule in table.values():
        yield from rule(document, schema)


def _general(document: Document, text: str) -> Iterator[Found]:
    yield from _node_faults(document.tree)
    # Only \n ends a line, so that the numbers are an editor's.
    lines = text.split("\n")
    for leak in absolute_paths(re.sub(r"(^|\s)#.*", "", line) for line in lines):
        yield leak.line, f"{leak.what}: it exists on one machine only"
    yield from ((leak.line, leak.what) for leak in secrets(lines))


def _node_faults(tree: Optional[yaml.Node]) -> Iterator[Found]:
    """Keys that stand twice (YAML's loader takes the last without a word), secrets and tags."""
    stack: List[Any] = [tree]
    # Aliases make nodes occur twice, even inside of themselves.
    seen: Set[int] = set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if not node.tag.startswith(_PLAIN_TAG) or "/" in node.tag[len(_PLAIN_TAG) :]:
            yield node.start_mark.line + 1, f"the tag {node.tag[-60:]} builds an object; write data"
        if isinstance(node, yaml.MappingNode):
            keys: Set[str] = set()
            for key, child in node.value:
                if isinstance(key, yaml.ScalarNode):
                    line = key.start_mark.line + 1
                    if key.value in keys:
                        yield line, f"the key {key.value[:40]!r} stands twice"
                    if key.value in _SECRET_KEYS and scalar(child):
                        yield line, f"{key.value} holds a secret; take it from the environment"
                    keys.add(key.value)
                stack.append(child)
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value


def _model_faults(path: Path, document: Document) -> Iterator[Fault]:
    from tools.corpus.recipe_faults import recipe_faults
    from tools.settings import artifacts, contest, profile

    try:
        if path.name == "profile.yaml":
            settings, configs = profile.read_profile(path), path.parent.parent
            for name, budget in settings.budgets.items():
                if not profile.recipe_path(budget.recipe, configs).is_file():
                    line = document.line("budgets", name, "recipe")
                    yield path, line, f"budget {name} names {budget.recipe!r}, which is no recipe"
        elif path.name == "artifacts.yaml":
            artifacts.read_artifacts(path)
        elif path.name == "contest.yaml":
            contest.read_contest(path)
        elif path.parent.name == "recipes":
            recipe = profile.read_recipe(path.stem, path.parent.parent)
            yield from map(_as_fault, recipe_faults(recipe, path))
    except UserError as error:
        yield _as_fault(error)


def _as_fault(error: UserError) -> Fault:
    """An error's `file:line` as the place of a fault."""
    file, _, line = str(error.where).rpartition(":")
    if line.isdigit():
        return Path(file), int(line), error.what
    return Path(str(error.where)), None, error.what
