"""A plan as plain text: parameters, memory, hours and score."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from tools.files.errors import CheckFailed
from tools.files.progress import format_duration
from tools.planning.hours import spread, step_seconds, training_rates, training_step
from tools.planning.memory import GIB, MARGIN, Limit, cache_bytes, limit_of, refusal
from tools.planning.planned_run import (
    Options,
    Run,
    decoded_positions,
    memory_of,
    read_run,
    seconds_of,
)
from tools.scoring.contest_score import contest_score, low_parameter_ratio, rank_of
from tools.scoring.score_tables import table
from tools.settings.contest import read_contest
from tools.settings.measured import Measured, read_measured
from tools.training.inputs import count_parameters

_GB = 10**9 / GIB
_HOURS = {
    "training": "training, start and checkpoints included",
    "squad": "SQuAD, one model",
    "valid": "validation problems, one checkpoint",
    "test": "test problems, one model",
    "evaluations": "all evaluations, loading included",
    "all": "together",
}


def plan_text(options: Options) -> Tuple[str, Optional[CheckFailed]]:
    """Return the plan, and why it is refused, or None where it fits the memory.

    Raises UserError for bad input.
    """
    run, measured = read_run(options), read_measured()
    around, needs = measured.around[run.load.device], run.settings.needs
    # A card's memory is sold in GiB, the machine's in profile.yaml is in GB.
    hbm = options.hbm or needs.card_memory_gb or needs.memory_gb * _GB
    limit = limit_of(run.load, hbm, around)
    stages = memory_of(run, measured)
    parts = [
        _head(options, run, measured, limit),
        _parameters(run, options.accuracy),
        _memory(run, measured, stages, limit),
        _hours(run, measured),
    ]
    return "\n\n".join(parts), refusal(run.load, stages, limit, around)


def _head(options: Options, run: Run, measured: Measured, limit: Limit) -> str:
    load = run.load
    worker = "worker" if load.device == "CPU" else "card"
    split = f", each share on {load.model_parallel} cards" if load.model_parallel > 1 else ""
    lines = [
        f"{options.profile}, budget {options.budget}, recipe {run.recipe}",
        f"{_several(load.cards, worker)}, {_several(load.data_parallel, 'share')} of "
        f"{_several(load.batch, 'row')} of {load.length} tokens{split}; recompute "
        f"{'full' if load.recompute else 'none'}, flash attention {'on' if load.flash else 'off'}",
        f"{run.rows:,} rows, {_several(run.epochs, 'epoch')}: {_several(run.steps, 'step')}, "
        f"{run.steps * load.step_tokens:,} tokens, "
        f"{run.steps * training_step(load):.3g} operations",
    ]
    return "\n".join(lines + [f"- {note}" for note in _assumptions(run, measured, limit)])


def _several(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _assumptions(run: Run, measured: Measured, limit: Limit) -> List[str]:
    load = run.load
    where = "the machine" if load.device == "CPU" else "a card"
    notes = [f"memory: {limit.usable:.1f} of {limit.total:.1f} GiB, {limit.why}"]
    if load.device == "CPU":
        notes.append("cores: as fast as the two of the ledger; workers share them, and the memory")
    else:
        notes.append("cards: Ascend snt9b, as the contest's; memory by formula, never on a card")
        if load.data_parallel > 1:
            notes.append("shares of the data: as fast as one card alone; no such run was timed")
    rates = training_rates(measured, load.device, load.model_parallel > 1)
    high, middle, low = spread(rates) / 1e12
    share = 100 * middle / measured.around[load.device].peak_teraflops
    notes.append(
        f"speed of {where}: {middle:.3g} TFLOP/s ({low:.3g} to {high:.3g}, of "
        f"{_several(len(rates), 'training')}), {share:.0f} % of its peak"
    )
    notes.append(
        f"evaluation: one process, {run.decode_batch} prompts at once, every answer at its longest"
    )
    return notes + run.notes


def _parameters(run: Run, accuracy: float) -> str:
    load, model, rules = run.load, run.settings.model, read_contest()
    found = count_parameters(load.shape, load.lora, model.tied, model.denominator)
    ratio = low_parameter_ratio(found["trained"], found["denominator"])
    score = contest_score(accuracy, ratio, rules)
    rows = [["parameters", "count"]]
    rows += [[f"  {name}", f"{size:,}"] for name, size in found["by_module"].items()]
    rows += [
        [f"trained, rank {load.lora.rank}", f"{found['trained']:,}"],
        ["base model", f"{found['total']:,}"],
        [f"ratio, of {found['denominator']:,}", f"{ratio:.9f}"],
    ]
    return (
        f"{table(rows)}\nscore at {100 * accuracy:.1f} % accuracy: {score:.6f}, rank "
        f"{rank_of(score, rules)}, if {100 * rules.squad.keep:.0f} % of the base model's reading "
        "is kept"
    )


def _memory(run: Run, measured: Measured, stages: Dict[str, Dict[str, float]], limit: Limit) -> str:
    totals = [sum(terms.values()) for terms in stages.values()]
    rows = [[f"GiB of {'all workers' if run.load.device == 'CPU' else 'a card'}", *stages]]
    for term in dict.fromkeys(term for terms in stages.values() for term in terms):
        sizes = [terms.get(term) for terms in stages.values()]
        rows.append([term, *("" if size is None else f"{size:.2f}" for size in sizes)])
    verdicts = ["fits" if total <= limit.usable else "DOES NOT FIT" for total in totals]
    rows.append(["together", *(f"{total:.2f}" for total in totals)])
    rows.append([f"may use {limit.usable:.2f}", *verdicts])
    text = (
        f"{table(rows)}\nkey-value cache: {cache_bytes(run.load, 1, 1):,.0f} bytes a position, "
        f"{run.decode_batch} rows of {decoded_positions(run, measured)}"
    )
    if (1 - MARGIN) * limit.usable < max(totals) <= limit.usable:
        text += "\nclose: a formula that was never held against a card may be 5 % off"
    return text


def _hours(run: Run, measured: Measured) -> str:
    rows = [["h:mm:ss", "least", "expected", "most"]]
    for name, seconds in seconds_of(run, measured).items():
        rows.append([_HOURS[name], *map(format_duration, seconds)])
    step = ", ".join(f"{seconds:.3f}" for seconds in step_seconds(run.load, measured))
    return f"{table(rows)}\n{run.checkpoints + 1} models are evaluated; a step: {step} s"
