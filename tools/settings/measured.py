"""What trainings and evaluations were measured to take, read from configs/measured.yaml.

Data, so that a run of one's own can be added beside the contest's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Literal, Optional, Tuple, Union

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tools.settings.lines import Settings, read_settings
from tools.settings.profile import CONFIGS

MEASURED_FILE = CONFIGS / "measured.yaml"
Device = Literal["Ascend", "CPU"]
Recompute = Literal["none", "full"]
# The least and the most of a figure that was told in round numbers; twice the same where it was
# measured.
Span = Tuple[PositiveFloat, PositiveFloat]


class MeasuredStep(Settings):
    """How long a step of a training took, or how long all of them.

    batch          rows of a step, of all cards together
    outputs        share of the positions at which the output layer is computed
    step_seconds   of a step without the first; or, in its place:
    hours          of `rows` rows, `epochs` times, start included
    """

    name: str = Field(min_length=1)
    origin: str = Field(min_length=1)
    profile: str
    cards: PositiveInt
    model_parallel: PositiveInt = 1
    batch: PositiveInt
    length: PositiveInt
    rank: PositiveInt
    targets: str
    recompute: Recompute
    outputs: float = Field(default=1, gt=0, le=1)
    step_seconds: Optional[Span] = None
    rows: Optional[PositiveInt] = None
    epochs: Optional[PositiveInt] = None
    hours: Optional[Span] = None

    @model_validator(mode="after")
    def is_timed_once(self) -> MeasuredStep:
        told = [value is not None for value in (self.rows, self.epochs, self.hours)]
        if any(told) != all(told) or all(told) == (self.step_seconds is not None):
            raise ValueError("needs either step_seconds, or rows, epochs and hours")
        return self


class MeasuredDecoding(Settings):
    """Seconds of a call of the decoder: prefill + tokens * step.

    batch    rows at once
    padded   positions that the prefill computed; null where it was not measured
    """

    name: str = Field(min_length=1)
    origin: str = Field(min_length=1)
    profile: str
    batch: PositiveInt
    padded: Optional[PositiveInt]
    prefill_seconds: Optional[PositiveFloat]
    step_seconds: PositiveFloat


class Around(Settings):
    """What comes beside steps and tokens.

    start_seconds      from the launch of a training to its first step
    save_seconds       of a checkpoint
    load_seconds       from the launch of an evaluation to its first answer
    question_seconds   of a question, beside its prefill and tokens
    reserve_gib        of a card, not for the framework
    process_gib        of a training process before it has a layer (CPU)
    layer_gib          of compiling one layer (CPU)
    cores              of the machine that was measured (CPU)
    peak_teraflops     10^12 operations a second that the maker names, for comparison alone
    peak_gigabytes     10^9 bytes a second of its memory, likewise; null where not known
    """

    start_seconds: float = Field(ge=0)
    save_seconds: float = Field(ge=0)
    load_seconds: float = Field(ge=0)
    question_seconds: float = Field(ge=0)
    reserve_gib: float = Field(ge=0)
    process_gib: float = Field(ge=0)
    layer_gib: float = Field(ge=0)
    cores: Optional[PositiveInt] = None
    peak_teraflops: PositiveFloat
    peak_gigabytes: Optional[PositiveFloat] = None


class Lengths(Settings):
    """Tokens of an average prompt; an answer is taken at its greatest length."""

    squad: PositiveInt
    math: PositiveInt


class Measured(Settings):
    """The whole file."""

    steps: List[MeasuredStep] = Field(min_length=1)
    decoding: List[MeasuredDecoding] = Field(min_length=1)
    around: Dict[Device, Around]
    prompt_tokens: Lengths


def read_measured(path: Union[str, Path, None] = None) -> Measured:
    """Read configs/measured.yaml, or another file; UserError at file:line for every fault."""
    return read_settings(path or MEASURED_FILE, Measured)
