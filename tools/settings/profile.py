"""A profile: which model, how much data, on what device. Data, never code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Dict, List, Literal, NamedTuple, Optional, Union

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from tools.files.errors import UserError
from tools.settings.lines import Settings, line_at, read_settings

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# Names end up in paths, command lines and run.mk: no folder, no leading dot or dash.
FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"


class ModelSource(Settings):
    """Where the base weights come from, and how parameters are counted."""

    source: Literal["gguf", "seed", "mindspore"]
    file: Optional[str] = Field(default=None, pattern=FILE_NAME)
    tied: bool
    denominator: Optional[PositiveInt] = None

    @model_validator(mode="after")
    def has_its_file(self) -> ModelSource:
        if (self.source == "seed") != (self.file is None):
            raise ValueError("a seed needs no file, every other source one")
        return self


class TokenizerSource(Settings):
    kind: Literal["gguf", "sentencepiece", "file"]
    file: Optional[str] = Field(default=None, pattern=FILE_NAME)

    @model_validator(mode="after")
    def has_its_file(self) -> TokenizerSource:
        if (self.kind == "file") != (self.file is not None):
            raise ValueError("of kind file it names one, of the other kinds none")
        return self


class Splits(Settings):
    """Rows of each split of the corpus; train null: as many as the recipe counts, else all."""

    train: Optional[PositiveInt]
    valid: PositiveInt
    test: PositiveInt


class Budget(Settings):
    """How much is trained and asked, and of which recipe where RECIPE names none."""

    recipe: str
    corpus: Splits
    squad: Optional[PositiveInt] = None
    epochs: PositiveInt


class Evaluation(Settings):
    batch_size: PositiveInt
    max_new_tokens: Dict[Literal["squad", "math"], PositiveInt]
    min_new_tokens: int = Field(ge=0)


# Part of RUN's default, hence of a folder's name.
BudgetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Frame = Literal["alpaca", "none", "response", "stanford", "vicuna", "smollm2"]


class Fit(Settings):
    """What a recipe needs with this model: room for longer solutions, another learning rate."""

    seq_length: Optional[PositiveInt] = None
    batch_size: Optional[PositiveInt] = None
    max_new_tokens: Optional[PositiveInt] = None
    learning_rate: Optional[PositiveFloat] = None


class Disk(Settings):
    """Disk space by where it is needed, GB of 10^9 bytes; the Makefile knows that of .venv."""

    material: float = Field(ge=0)
    run: float = Field(ge=0)


class Needs(Settings):
    """What the profile asks of a machine.

    memory_gb is that of all processes of a run at once, with as many workers as `cards` says;
    the last three are asked of machines with cards alone.
    """

    python: str = Field(pattern=r"^3\.[0-9]+( to 3\.[0-9]+)?$")
    cores: PositiveInt
    memory_gb: PositiveFloat
    disk_gb: Disk
    card_memory_gb: Optional[PositiveInt] = None
    mindspore: Optional[str] = None
    cann: Optional[str] = None


# Text, as the options of a card below are.
CardSize = Annotated[str, Field(pattern=r"^[1-9][0-9]*GB$")]


class Card(Settings):
    """What one card of a size takes in training; `make plan` says what fits and why.

    tokens             a step: the batch is so many rows as make them up at the recipe's length
    recompute          whether a layer's activations are computed anew in the backward pass
    max_device_memory  what MindSpore may take of the card, as its context wants it: "26GB"
    """

    tokens: PositiveInt
    recompute: bool
    max_device_memory: str = Field(pattern=r"^[1-9][0-9]*GB$")


class Profile(Settings):
    """configs/NAME/profile.yaml, checked.

    bfloat16_matmul  whether a training multiplies in bfloat16 where the processor has units for
                     it; on Ascend finetune.yaml's compute_dtype says how is multiplied.
    """

    about: str
    device: Literal["CPU", "Ascend"]
    cards: PositiveInt
    artifacts: List[str]
    needs: Needs
    model: ModelSource
    tokenizer: TokenizerSource
    prompt: Frame
    pack: bool
    bfloat16_matmul: bool = False
    budgets: Dict[BudgetName, Budget]
    evaluation: Evaluation
    recipes: Dict[str, Fit] = Field(default_factory=dict)
    hardware: Dict[CardSize, Card] = Field(default_factory=dict)

    @field_validator("budgets")
    @classmethod
    def has_the_default(cls, budgets: Dict[str, Budget]) -> Dict[str, Budget]:
        if "quick" not in budgets:
            raise ValueError("quick is missing, which make takes by default")
        return budgets

    @model_validator(mode="after")
    def asks_for_its_device(self) -> Profile:
        for key in ("card_memory_gb", "mindspore", "cann"):
            if (getattr(self.needs, key) is not None) != (self.device == "Ascend"):
                raise ValueError(f"needs.{key} is for Ascend, and asked for there")
        if self.bfloat16_matmul and self.device != "CPU":
            raise ValueError("bfloat16_matmul is for the CPU: set compute_dtype in finetune.yaml")
        own = f"{self.needs.card_memory_gb}GB"
        if (self.device == "Ascend") != (own in self.hardware):
            raise ValueError("hardware is for Ascend, and has there an entry for card_memory_gb")
        return self


class StyleChoice(Settings):
    """How the problems of one kind are worked out; names as in tools/corpus/worked/styles.py."""

    style: str
    decimals: Optional[int] = Field(default=None, ge=0, le=20)
    significant: Optional[int] = Field(default=None, ge=1, le=20)


class ResolvedStyle(StyleChoice):
    """A style as corpus.json has it, with the recipe's separator."""

    separator: Literal["", " "] = ""


