"""YAML files checked before anything is started: every fault with its file, line and remedy.

The structure of a MindFormers YAML is held against configs/schema/finetune-RELEASE.schema.json,
our own settings against their models; then come the rules between keys and between files.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from tools.files.errors import UserError
from tools.packaging import config_plans, config_rules
from tools.packaging.config_schemas import own_models, release_of, structure_faults
from tools.packaging.leaks import absolute_paths, secrets
from tools.settings.lines import Yaml, parse_yaml, read_settings_text, read_yaml, settings_faults
from tools.settings.profile import Recipe, recipe_path

# A MindFormers YAML has one of these, which no file of ours has.
_MARKS = ("run_mode", "trainer", "runner_config", "runner_wrapper")
# Keys of MindFormers whose value opens something.
_SECRET = re.compile(r"""(?:^|[{,])\s*(hub_token|enc_key|ak|sk|password)\s*:\s*[^\s"'#,}]""")
_COMMENT = re.compile(r"(^|\s)#.*")


class Fault(NamedTuple):
    """What is wrong, and the remedy; the line, from 1, is None where there is no telling."""

    file: Path
    line: Optional[int]
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


def check_configs(
    paths: Iterable[Union[str, Path]], stack: Optional[str] = None
) -> Tuple[int, List[str]]:
    """Check YAML files, and those below folders; return their number and every fault.

    stack   the release of MindFormers; None: the one whose classes a file names.

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
    faults = {fault for file in files for fault in _faults(file, stack)}
    ordered = sorted(faults, key=lambda fault: (str(fault.file), fault.line or 0, fault.what))
    return len(files), list(map(str, ordered))


def finetune_faults(text: str, stack: Optional[str] = None) -> List[Tuple[int, str]]:
    """Return what would make MindFormers fail late, or silently do something else, by line."""
    try:
        content = parse_yaml(text, "finetune.yaml")
    except UserError as error:
        return [(_as_fault(error).line or 1, error.what)]
    return sorted(set(_native_faults(content, "finetune", stack)))


def _faults(path: Path, stack: Optional[str]) -> Iterator[Fault]:
    try:
        text = read_settings_text(path)
        yield from (Fault(path, *found) for found in _leaks(text))
        content = parse_yaml(text, path)
        mapping = content.value if isinstance(content.value, dict) else {}
        if content.value is None:
            yield Fault(path, None, "is empty; write it, or take it away")
        elif path.stem.startswith("finetune") or any(mark in mapping for mark in _MARKS):
            beside = path.with_name("finetune.yaml")
            yield from (Fault(path, *found) for found in _native_faults(content, path.stem, stack))
            if not path.stem.startswith("finetune") and beside.is_file():
                yield from _adapter_faults(path, content, beside)
        else:
            yield from _own_faults(path, content)
        if path.name in ("finetune.yaml", "profile.yaml"):
            # Between two files: told whichever of them is checked.
            found = config_plans.plan_faults(path.with_name("finetune.yaml"))
            yield from (Fault(*fault) for fault in found)
    except UserError as error:
        # Or a file that a rule needs, the contest's, is itself at fault.
        yield _as_fault(error)


def _as_fault(error: UserError) -> Fault:
    """An error's `file:line` as the place of a fault."""
    file, _, line = str(error.where).rpartition(":")
    what = f"{error.what}; {error.remedy}" if error.remedy else error.what
    if line.isdigit():
        return Fault(Path(file), int(line), what)
    return Fault(Path(str(error.where)), None, what)


def _leaks(text: str) -> Iterator[Tuple[int, str]]:
    # Only \n ends a line, so that the numbers are an editor's.
    lines = text.split("\n")
    for leak in absolute_paths(_COMMENT.sub("", line) for line in lines):
        yield leak.line, f"{leak.what}: it exists on one machine only; write a relative one"
    for leak in secrets(lines):
        yield leak.line, f"{leak.what}; take it out"
    for number, line in enumerate(lines, 1):
        found = _SECRET.search(line)
        if found:
            yield number, f"{found[1]} holds a secret; take it from the environment"


def _own_faults(path: Path, content: Yaml) -> Iterator[Fault]:
    from tools.corpus.recipe_faults import recipe_faults

    kind = "recipe" if path.parent.name == "recipes" else path.stem
    model = own_models().get(kind)
    faults = settings_faults(content, model) if model else []
    yield from (Fault(path, line, f"{what}; correct it") for line, what in faults)
    if kind == "recipe" and not faults:
        yield from map(_as_fault, recipe_faults(Recipe.model_validate(content.value), path))
    if kind == "profile" and not faults:
        for name, budget in content.value["budgets"].items():
            if not recipe_path(budget["recipe"], path.parent.parent).is_file():
                what = f"budget {name} names {budget['recipe']!r}, which is no recipe; name one"
                yield Fault(path, content.line("budgets", name, "recipe"), what)


def _adapter_faults(path: Path, content: Yaml, beside: Path) -> Iterator[Fault]:
    try:
        training = read_yaml(beside).value
    except UserError:
        return  # told where that file is checked
    if config_rules.is_training(training) and not config_rules.is_training(content.value):
        rule = config_rules.trained_adapter
        for key, what in rule(content.value, training, path.stem):
            yield Fault(path, content.line(*key.split(".")), what)


def _native_faults(content: Yaml, name: str, stack: Optional[str]) -> Iterator[Tuple[int, str]]:
    """What is wrong within a MindFormers YAML; an alias's faults are told once."""
    found: Dict[Tuple[Any, ...], str] = {}
    for keys, what in structure_faults(content.value, stack or release_of(content.value)):
        found.setdefault((content.line(*keys), "", *keys[-1:]), what)
    if isinstance(content.value, dict):
        trains, mode = config_rules.is_training(content.value), content.value.get("run_mode")
        if name.startswith("finetune") and not trains:
            what = f"run_mode is {mode}, a training needs finetune; this may be the wrong file"
            found.setdefault((content.line("run_mode"), "", "run_mode"), what)
        for rule in config_rules.OF_TRAINING if trains else config_rules.OF_EVALUATION:
            for key, what in rule(content.value):
                keys = [int(step) if step.isdigit() else step for step in key.split(".")]
                found.setdefault((content.line(*keys), rule.__name__, keys[-1]), what)
    return ((place[0], what) for place, what in found.items())
