"""Our YAML files checked before anything is started: every fault with file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Optional, Set, Tuple, Union

import yaml

from tools.files.errors import UserError
from tools.packaging.leaks import absolute_paths
from tools.settings.lines import LARGEST_FILE
from tools.settings.resolve import SECTIONS

Found = Tuple[int, str]  # line from 1, what is wrong

_COLUMNS = ["input_ids", "labels"]


def check_configs(paths: Iterable[Union[str, Path]]) -> Tuple[int, List[str]]:
    """Check YAML files, and those below folders: (how many, every fault as `file:line: what`).

    Raises UserError where a path is not there or holds no YAML file.
    """
    files: List[Path] = []
    for path in map(Path, paths):
        found = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise UserError("no YAML file", path, "name a config or a folder of them")
        files += found
    faults = [fault for file in dict.fromkeys(files) for fault in check_config(file)]
    return len(dict.fromkeys(files)), faults


def check_config(path: Path) -> List[str]:
    """The faults of one file; what is asked of it follows from its name."""
    if path.stat().st_size > LARGEST_FILE:
        return [f"{path}: larger than {LARGEST_FILE} bytes"]
    try:
        text = path.read_text(encoding="utf-8")
        tree = _compose(text)
    except UnicodeDecodeError:
        return [f"{path}: not UTF-8 text"]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        return [f"{where}: not valid YAML, {error.problem}"]
    except (yaml.YAMLError, RecursionError, ValueError):
        return [f"{path}: not valid YAML"]
    faults = [f"{path}:{line}: {what}" for line, what in _general(tree, text)]
    if path.stem.startswith("finetune"):
        faults += [f"{path}:{line}: {what}" for line, what in finetune_faults(text)]
    else:
        faults += _model_faults(path, tree)
    return faults


def finetune_faults(text: str) -> Iterator[Found]:
    """What would make MindFormers fail late, or silently do something else, with this config."""
    config = _Config(_compose(text))
    missing = [name for name in SECTIONS if config.node(name) is None]
    if missing:
        yield 1, f"lacks the section{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    if config.value("only_save_strategy", default=False) is not False:
        yield (
            config.line("only_save_strategy"),
            "only_save_strategy is left on: nothing would be trained and no weights saved",
        )
    if config.value("seed", default=1) == 0:
        yield config.line("seed"), "seed is 0, which seeds nothing"
    yield from _length_faults(config)
    yield from _data_faults(config)
    yield from _lora_faults(config)
    yield from _cpu_faults(config)


def _length_faults(config: _Config) -> Iterator[Found]:
    model = ("model", "model_config")
    if config.node("model") is not None and config.node(*model) is None:
        yield config.line("model"), "lacks model.model_config"
        return
    length = config.value(*model, "seq_length")
    if config.node(*model) is not None and not _is_count(length):
        yield config.line(*model, "seq_length"), "model_config.seq_length is not a count"
    for key in ("max_position_embedding", "max_position_embeddings"):
        most = config.value(*model, key)
        if _is_count(length) and _is_count(most) and length > most:
            what = f"seq_length {length} is beyond the model's {key} {most}"
            yield config.line(*model, "seq_length"), what


def _data_faults(config: _Config) -> Iterator[Found]:
    for data in (("train_dataset",), ("train_dataset_task", "dataset_config")):
        if config.node(*data) is None:
            continue
        dotted = ".".join(data)
        columns = config.value(*data, "input_columns")
        if columns != _COLUMNS:
            what = f"{dotted}.input_columns are {columns}, our records have {_COLUMNS}"
            yield config.line(*data, "input_columns"), what
        runner = config.value("runner_config", "batch_size")
        batch = config.value(*data, "batch_size")
        if config.node("runner_config") is not None and (batch != runner or not _is_count(batch)):
            what = f"{dotted}.batch_size is {batch}, runner_config.batch_size is {runner}"
            yield config.line(*data, "batch_size"), what
    kind, ratio = (config.value("optimizer", name) for name in ("type", "lora_plus_ratio"))
    if ratio is not None and kind != "LoraPlusAdamW":
        what = f"optimizer.type is {kind}, which knows no lora_plus_ratio; it is LoraPlusAdamW"
        yield config.line("optimizer", "lora_plus_ratio"), what
    if ratio is not None and not (isinstance(ratio, (int, float)) and ratio > 0):
        what = f"optimizer.lora_plus_ratio is {ratio}, not a positive number"
        yield config.line("optimizer", "lora_plus_ratio"), what


def _lora_faults(config: _Config) -> Iterator[Found]:
    pet = ("model", "model_config", "pet_config")
    if config.node("model", "model_config") is None:
        return
    if config.node(*pet) is None:
        yield config.line("model", "model_config"), "lacks model_config.pet_config (LoRA)"
        return
    for key in ("lora_rank", "lora_alpha"):
        value = config.value(*pet, key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            what = f"pet_config.{key} is {value}: the merge needs alpha / rank"
            yield config.line(*pet, key), what
    targets = config.value(*pet, "target_modules")
    try:
        re.compile(targets)
    except (TypeError, re.error, RecursionError, OverflowError):
        yield config.line(*pet, "target_modules"), "pet_config.target_modules is not a regex"


def _cpu_faults(config: _Config) -> Iterator[Found]:
    if config.value("context", "device_target") != "CPU":
        return
    if config.value("runner_config", "sink_mode", default=True) is not False:
        what = "sink_mode is on, and on the CPU sinking runs far too many steps"
        yield config.line("runner_config", "sink_mode"), what
    model = ("model", "model_config")
    places = [(*model, key) for key in ("compute_dtype", "param_init_type")]
    places += [(*model, "pet_config", key[-1]) for key in places]
    for place in places:
        kind = config.value(*place, default="float32")
        if kind != "float32":
            yield config.line(*place), f"{place[-1]} is {kind}, the CPU needs float32"


def _general(tree: Optional[yaml.Node], text: str) -> Iterator[Found]:
    yield from _repeated_keys(tree)
    uncommented = (re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    for leak in absolute_paths(uncommented):
        yield leak.line, f"{leak.what}: it exists on one machine only"


def _repeated_keys(tree: Optional[yaml.Node]) -> Iterator[Found]:
    """YAML's loader takes the last of two equal keys without a word."""
    stack: List[Any] = [tree]
    # Aliases make nodes occur twice, even inside of themselves.
    seen: Set[int] = set()
    while stack:
        node = stack.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: Set[str] = set()
            for key, child in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        yield key.start_mark.line + 1, f"the key {key.value[:40]!r} stands twice"
                    keys.add(key.value)
                stack.append(child)
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value


