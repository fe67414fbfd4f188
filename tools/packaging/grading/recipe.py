"""What a package was made with, as data: its variables of `make`, profile, recipe, finetune.yaml.

Of the package's own configs is taken over only what a team may choose: each file is read against
its schema and written anew, the model and where it comes from must be ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator

import yaml

from tools.files.errors import CheckFailed, UserError
from tools.packaging import layout
from tools.packaging.config_check import finetune_faults
from tools.packaging.grading.comparison import flat, unlike
from tools.packaging.grading.unpack import CONFIGS, Package
from tools.settings.native import read_finetune
from tools.settings.profile import check_name, profile_folder, read_profile, read_recipe
from tools.settings.resolve import read_resolved

# Keys of finetune.yaml that a team chooses, within what the schema allows; ...
_CHOSEN = re.compile(
    r"(optimizer|lr_schedule)\..+|model\.model_config\.(seq_length|batch_size|pet_config\..+)"
)
# ... any other number or switch too, but for those that make another model or another machine.
_FIXED = re.compile(r"(model\.model_config|context|parallel|parallel_config)\..+")
_NAMES, _NUMBERS = ("profile", "budget", "recipe"), {"seed": 1 << 32, "cards": 1024, "hbm": 1024}


def variables_of(package: Package) -> Dict[str, Any]:
    """Return the variables of `make`, in lower case, as configs/profile.json has them.

    "hbm" is None without cards. Raises UserError for a value that make would refuse.
    """
    told = read_resolved(package.folder / layout.PROFILE, [*_NAMES, "seed", "cards"])
    found = {key: check_name(str(told[key]), layout.PROFILE) for key in _NAMES}
    for key, most in _NUMBERS.items():
        found[key] = value = told.get(key)
        left_out = key == "hbm" and value is None
        if not left_out and (type(value) is not int or not 0 < value <= most):
            raise UserError(f"{key} is {value!r:.40}", layout.PROFILE, "ask the team")
    return found


def take_over(package: Package, profile: str, recipe: str, target: Path) -> None:
    """Put the package's profile, recipe and finetune.yaml into `target`, a copy of our configs.

    Raises CheckFailed, naming each key, where one holds what is not a team's to choose, UserError
    where one does not fit its schema, or there is no such profile in this checkout.
    """
    theirs, ours = package.folder / CONFIGS / profile, profile_folder(profile)
    settings, known = (read_profile(folder / "profile.yaml") for folder in (theirs, ours))
    mix = read_recipe(recipe, theirs.parent)
    native = read_finetune(theirs / "finetune.yaml")
    text = (theirs / "finetune.yaml").read_text("utf-8-sig")
    faults = [what for _, what in finetune_faults(text)]
    faults += _not_chosen(flat(native), flat(read_finetune(ours / "finetune.yaml")))
    fixed = ("model", "tokenizer", "artifacts", "device")
    faults += [f"profile.yaml: {k}" for k in fixed if getattr(settings, k) != getattr(known, k)]
    if faults:
        what = f"holds what a team cannot choose: {'; '.join(faults)}"
        raise CheckFailed(what, "source/configs", "ask the team for the change as a patch")
    _dump(settings.model_dump(), target / profile / "profile.yaml")
    _dump(native, target / profile / "finetune.yaml")
    _dump(mix.model_dump(), target / "recipes" / f"{recipe}.yaml")


def _not_chosen(said: Dict[str, Any], known: Dict[str, Any]) -> Iterator[str]:
    for key in unlike(said, known, "same"):
        numbers = all(isinstance(side.get(key), (int, float)) for side in (said, known))
        if not _CHOSEN.fullmatch(key) and (_FIXED.fullmatch(key) or not numbers):
            yield f"finetune.yaml: {key}"


def _dump(value: Any, path: Path) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
