"""Whether a training and a decoding fit, which term is too large, and what would make them fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Iterator, NamedTuple, Optional, Tuple

from tools.files.errors import CheckFailed
from tools.planning.load import FULL, Load
from tools.planning.memory import GIB, training_terms
from tools.settings.measured import Around

# What a formula that was never held against a card should leave free, of what may be used.
MARGIN = 0.05


class Limit(NamedTuple):
    """GiB that a card has, or the machine on the CPU, and that the terms may take of it."""

    total: float
    usable: float
    why: str


def limit_of(load: Load, hbm: float, reserve: Optional[float], around: Around) -> Limit:
    """The limit of a card of `hbm` GiB.

    reserve   GiB for the driver, CANN and the communication; None: as measured.yaml has it, or
              what max_device_memory of the YAML leaves, where that is less than the card has
    """
    if load.device == "CPU":
        return Limit(hbm, hbm - (reserve or 0), "the machine's memory")
    if reserve is None and load.most_memory is not None and load.most_memory < hbm:
        return Limit(hbm, load.most_memory, "max_device_memory of the config")
    kept = around.reserve_gib if reserve is None else reserve
    return Limit(hbm, hbm - kept, f"{kept:g} GiB stay for driver, CANN and communication")


def processes(load: Load) -> int:
    """How many times the terms are there in one memory: a card each, all workers on the CPU."""
    return load.cards if load.device == "CPU" else 1


def needed(load: Load, around: Around) -> float:
    """GiB of a training step, in one memory."""
    return processes(load) * sum(training_terms(load, around).values()) / GIB


def refusal(
    load: Load, stages: Dict[str, Dict[str, float]], limit: Limit, around: Around
) -> Optional[CheckFailed]:
    """None where all fits; else which stage does not, its largest term, and what would help.

    stages   "training" and "decoding", each term → GiB
    """
    for stage, terms in stages.items():
        whole = sum(terms.values())
        if whole <= limit.usable:
            continue
        name = max(terms, key=lambda term: terms[term])
        what = (
            f"{stage} needs {whole:.1f} GiB, {limit.usable:.1f} may be used ({limit.why}); "
            f"the largest term is {name}, {terms[name]:.1f} GiB"
        )
        remedy = "decode fewer prompts at once (evaluation.batch_size)"
        if stage == "training":
            remedy = _remedy(load, limit, around)
        return CheckFailed(what, "HBM" if load.device != "CPU" else "memory", remedy)
    return None


def _remedy(load: Load, limit: Limit, around: Around) -> str:
    for words, changed in smaller(load):
        size = needed(changed, around)
        if size <= (1 - MARGIN) * limit.usable:
            return f"{words}: {size:.1f} GiB"
    return "take cards with more memory, or more cards and model_parallel"


def smaller(load: Load) -> Iterator[Tuple[str, Load]]:
    """What one may change, the cheapest first: (words, the changed load)."""
    # Whether MindFormers recomputes on the CPU was not tried.
    words = ""
    if load.device != "CPU" and load.recompute != FULL:
        load = replace(load, recompute=FULL)
        yield "recompute fully (recompute_config.recompute: True)", load
        words = "recompute fully, and "
    batch = load.batch
    while batch > 1:
        batch //= 2
        yield f"{words}take batch_size {batch}", replace(load, batch=batch)
    if load.device != "CPU" and load.cards > 1 and load.model_parallel < load.cards:
        # As the contest's configs split a model: what stays of a step's rows is then one share's.
        yield (
            f"{words}split the model (model_parallel {load.cards}, batch_size {load.batch})",
            replace(load, model_parallel=load.cards, slice_inputs=True, whole_vocab=True),
        )
    if load.device == "CPU" and load.cards > 1:
        yield "take batch_size 1 and CARDS=1", replace(load, batch=1, cards=1)
    length = load.length
    while length > 64:
        length //= 2
        yield (
            f"{words}take batch_size 1 and seq_length {length}",
            replace(load, batch=1, length=length),
        )


def as_gib(terms: Dict[str, float], count: int = 1) -> Dict[str, Any]:
    """Term → GiB of `count` of them together."""
    return {name: count * value / GIB for name, value in terms.items()}
