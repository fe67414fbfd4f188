"""What the installed MindFormers accepts in a YAML file, as data that can be committed."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.packaging.configs import sections
from tools.packaging.configs.signatures import ANY, OTHERS, Key, chains, constructor_keys, merge
from tools.packaging.configs.sources import definition, tree

# The parts of MindFormers' registry that a section's `type` can name.
KINDS = (
    "callback",
    "config",
    "dataset",
    "dataset_loader",
    "lr",
    "metric",
    "models",
    "optimizer",
    "processor",
    "tokenizer",
    "trainer",
    "wrapper",
)
# Names under which the code that reads a config holds it.
_HOLDERS = ("config", "dataset_config")
Keys = Dict[str, Key]


def take_snapshot(source: Optional[Path] = None) -> Dict[str, Any]:
    """Read the installed MindFormers, or the one in the folder `source`, as the contest's is one.

    Gives {"mindformers", "mindspore", "run_modes", "sections", "types"}, the first two versions.

    sections   by name ("" is the file itself): the keys that its template declares, and those
               that MindFormers' code reads there.
    types      by kind, then by the name that `type` gives: where the class is, and its keys.

    Imports MindFormers, which takes ten seconds; UserError where it is not installed.
    """
    if source is not None:
        if not (source / "mindformers" / "__init__.py").is_file():
            raise UserError("holds no MindFormers", source, "give the folder around mindformers/")
        sys.path.insert(0, str(source.resolve()))
    if find_spec("mindformers") is None:
        raise UserError("MindFormers is not installed", None, "take the committed schema")
    # Where it is imported, MindFormers makes its output folder, and logs to the standard output.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.environ.setdefault("LOCAL_DEFAULT_PATH", folder)
        from tools.llama import stack
    import mindformers
    import mindspore

    modes, read_sections = sections.of_release(stack.RELEASE)
    read = _names_read(Path(mindformers.__file__).parent)
    return {
        "mindformers": mindformers.__version__,
        "mindspore": mindspore.__version__,
        "run_modes": modes,
        "sections": {name: _as_json(keys) for name, keys in sorted(read_sections(read).items())},
        "types": {
            kind: {name: [path, _as_json(keys)] for name, (path, keys) in sorted(classes.items())}
            for kind, classes in sorted(_types(read).items())
        },
    }


def write_snapshot(path: Path, source: Optional[Path] = None) -> int:
    """Write `take_snapshot` as JSON, a class a line; give the number of classes."""
    snapshot = take_snapshot(source)
    write_text(path, snapshot_text(snapshot))
    return sum(map(len, snapshot["types"].values()))


def snapshot_text(snapshot: Dict[str, Any]) -> str:
    """JSON with one line for each class, so that a diff shows which of them have changed."""
    lines = ["{"]
    for name in ("mindformers", "mindspore", "run_modes"):
        lines.append(f" {json.dumps(name)}: {json.dumps(snapshot[name])},")
    lines += [' "sections": {', _rows(snapshot["sections"], 2), " },", ' "types": {']
    kinds = [
        f"  {json.dumps(kind)}: {{\n{_rows(classes, 3)}\n  }}"
        for kind, classes in snapshot["types"].items()
    ]
    return "\n".join([*lines, ",\n".join(kinds), " }", "}"]) + "\n"


def _rows(entries: Dict[str, Any], indent: int) -> str:
    return ",\n".join(
        f"{' ' * indent}{json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items()
    )


def _types(read: Dict[str, Keys]) -> Dict[str, Dict[str, Tuple[str, Keys]]]:
    from mindformers.generation import GenerationConfig
    from mindformers.pet.pet_model import PET_TYPE_TO_CONFIG_MAPPING
    from mindformers.tools.register import MindFormerRegister

    types: Dict[str, Dict[str, Tuple[str, Keys]]] = {}
    for kind in KINDS:
        classes = MindFormerRegister.registry[kind]
        # The `mcore_` ones are chosen by another key, in configs that are not native YAML.
        chosen = {n: c for n, c in classes.items() if not n.startswith("mcore_") and _is_theirs(c)}
        if kind == "dataset_loader":
            # MindSpore's whole module of data sets is registered, helpers and all.
            chosen = {n: c for n, c in chosen.items() if n.endswith(("Dataset", "DataLoader"))}
        types[kind] = {name: (_path_of(own), _class_keys(own)) for name, own in chosen.items()}
    for _, keys in types["dataset"].values():
        # What they hand on is their config, whose names are read one by one.
        keys.pop(OTHERS, None)
    generation = _class_keys(GenerationConfig)
    for name, own in MindFormerRegister.registry["config"].items():
        if name in types["config"]:
            keys = types["config"][name][1]
            merge(keys, generation)
            merge(keys, read["model_config"])
            merge(keys, _config_names(Path(inspect.getfile(own)).parent.glob("*.py")))
    types["pet"] = {
        name: (_path_of(own), {**_class_keys(own), "pet_type": Key(("str",))})
        for name, own in PET_TYPE_TO_CONFIG_MAPPING.items()
    }
    return types


def _names_read(package: Path) -> Dict[str, Keys]:
    """The keys that MindFormers' code reads, by section; "" is the file itself."""
    read: Dict[str, Keys] = {"": {}, "dataset": {}, "model_config": {}}
    # Of the data sets only those that a config names; below them lie others' formats.
    code = [*package.glob("trainer/**/*.py"), *package.glob("core/context/*.py")]
    code += package.glob("dataset/*.py")
    for path in sorted(code):
        for names in _below_config(path):
            dataset = path.is_relative_to(package / "dataset")
            *above, own = names
            section = above[-1] if above else ("dataset" if dataset else "")
            read.setdefault(section, {})[own] = Key(ANY)
            if len(names) > 1:
                top = "dataset" if dataset else ""
                read[top].setdefault(names[0], Key(ANY))
    shared = [package / "models/modeling_utils.py", *package.glob("modules/**/*.py")]
    shared += package.glob("generation/*.py")
    build = package / "models/build_model.py"
    merge(read.setdefault("model", {}), _config_names([build]))
    merge(read["model_config"], _config_names(shared))
    for names in _below_config(build):
        if names[0] == "model_config" and len(names) > 1:
            read["model_config"].setdefault(names[1], Key(ANY))
    return read