Exponent = Annotated[int, Field(ge=0, le=5)]


class Recipe(Settings):
    """configs/recipes/NAME.yaml: which kinds, how many, in what style of solution, what prompt.

    counts     training rows by kind; null: in the proportions of the source's unique problems.
               They are proportions where a budget states how many rows there are in all.
    repeat     how many times a problem may be repeated where its kind has fewer than that.
    exponents  powers that are trained; null: all. What is asked is not narrowed.
    reading    copies of the embedded reading questions that are for training.
    styles     by kind; without one, the source's own solution.
    separator  between digits of different columns in solutions of the style `columns`: a space
               for vocabularies that join digits into one token.
    prompt     the frame around each problem, in training and inference; null: the profile's.
    """

    about: str
    counts: Optional[Dict[str, PositiveInt]] = None
    repeat: PositiveInt = 1
    exponents: Optional[List[Exponent]] = Field(default=None, min_length=1)
    reading: int = Field(default=0, ge=0)
    styles: Dict[str, StyleChoice] = Field(default_factory=dict)
    separator: Literal["", " "] = ""
    prompt: Optional[Frame] = None


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


def read_recipe(name: str, configs: Path = CONFIGS, where: str = "RECIPE") -> Recipe:
    """Check configs/recipes/NAME.yaml; UserError naming the known ones where there is none.

    where   what names the recipe: the variable, or a profile's file:line
    """
    known = sorted(path.stem for path in (configs / "recipes").glob("*.yaml"))
    if name not in known:
        raise UserError(f"no such recipe {name!r}", where, f"choose one of: {', '.join(known)}")
    return read_settings(recipe_path(name, configs), Recipe)


def recipe_path(name: str, configs: Path = CONFIGS) -> Path:
    """Return the file of a recipe."""
    return configs / "recipes" / f"{name}.yaml"


class Chosen(NamedTuple):
    """A profile with one of its budgets, and the recipe that is taught."""

    folder: Path
    settings: Profile
    budget: Budget
    recipe: str
    mix: Recipe


def choose(profile: str, budget: str, recipe: Optional[str], configs: Path = CONFIGS) -> Chosen:
    """Read what the names stand for; without a recipe, the budget's.

    Raises UserError naming the known ones for a name that is none, and at file:line for faults.
    """
    folder = profile_folder(profile, configs)
    path = folder / "profile.yaml"
    settings = read_profile(path)
    if budget not in settings.budgets:
        raise UserError(
            f"no such budget {budget!r}", "BUDGET", f"choose one of: {', '.join(settings.budgets)}"
        )
    where = "RECIPE" if recipe else f"{path}:{line_at(path, 'budgets', budget, 'recipe')}"
    name = recipe or settings.budgets[budget].recipe
    return Chosen(
        folder, settings, settings.budgets[budget], name, read_recipe(name, configs, where)
    )


def check_name(value: str, variable: str) -> str:
    """A name that is safe as one folder: letters, digits, `.`, `_` and `-`, not leading dots."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", value):
        raise UserError(
            f"{value!r} is not a name", variable, "use letters, digits, '.', '_' and '-'"
        )
    return value