def _model_faults(path: Path, tree: Optional[yaml.Node]) -> List[str]:
    from tools.settings import artifacts, contest, profile

    try:
        if path.name == "profile.yaml":
            profile.read_profile(path)
        elif path.name == "artifacts.yaml":
            artifacts.read_artifacts(path)
        elif path.name == "contest.yaml":
            contest.read_contest(path)
        elif path.parent.name == "recipes":
            recipe = profile.read_recipe(path.stem, path.parent.parent)
            return [f"{path}:{line}: {what}" for line, what in _recipe_faults(recipe, tree)]
    except UserError as error:
        return [f"{error.where}: {error.what}"]
    return []


def _recipe_faults(recipe: Any, tree: Optional[yaml.Node]) -> Iterator[Found]:
    """Kinds and styles that the corpus does not know: settings alone cannot tell."""
    from tools.corpus.kinds import check_counts
    from tools.corpus.worked.styles import read_styles

    config = _Config(tree)
    for section, entries, check in (
        ("counts", recipe.counts or {}, check_counts),
        ("styles", recipe.model_dump()["styles"], read_styles),
    ):
        for kind, entry in entries.items():
            try:
                check({kind: entry}, None)
            except UserError as error:
                yield config.line(section, kind), error.what


class _Config:
    """A composed YAML document, asked by the path of a key; aliases are followed."""

    def __init__(self, tree: Optional[yaml.Node]) -> None:
        self._tree = tree

    def node(self, *path: str) -> Optional[yaml.Node]:
        return self._walk(path)[0]

    def line(self, *path: str) -> int:
        """The line of the deepest key on `path` that the file holds."""
        return self._walk(path)[1]

    def value(self, *path: str, default: Any = None) -> Any:
        """A scalar, or a list of scalars; `default` where the key is absent."""
        node = self.node(*path)
        if isinstance(node, yaml.SequenceNode):
            return [_scalar(item) for item in node.value]
        return default if node is None else _scalar(node)

    def dictionaries(self, *path: str) -> List[dict]:
        """The mappings of a list, with their scalar values."""
        node = self.node(*path)
        items = node.value if isinstance(node, yaml.SequenceNode) else []
        return [
            {_scalar(key): _scalar(value) for key, value in item.value}
            for item in items
            if isinstance(item, yaml.MappingNode)
        ]

    def _walk(self, path: Tuple[str, ...]) -> Tuple[Optional[yaml.Node], int]:
        node, line = self._tree, 1
        for step in path:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            found = [(key, child) for key, child in pairs if key.value == step]
            if not found:
                return None, line
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        return node, line


def _compose(text: str) -> Optional[yaml.Node]:
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _scalar(node: yaml.Node) -> Any:
    """A scalar's value as YAML resolves it; None for anything else."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError):
        return node.value
    finally:
        loader.dispose()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
