"""Seconds of a training and of an evaluation: operations, and how fast they were measured to be.

Speeds and seconds are arrays of three: by the fastest figure of configs/measured.yaml, by the
geometric mean of all, by the slowest. A multiply-add counts as two operations. In a full
fine-tuning each parameter takes 6 a token (Kaplan et al., 2020, arXiv 2001.08361): 2 in the forward
pass, 2 for the gradient of what comes in, 2 for its own. A frozen one takes 4.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import List, Sequence

import numpy as np

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig
from tools.llama.shape import LlamaShape
from tools.planning.load import Load, layer_matrices, profile_load, trained_of
from tools.planning.memory import cache_bytes
from tools.settings.measured import MEASURED_FILE, Measured, MeasuredDecoding, MeasuredStep
from tools.training.inputs import count_steps


def attention(shape: LlamaShape, length: int) -> int:
    """Return the operations of one position's scores and sums over `length` others, in all layers.

    The half that the mask hides is computed too.
    """
    return 4 * shape.num_layers * shape.hidden_size * length


def training_step(load: Load) -> float:
    """Return the operations of one step, over all cards, recomputation included."""
    layers, adapter = layer_matrices(load.shape), trained_of(load)
    attended = attention(load.shape, load.length)
    forward = 2 * (layers + adapter) + attended
    # What comes in, and LoRA's own gradients.
    backward = 2 * (layers + adapter) + 2 * attended + 2 * adapter
    again = forward if load.recompute else 0
    output = load.outputs * 4 * load.shape.vocab_size * load.shape.hidden_size
    return load.step_tokens * (forward + backward + again + output)


def prefill(shape: LlamaShape, positions: int) -> float:
    """Return the operations of a prompt, the output layer at the last position alone."""
    layers = 2 * layer_matrices(shape) + attention(shape, positions)
    return positions * layers + 2 * shape.vocab_size * shape.hidden_size


def decoding_step(shape: LlamaShape, positions: int) -> float:
    """Return the operations of one new token after `positions` others."""
    return 2 * _read_each_step(shape) + attention(shape, positions)


def decoded_bytes(load: Load) -> float:
    """Return the bytes of weights that a step of decoding reads."""
    return load.compute * _read_each_step(load.shape)


def _read_each_step(shape: LlamaShape) -> int:
    return layer_matrices(shape) + shape.vocab_size * shape.hidden_size


def spread(rates: Sequence[Sequence[float]]) -> np.ndarray:
    """Return the most, the geometric mean and the least of rates, each a least and a most."""
    values = np.array(rates)
    return np.array([values.max(), math.exp(np.log(values).mean()), values.min()])


def load_of(point: MeasuredStep, batch: int) -> Load:
    """Return the training that was measured, with `batch` rows a share of the data."""
    return replace(
        profile_load(point.profile),
        lora=LoraConfig(point.rank, 2.0 * point.rank, point.targets),
        cards=point.cards,
        model_parallel=point.model_parallel,
        batch=batch,
        length=point.length,
        outputs=point.outputs,
        recompute=point.recompute == "full",
    )


def measured_seconds(point: MeasuredStep, measured: Measured) -> List[float]:
    """Return the least and the most seconds of a step that the figure allows."""
    if point.step_seconds:
        return list(point.step_seconds)
    steps = count_steps(point.rows, point.batch, 1, point.epochs)
    start = measured.around[profile_load(point.profile).device].start_seconds
    return [(3600 * hours - start) / steps for hours in point.hours]


def training_rates(measured: Measured, device: str, splits_model: bool) -> List[List[float]]:
    """Return operations a second of a card in each measured training of the kind: least and most.

    A model that is split over cards waits for sums of activations four times a layer and multiplies
    smaller matrices: such trainings are kept apart. On the CPU it is the whole machine's.
    """
    rates = []
    for point in measured.steps:
        shares = point.cards // point.model_parallel
        load = load_of(point, point.batch // shares)
        if load.device == device and (load.model_parallel > 1) == splits_model:
            done = training_step(load) / _sharing(load)
            rates.append([done / seconds for seconds in measured_seconds(point, measured)])
    if not rates:
        kind = "split" if splits_model else "whole"
        what = f"holds no training on {device} with a model that is {kind}"
        raise UserError(what, MEASURED_FILE, "add one that was timed")
    return rates


def _sharing(load: Load) -> int:
    """Return how many share a step's operations; workers on the CPU are on one machine."""
    return 1 if load.device == "CPU" else load.cards


def prefill_speed(measured: Measured, device: str) -> np.ndarray:
    """Return operations a second of a prompt's pass; a training's where none was measured."""
    rates = []
    for point in _decodings(measured, device):
        if point.padded:
            done = point.batch * prefill(profile_load(point.profile).shape, point.padded)
            rates.append([done / point.prefill_seconds])
    return spread(rates or training_rates(measured, device, False))


def reading_speed(measured: Measured, device: str) -> np.ndarray:
    """Return bytes of weights a second while one row is decoded: what bounds its steps."""
    compute = prefill_speed(measured, device)[1]
    rates = []
    for point in _decodings(measured, device):
        if point.batch == 1:
            load = profile_load(point.profile)
            reading = point.step_seconds - decoding_step(load.shape, 0) / compute
            rates.append([decoded_bytes(load) / reading])
    return spread(rates)


def _decodings(measured: Measured, device: str) -> List[MeasuredDecoding]:
    return [p for p in measured.decoding if profile_load(p.profile).device == device]


def step_seconds(load: Load, measured: Measured) -> np.ndarray:
    """Return the seconds of a training step.

    The cards of a model share its operations; shares of the data work at the same time, and what
    they exchange, LoRA's gradients alone, is not counted.
    """
    rates = training_rates(measured, load.device, load.model_parallel > 1)
    return training_step(load) / _sharing(load) / spread(rates)


def training_seconds(load: Load, steps: int, checkpoints: int, measured: Measured) -> np.ndarray:
    """Return the seconds from launch to the last checkpoint."""
    around = measured.around[load.device]
    fixed = around.start_seconds + checkpoints * around.save_seconds
    return step_seconds(load, measured) * steps + fixed


def answering_seconds(
    load: Load, questions: int, prompt: int, new: int, batch: int, measured: Measured
) -> np.ndarray:
    """Return one card's seconds for `questions` prompts of `prompt` tokens, `batch` at once.

    Every answer is taken to have all its `new` tokens: what follows its end is less.
    Each step reads all weights and the cache of the batch, and computes a token of each row.
    """
    compute, reading = prefill_speed(measured, load.device), reading_speed(measured, load.device)
    rows = min(batch, questions)
    positions = prompt + new // 2
    read = decoded_bytes(load) + cache_bytes(load, rows, positions)
    step = read / reading + rows * decoding_step(load.shape, positions) / compute
    call = rows * prefill(load.shape, prompt) / compute + new * step
    beside = questions * measured.around[load.device].question_seconds
    return math.ceil(questions / rows) * call + beside