def _config_names(paths: Iterable[Path]) -> Keys:
    return {names[0]: Key(ANY) for path in sorted(paths) for names in _below_config(path)}


def _below_config(path: Path) -> Iterator[Tuple[str, ...]]:
    """Of all dotted names in a file, what stands behind `config`."""
    for names in chains(tree(path)):
        for holder in _HOLDERS:
            if holder in names[:2] and names[-1] != holder:
                below = names[names.index(holder) + 1 :]
                if not any(name.startswith("_") for name in below):
                    yield below


def _path_of(own: type) -> str:
    return f"{own.__module__}.{own.__qualname__}"


def _class_keys(own: type) -> Keys:
    return constructor_keys([definition(c) for c in own.__mro__ if _is_theirs(c)])


def _is_theirs(own: type) -> bool:
    """Written in Python, and part of MindFormers or what it stands on."""
    if own.__module__.split(".")[0] not in ("mindformers", "mindspore"):
        return False
    return definition(own, required=False) is not None


def _as_json(keys: Keys) -> Dict[str, List[Any]]:
    """Sorted: [types] or [types, default]; the types are joined by `|`."""
    return {
        name: ["|".join(key.types), *([key.default] if _is_told(key.default) else [])]
        for name, key in sorted(keys.items())
    }


def _is_told(default: Any) -> bool:
    return isinstance(default, (bool, int, float, str, list, dict, type(None)))
