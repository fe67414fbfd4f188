"""How fast a card computes and reads, from what was measured, and how far the formulas are off."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.planning.load import Load, read_load
from tools.planning.memory import GIB, training_terms
from tools.planning.operations import decoding_step, prefill
from tools.planning.operations import training_step as operations_of
from tools.planning.sizes import sizes_of
from tools.settings.measured import (
    MEASURED_FILE,
    Measured,
    MeasuredDecoding,
    MeasuredMemory,
    MeasuredStep,
    MeasuredTraining,
)
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS, profile_folder
from tools.training.inputs import count_steps


class Speed(NamedTuple):
    """A rate a second of one card (of the machine, on the CPU), in operations or bytes.

    low, high   the least and the most that was measured; `middle` is the geometric mean.
    count       of how many figures
    """

    low: float
    middle: float
    high: float
    count: int


class Residual(NamedTuple):
    """A measured figure and the formula's; `unit` of both. `bound`: it is known to be less."""

    name: str
    what: str
    unit: str
    measured: float
    formula: float
    bound: bool
    origin: str

    @property
    def error(self) -> float:
        """Formula over measured, less one; negative where the formula says less."""
        return self.formula / self.measured - 1


def speed_of(spans: Sequence[Sequence[float]]) -> Speed:
    """The rates of several figures together; each has one rate, or a least and a most."""
    values = [value for span in spans for value in (min(span), max(span))]
    middle = math.exp(sum(map(math.log, values)) / len(values))
    return Speed(min(values), middle, max(values), len(spans))


@cache
def profile_load(profile: str, configs: Path = CONFIGS) -> Load:
    """What the profile's finetune.yaml asks, on one card."""
    path = profile_folder(profile, configs) / "finetune.yaml"
    native = read_finetune(path)
    native["parallel_config"]["model_parallel"] = 1
    return read_load(native, str(path), 1)


def load_of_step(point: MeasuredStep) -> Load:
    """The training that was timed."""
    load = profile_load(point.profile)
    shares = point.cards // point.model_parallel
    return _loaded(load, point, point.batch // shares)


def load_of_memory(point: MeasuredMemory) -> Load:
    """The training whose memory is known."""
    return _loaded(profile_load(point.profile), point, point.batch)


def _loaded(load: Load, point: MeasuredTraining, batch: int) -> Load:
    several = point.model_parallel > 1
    return replace(
        load,
        lora=LoraConfig(point.rank, 2.0 * point.rank, point.targets),
        cards=point.cards,
        model_parallel=point.model_parallel,
        batch=batch,
        length=point.length,
        outputs=point.outputs,
        recompute=point.recompute,
        # As the contest's configs have it.
        slice_inputs=several,
        whole_vocab=several,
    )


def step_seconds(point: MeasuredStep, measured: Measured) -> List[float]:
    """The least and the most seconds of a step that the figure allows."""
    if point.step_seconds:
        return list(point.step_seconds)
    steps = count_steps(point.rows, point.batch, 1, point.epochs)
    start = measured.around[profile_load(point.profile).device].start_seconds
    return [(3600 * hours - start) / steps for hours in point.hours]


def training_speed(measured: Measured, device: str, splits_model: bool) -> Speed:
    """Operations a second of a card in trainings of the same kind.

    A model that is split over cards waits for sums of activations four times a layer and multiplies
    smaller matrices: such trainings are kept apart. On the CPU it is the whole machine's.
    """
    rates = []
    for point in measured.steps:
        load = load_of_step(point)
        if load.device == device and (load.model_parallel > 1) == splits_model:
            done = operations_of(load)
            cards = 1 if device == "CPU" else point.cards
            rates.append([done / cards / seconds for seconds in step_seconds(point, measured)])
    if not rates:
        raise UserError(
            f"holds no training on {device} with a model that is "
            f"{'split' if splits_model else 'whole'}",
            MEASURED_FILE,
            "add one that was timed, or plan by a log (--log)",
        )
    return speed_of(rates)


def prefill_speed(measured: Measured, device: str) -> Speed:
    """Operations a second of a prompt's pass; a training's where none was measured."""
    points = [p for p in measured.decoding if _device(p) == device and p.padded]
    if not points:
        return training_speed(measured, device, False)
    return speed_of(
        [
            [p.batch * prefill(profile_load(p.profile).shape, p.padded) / p.prefill_seconds]
            for p in points
        ]
    )


def reading_speed(measured: Measured, device: str) -> Speed:
    """Bytes of weights a second while one row is decoded: what bounds its steps."""
    points = [p for p in measured.decoding if _device(p) == device and p.batch == 1]
    compute = prefill_speed(measured, device)
    return speed_of(
        [
            [decoded_bytes(profile_load(p.profile)) / (p.step_seconds - _computing(p, compute))]
            for p in points
        ]
    )


def _computing(point: MeasuredDecoding, speed: Speed) -> float:
    shape = profile_load(point.profile).shape
    return point.batch * decoding_step(shape, 0) / speed.middle


def decoded_bytes(load: Load) -> float:
    """Weights that a step of decoding reads: the products' and the output's."""
    sizes = sizes_of(load.shape)
    return load.compute * (sizes.layers + sizes.output)


def _device(point: MeasuredDecoding) -> str:
    return profile_load(point.profile).device


def residuals(measured: Measured, device: str) -> List[Residual]:
    """Every measured figure of a device beside the formula's, by the middle speeds."""
    found: List[Residual] = []
    for point in measured.steps:
        load = load_of_step(point)
        if load.device != device:
            continue
        speed = training_speed(measured, device, load.model_parallel > 1)
        cards = 1 if device == "CPU" else point.cards
        formula = operations_of(load) / cards / speed.middle
        low, high = step_seconds(point, measured)
        found.append(
            Residual(point.name, "step", "s", (low + high) / 2, formula, False, point.origin)
        )
    compute, read = prefill_speed(measured, device), reading_speed(measured, device)
    for point in measured.decoding:
        if _device(point) != device:
            continue
        load = profile_load(point.profile)
        if point.padded:
            formula = point.batch * prefill(load.shape, point.padded) / compute.middle
            told = point.prefill_seconds
            found.append(Residual(point.name, "prefill", "s", told, formula, False, point.origin))
        formula = decoded_bytes(load) / read.middle + _computing(point, compute)
        told = point.step_seconds
        found.append(Residual(point.name, "new token", "s", told, formula, False, point.origin))
    for point in measured.memory:
        load = load_of_memory(point)
        if load.device != device:
            continue
        formula = sum(training_terms(load, measured.around[device]).values()) / GIB
        told = point.peak_gib or point.fits_gib
        bound = point.fits_gib is not None
        found.append(Residual(point.name, "memory", "GiB", told, formula, bound, point.origin))
    return found


def worst(found: Sequence[Residual]) -> Dict[str, float]:
    """What → the largest error without its sign, of the figures that are no bounds."""
    errors: Dict[str, float] = {}
    for residual in found:
        if not residual.bound:
            errors[residual.what] = max(errors.get(residual.what, 0.0), abs(residual.error))
    return errors
