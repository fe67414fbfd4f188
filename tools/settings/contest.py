"""The contest's rules, read from configs/contest.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Literal, Optional, Union

from pydantic import Field, field_validator, model_validator

from tools.settings.lines import Settings, read_settings

CONTEST_FILE = Path(__file__).resolve().parents[2] / "configs" / "contest.yaml"


class ReadingScore(Settings):
    """F1 and EM in percent."""

    f1: float = Field(ge=0, le=100)
    em: float = Field(ge=0, le=100)


class SquadRules(Settings):
    """The least F1 and EM of an eligible model: a share of the base model's."""

    questions: int = Field(gt=0)
    baseline: ReadingScore
    keep: float = Field(gt=0, le=1)
    minimum: ReadingScore

    @model_validator(mode="after")
    def minimum_is_the_share(self) -> SquadRules:
        # The published products differ from the computed ones in the 16th digit.
        share = self.share_of(self.baseline)
        if max(abs(share.f1 - self.minimum.f1), abs(share.em - self.minimum.em)) > 1e-9:
            raise ValueError("minimum must be keep * baseline")
        return self

    def share_of(self, baseline: ReadingScore) -> ReadingScore:
        """What a model must keep whose base model had `baseline`."""
        return ReadingScore(f1=self.keep * baseline.f1, em=self.keep * baseline.em)


class ArithmeticRules(Settings):
    """The judge taken for the contest's, and what each judge allows."""

    base_accuracy: float = Field(ge=0, le=1)
    judge: Literal["exact", "rounded", "tolerance", "prefix"]
    minimum_decimals: int = Field(ge=0, le=28)
    absolute_tolerance: float = Field(ge=0, allow_inf_nan=False)
    relative_tolerance: float = Field(ge=0, allow_inf_nan=False)


class ChoiceRules(Settings):
    """The judge taken for the contest's on choice questions."""

    base_accuracy: float = Field(ge=0, le=1)
    judge: Literal["phrase", "letter", "text"]


class Entry(Settings):
    """A row of the published leaderboard; accuracy in percent."""

    team: str = Field(min_length=1)
    accuracy: float = Field(ge=0, le=100)
    ratio: float = Field(ge=0, le=1)
    score: float


class Phase(Settings):
    """score = (1 - ratio_factor * ratio) * ratio_weight + accuracy * accuracy_weight

    task                           what this phase asks.
    denominator, model_parameters  as in `Contest`, for a phase with a model of its own; for its
                                   F1 and EM no minimum is published, only the share to be kept.
    """

    task: Literal["arithmetic", "choices"]
    denominator: Optional[int] = Field(default=None, gt=0)
    model_parameters: Optional[int] = Field(default=None, gt=0)
    ratio_factor: float = Field(gt=0)
    ratio_weight: float = Field(ge=0, le=1)
    accuracy_weight: float = Field(gt=0, le=1)
    leaderboard: List[Entry]

    @field_validator("leaderboard")
    @classmethod
    def best_first(cls, entries: List[Entry]) -> List[Entry]:
        scores = [entry.score for entry in entries]
        if scores != sorted(scores, reverse=True):
            raise ValueError("the best score must come first")
        return entries

    @model_validator(mode="after")
    def weights_add_up(self) -> Phase:
        if abs(self.ratio_weight + self.accuracy_weight - 1) > 1e-9:
            raise ValueError("ratio_weight and accuracy_weight must add up to 1")
        return self

    @model_validator(mode="after")
    def names_its_model_whole(self) -> Phase:
        if (self.denominator is None) != (self.model_parameters is None):
            raise ValueError("denominator and model_parameters go together")
        return self


class Part(Settings):
    """Something that a submission must hold."""

    name: str = Field(pattern=r"^[a-z_]+$")
    what: str = Field(min_length=1)


class Submission(Settings):
    """The archive and its required parts."""

    archive: str = Field(pattern=r"^\{team\}\.zip$")
    parts: List[Part] = Field(min_length=1)


class Contest(Settings):
    """All rules; `denominator` and `model_parameters` count parameters."""

    denominator: int = Field(gt=0)
    model_parameters: int = Field(gt=0)
    checkpoints: int = Field(gt=0)
    squad: SquadRules
    arithmetic: ArithmeticRules
    choices: ChoiceRules
    phases: Dict[int, Phase] = Field(min_length=1)
    submission: Submission

    @model_validator(mode="after")
    def has_one_phase_a_task(self) -> Contest:
        tasks = [phase.task for phase in self.phases.values()]
        if len(set(tasks)) != len(tasks):
            raise ValueError("no two phases may have the same task")
        return self

    def phase_of_task(self, task: str) -> int:
        """The number of the phase that asks `task`; KeyError where none does."""
        return {phase.task: number for number, phase in self.phases.items()}[task]

    def prescribed(self, total: int) -> Optional[int]:
        """What the trained parameters of a model of `total` are divided by; None for a model that
        is none of the contest's, which has its own count for that."""
        found: Dict[int, Optional[int]] = {self.model_parameters: self.denominator}
        for phase in self.phases.values():
            if phase.model_parameters is not None:
                found[phase.model_parameters] = phase.denominator
        return found.get(total)

    def denominators(self) -> List[int]:
        """The prescribed numbers of all phases."""
        others = [phase.denominator for phase in self.phases.values()]
        return [self.denominator, *(number for number in others if number is not None)]


def read_contest(path: Union[str, Path, None] = None) -> Contest:
    """Read the rules, from configs/contest.yaml unless another file is named.

    Raises UserError naming file, line and key of what is wrong.
    """
    return read_settings(path or CONTEST_FILE, Contest)
