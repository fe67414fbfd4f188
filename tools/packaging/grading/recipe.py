"""What a package was made with, as data: its profile, recipe, finetune.yaml and seed.

Where our checkout resolves these names to what the package says it ran, ours are used. Where it
does not, the package's own are taken over, but only what a team may choose: each file is read
against its schema and written anew, the model and where it comes from must be ours.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import yaml

from tools.files.errors import CheckFailed, UserError
from tools.packaging import layout
from tools.packaging.contents import BROKEN, Contents
from tools.packaging.grading.rows import flat
from tools.packaging.grading.unpack import Package
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS, Profile, check_name, read_profile, read_recipe
from tools.settings.resolve import read_resolved, resolve

_LARGEST = 1 << 20
_LONGEST_PATH = 4096
# Numbers of finetune.yaml that make another model, or another machine.
_FIXED = ("model.model_config.", "context.", "parallel.", "parallel_config.")
# ... and the exceptions; all other numbers and switches are a team's choice.
_CHOSEN = re.compile(r"model\.model_config\.(seq_length|batch_size|pet_config\.\w+)")
# Words that a team may choose, and keys of its own.
_WORDS = {
    "model.model_config.pet_config.target_modules": re.compile(r"[\w.*|()\\\[\]^$+?-]{1,300}"),
    "optimizer.type": re.compile(r"(LoraPlus)?(AdamW|FP32StateAdamWeightDecay)"),
    "lr_schedule.type": re.compile(r"(Cosine|Linear|Constant)\w{0,40}LR"),
}
_OWN = {"optimizer.lora_plus_ratio"}
_ABSENT = object()


class Plan(NamedTuple):
    """The variables of `make`, as a package was made with.

    given   name of the record file that was trained on instead of the corpus
    init    adapter that the training began with, as it was named
    """

    profile: str
    budget: str
    recipe: str
    seed: int
    cards: int
    hbm: Optional[int] = None
    given: Optional[str] = None
    init: Optional[str] = None

    def words(self) -> List[str]:
        """`PROFILE=tiny`, …; without a value that is none."""
        values = ((name, getattr(self, name)) for name in VARIABLES)
        return [f"{name.upper()}={value}" for name, value in values if value is not None]

    def resolve(self, output: Path, configs: Path) -> None:
        """Write the resolved files of `configs` into `output`."""
        named = {key: getattr(self, key) and Path(getattr(self, key)) for key in ("given", "init")}
        resolve(output, *(getattr(self, name) for name in VARIABLES), configs=configs, **named)


VARIABLES = ("profile", "budget", "recipe", "seed", "cards", "hbm")


def plan_of(package: Package) -> Plan:
    """Read configs/profile.json and records.json; UserError for a value that make would refuse."""
    where = layout.PROFILE
    told = read_resolved(package.folder / where, VARIABLES[:-1])
    told.setdefault("hbm", None)  # without cards
    given = read_resolved(package.folder / "configs/records.json", []).get("given")
    for key, most in (("seed", 1 << 32), ("cards", 1024), ("hbm", 1024)):
        is_left_out = key == "hbm" and told[key] is None
        if not is_left_out and (type(told[key]) is not int or not 0 < told[key] <= most):
            raise UserError(f"{key} is {told[key]!r:.40}", where, "ask the team")
    names = [check_name(str(told[key]), where) for key in ("profile", "budget", "recipe")]
    if given is not None:
        given = check_name(given if isinstance(given, str) else "", "configs/records.json")
    init = read_resolved(package.folder / layout.TRAINING, []).get("init")
    if init is not None and not (isinstance(init, str) and 0 < len(init) <= _LONGEST_PATH):
        raise UserError(f"init is {init!r:.40}", layout.TRAINING, "ask the team")
    return Plan(*names, told["seed"], told["cards"], told["hbm"], given, init)


def differences(package: Package, plan: Plan, configs: Path, work: Path) -> List[str]:
    """What the package ran otherwise than `configs` resolve to: `file: key`."""
    if not (configs / "recipes" / f"{plan.recipe}.yaml").is_file():
        return [f"there is no recipe {plan.recipe}"]
    shutil.rmtree(work, ignore_errors=True)
    plan.resolve(work, configs)
    found = []
    for path in sorted(work.iterdir()):
        parse = yaml.safe_load if path.suffix == ".yaml" else json.loads
        theirs = package.folder / "configs" / path.name
        if not theirs.is_file():
            found.append(f"{path.name}: missing")
            continue
        ours, said = (flat(parse(file.read_text("utf-8"))) for file in (path, theirs))
        found += [
            f"{path.name}: {key}"
            for key in sorted({*ours, *said})
            # 1 and 1.0 are the same number, True is none.
            if ours.get(key, _ABSENT) != said.get(key, _ABSENT)
            or isinstance(ours.get(key), bool) != isinstance(said.get(key), bool)
        ]
    return found


def take_over(contents: Contents, plan: Plan, target: Path, work: Path) -> None:
    """Put the package's profile, recipe and finetune.yaml into `target`, a copy of our configs.

    Raises CheckFailed, naming each key, where one holds what is not a team's to choose, UserError
    where one does not fit its schema.
    """
    ours = CONFIGS / plan.profile
    if not (ours / "profile.yaml").is_file():
        what = f"there is no profile {plan.profile} in this checkout"
        raise UserError(what, layout.PROFILE, "grade with a checkout that has it")
    names = [f"{plan.profile}/{name}" for name in ("profile.yaml", "finetune.yaml")]
    names.append(f"recipes/{plan.recipe}.yaml")
    for name in names:
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(contents.read(f"source/configs/{name}", _LARGEST))
        except KeyError as error:
            raise UserError("no such file", f"source/configs/{name}", "ask the team") from error
        except BROKEN as error:
            raise UserError(f"damaged ({error})", f"source/configs/{name}") from error
    profile, recipe = read_profile(work / names[0]), read_recipe(plan.recipe, work)
    native = read_finetune(work / names[1])
    faults = [*_other_model(profile, read_profile(ours / "profile.yaml"))]
    faults += _not_chosen(native, read_finetune(ours / "finetune.yaml"))
    if faults:
        what = f"holds what a team cannot choose: {'; '.join(faults)}"
        raise CheckFailed(what, "source/configs", "ask the team for the change as a patch")
    _dump(profile.model_dump(), target / names[0])
    _dump(native, target / names[1])
    _dump(recipe.model_dump(), target / names[2])


def _other_model(theirs: Profile, ours: Profile) -> Iterator[str]:
    for key in ("model", "tokenizer", "artifacts", "device"):
        if getattr(theirs, key) != getattr(ours, key):
            yield f"profile.yaml: {key}"


def _not_chosen(theirs: Dict[str, Any], ours: Dict[str, Any]) -> Iterator[str]:
    said, known = flat(theirs), flat(ours)
    for key in sorted({*said, *known}):
        if said.get(key, _ABSENT) != known.get(key, _ABSENT) and not _is_chosen(
            key, said.get(key, _ABSENT), known.get(key, _ABSENT)
        ):
            yield f"finetune.yaml: {key}"


def _is_chosen(key: str, said: Any, known: Any) -> bool:
    """Whether a team may put `said` in the place of our `known`."""
    if key in _OWN:
        return _is_number(said) or said is _ABSENT
    if key in _WORDS:
        return isinstance(said, str) and bool(_WORDS[key].fullmatch(said))
    if key.startswith(_FIXED) and not _CHOSEN.fullmatch(key):
        return False
    both_switches = isinstance(said, bool) and isinstance(known, bool)
    return both_switches or (_is_number(said) and _is_number(known))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _dump(value: Any, path: Path) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
