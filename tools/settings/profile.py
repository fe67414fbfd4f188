"""A profile: which model, how much data, on what device. Data, never code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Literal, Optional, Union

from pydantic import Field, PositiveInt, model_validator

from tools.files.errors import UserError
from tools.settings.lines import Settings, read_settings

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


class ModelSource(Settings):
    """Where the base weights come from, and how parameters are counted."""

    source: Literal["gguf", "seed", "mindspore"]
    file: Optional[str] = None
    tied: bool
    denominator: Optional[PositiveInt] = None

    @model_validator(mode="after")
    def has_its_file(self) -> ModelSource:
        if (self.source == "seed") != (self.file is None):
            raise ValueError("a seed needs no file, every other source one")
        return self


class TokenizerSource(Settings):
    kind: Literal["gguf", "sentencepiece", "file"]
    file: Optional[str] = None


class Splits(Settings):
    """Rows of each split of the arithmetic corpus."""

    train: PositiveInt
    valid: PositiveInt
    test: PositiveInt


class Budget(Settings):
    corpus: Splits
    squad: Optional[PositiveInt] = None
    epochs: PositiveInt


class Evaluation(Settings):
    batch_size: PositiveInt
    max_new_tokens: Dict[Literal["squad", "math"], PositiveInt]
    min_new_tokens: int = Field(ge=0)


class Profile(Settings):
    """configs/NAME/profile.yaml, checked."""

    about: str
    device: Literal["CPU", "Ascend"]
    cards: PositiveInt
    artifacts: List[str]
    model: ModelSource
    tokenizer: TokenizerSource
    prompt: Literal["alpaca", "none", "vicuna", "smollm2"]
    budgets: Dict[Literal["quick", "full"], Budget]
    evaluation: Evaluation


class Recipe(Settings):
    """configs/recipes/NAME.yaml: which kinds, how many, in what style of solution."""

    about: str
    solution: Literal["source"]
    weights: Optional[Dict[str, PositiveInt]] = None


def read_profile(path: Union[str, Path]) -> Profile:
    """Check a profile.yaml; UserError at file:line for every fault."""
    return read_settings(path, Profile)


def profile_folder(name: str, configs: Path = CONFIGS) -> Path:
    """The folder of profile `name`; UserError naming the known ones where there is none."""
    known = sorted(path.parent.name for path in configs.glob("*/profile.yaml"))
    if name not in known:
        raise UserError(
            f"no such profile {name!r}", "PROFILE", f"choose one of: {', '.join(known)}"
        )
    return configs / name


def read_recipe(name: str, configs: Path = CONFIGS) -> Recipe:
    """Check configs/recipes/NAME.yaml; UserError naming the known ones where there is none."""
    known = sorted(path.stem for path in (configs / "recipes").glob("*.yaml"))
    if name not in known:
        raise UserError(f"no such recipe {name!r}", "RECIPE", f"choose one of: {', '.join(known)}")
    return read_settings(configs / "recipes" / f"{name}.yaml", Recipe)


def check_name(value: str, variable: str) -> str:
    """A name that is safe as one folder: letters, digits, `.`, `_` and `-`, not leading dots."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", value):
        raise UserError(
            f"{value!r} is not a name", variable, "use letters, digits, '.', '_' and '-'"
        )
    return value
