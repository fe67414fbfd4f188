"""The contest's rules, read from configs/contest.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import List, Literal, Union

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


class Entry(Settings):
    """A row of the published leaderboard; accuracy in percent."""

    team: str = Field(min_length=1)
    accuracy: float = Field(ge=0, le=100)
    ratio: float = Field(ge=0, le=1)
    score: float


class ScoreWeights(Settings):
    """score = (1 - ratio) * ratio_weight + accuracy * accuracy_weight"""

    ratio_weight: float = Field(ge=0, le=1)
    accuracy_weight: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def weights_add_up(self) -> ScoreWeights:
        if abs(self.ratio_weight + self.accuracy_weight - 1) > 1e-9:
            raise ValueError("ratio_weight and accuracy_weight must add up to 1")
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
    score: ScoreWeights
    leaderboard: List[Entry] = Field(min_length=1)
    submission: Submission

    @field_validator("leaderboard")
    @classmethod
    def best_first(cls, entries: List[Entry]) -> List[Entry]:
        scores = [entry.score for entry in entries]
        if scores != sorted(scores, reverse=True):
            raise ValueError("the best score must come first")
        return entries


def read_contest(path: Union[str, Path, None] = None) -> Contest:
    """Read the rules, from configs/contest.yaml unless another file is named.

    Raises UserError naming file, line and key of what is wrong.
    """
    return read_settings(path or CONTEST_FILE, Contest)
