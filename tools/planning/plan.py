"""A plan: parameters, memory, hours, score, and what twice as much of something costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tools.files.errors import CheckFailed, UserError
from tools.planning import fit, hours
from tools.planning.dry_run import dry_run
from tools.planning.figure import draw_memory
from tools.planning.load import Load
from tools.planning.memory import cache_bytes, decoding_terms, training_terms
from tools.planning.operations import training_step
from tools.planning.setup import Changes, Setup, read_setup
from tools.planning.sizes import trained_of
from tools.planning.speed import residuals, training_speed, worst
from tools.planning.step_log import median_step
from tools.scoring.contest import contest_score, low_parameter_ratio, rank_of
from tools.settings.contest import Contest, read_contest
from tools.settings.measured import Measured, read_measured
from tools.settings.profile import CONFIGS
from tools.training.inputs import count_parameters, count_steps

# Accuracies beside the expected one, in the table of scores.
_AROUND = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
_GB = 10**9 / (1 << 30)


class Asked(NamedTuple):
    """The command's options; docs/planning.md explains them."""

    profile: str
    budget: str
    recipe: Optional[str]
    cards: Optional[int]
    hbm: Optional[float]
    reserve: Optional[float]
    accuracy: float
    changes: Changes = Changes()
    records: Optional[Path] = None
    finetune: Optional[Path] = None
    log: Optional[Path] = None
    configs: Path = CONFIGS


def present(
    asked: Asked, figure: Optional[Path] = None, depth: Optional[str] = None
) -> Tuple[Dict[str, Any], Optional[CheckFailed]]:
    """The plan in its JSON form, and why it is refused, or None where it fits.

    figure   PNG to draw
    depth    of a dry run, whose result is added as "dry_run": "build" or "compile"
    Raises UserError for bad input, CheckFailed where a dry run does not agree with the formulas.
    """
    setup, measured, rules = _read(asked)
    limit = _limit(asked, setup, measured)
    plan = make_plan(asked, setup, measured, rules, limit)
    around = measured.around[setup.load.device]
    if figure:
        each = "worker" if setup.load.device == "CPU" else "card"
        several = "" if setup.load.cards == 1 else "s"
        title = f"{asked.profile}, recipe {setup.recipe}, {setup.load.cards} {each}{several}"
        draw_memory(setup.load, limit, around, title, figure)
    if depth:
        plan["dry_run"] = dry_run(setup.native, setup.load, depth)
    stages = {name: stage["terms"] for name, stage in plan["memory"]["stages"].items()}
    return plan, fit.refusal(setup.load, stages, limit, around)


def _read(asked: Asked) -> Tuple[Setup, Measured, Contest]:
    rules = read_contest()
    setup = read_setup(
        asked.profile,
        asked.budget,
        asked.recipe,
        asked.cards,
        asked.hbm,
        rules,
        asked.changes,
        asked.records,
        asked.finetune,
        asked.configs,
    )
    if not trained_of(setup.load.shape, setup.load.lora):
        raise UserError(
            f"target_modules {setup.load.lora.targets!r} matches no module",
            setup.config,
            "correct the regex",
        )
    return setup, read_measured(), rules


def make_plan(
    asked: Asked, setup: Setup, measured: Measured, rules: Contest, limit: fit.Limit
) -> Dict[str, Any]:
    """Work the plan out.

    Memory in GiB (2^30 bytes) of one card, or of all workers on the CPU; hours as {"low", "middle",
    "high"}; "fits" says whether training and decoding keep to the limit.
    """
    load = setup.load
    logged = median_step(asked.log) if asked.log else None
    parameters = _parameters(setup, load)
    memory = _memory(setup, measured, limit)
    found = residuals(measured, load.device)
    largest = max(part["total"] for part in memory["stages"].values())
    return {
        "profile": asked.profile,
        "budget": asked.budget,
        "recipe": setup.recipe,
        "config": setup.config,
        "training": _training(setup),
        "assumptions": _assumptions(setup, measured, limit, logged is not None),
        "parameters": parameters,
        "memory": memory,
        "hours": _hours(setup, measured, logged),
        "score": _score(parameters, asked.accuracy, rules),
        "doubling": _doubling(setup, asked, rules, measured, logged),
        "calibration": [{**r._asdict(), "error": r.error} for r in found],
        "errors": worst(found),
        "fits": largest <= limit.usable,
        "close": (1 - fit.MARGIN) * limit.usable < largest <= limit.usable,
    }


def _limit(asked: Asked, setup: Setup, measured: Measured) -> fit.Limit:
    needs = setup.settings.needs
    hbm = asked.hbm
    if hbm is None:
        # A card's memory is sold in GiB, the machine's in profile.yaml is in GB.
        hbm = needs.card_memory_gb if needs.card_memory_gb else needs.memory_gb * _GB
    limit = fit.limit_of(setup.load, hbm, asked.reserve, measured.around[setup.load.device])
    if limit.usable <= 0:
        raise UserError(f"of {hbm:g} GiB nothing is left", "HBM", "give the memory of one card")
    return limit


def _training(setup: Setup) -> Dict[str, Any]:
    load = setup.load
    steps = count_steps(setup.rows, load.batch, load.data_parallel, setup.epochs)
    return {
        "device": load.device,
        "cards": load.cards,
        "data_parallel": load.data_parallel,
        "model_parallel": load.model_parallel,
        "batch": load.batch,
        "length": load.length,
        "rows": setup.rows,
        "epochs": setup.epochs,
        "steps": steps,
        "tokens": steps * load.step_tokens,
        "recompute": load.recompute,
        "flash_attention": load.flash,
        "outputs": load.outputs,
        "operations": steps * training_step(load),
        "checkpoints": setup.checkpoints,
    }


def _assumptions(setup: Setup, measured: Measured, limit: fit.Limit, logged: bool) -> List[str]:
    load = setup.load
    notes = [f"memory: {limit.usable:.1f} of {limit.total:.1f} GiB, {limit.why}"]
    if load.device == "CPU":
        notes.append("cores: as fast as the two of the ledger; workers share them, and the memory")
    else:
        notes.append("cards: Ascend snt9b, as the contest's; memory by formula, never on a card")
        if load.data_parallel > 1:
            notes.append("shares of the data: as fast as one card alone; no such run was timed")
    if logged:
        notes.append("step time: the median of the log")
    else:
        speed = training_speed(measured, load.device, load.model_parallel > 1)
        where = "the machine" if load.device == "CPU" else "a card"
        share = speed.middle / 1e12 / measured.around[load.device].peak_teraflops
        several = "s" if speed.count > 1 else ""
        notes.append(
            f"speed of {where}: {speed.middle / 1e12:.3g} TFLOP/s ({speed.low / 1e12:.3g} to "
            f"{speed.high / 1e12:.3g}, of {speed.count} training{several}), "
            f"{100 * share:.0f} % of its peak"
        )
    one = "" if load.device == "CPU" else "one card, "
    notes.append(
        f"evaluation: {one}{setup.decode_batch} prompts at once, every answer at its longest"
    )
    return notes + setup.notes


def _parameters(setup: Setup, load: Load) -> Dict[str, Any]:
    model = setup.settings.model
    found = count_parameters(load.shape, load.lora, model.tied, model.denominator)
    ratio = low_parameter_ratio(found["trained"], found["denominator"])
    return {**found, "ratio": ratio, "rank": load.lora.rank, "targets": load.lora.targets}


def _memory(setup: Setup, measured: Measured, limit: fit.Limit) -> Dict[str, Any]:
    load, around = setup.load, measured.around[setup.load.device]
    training = fit.as_gib(training_terms(load, around), fit.processes(load))
    prompts = measured.prompt_tokens.model_dump()
    positions = max(prompts[kind] + new for kind, new in setup.new_tokens.items())
    decoding = fit.as_gib(decoding_terms(load, around, setup.decode_batch, positions))
    stages = {"training": training, "decoding": decoding}
    return {
        "limit": limit._asdict(),
        "stages": {
            name: {"terms": terms, "total": sum(terms.values())} for name, terms in stages.items()
        },
        "cache": {
            "batch": setup.decode_batch,
            "positions": positions,
            "a_position": cache_bytes(load, 1, 1),
        },
    }


def _hours(setup: Setup, measured: Measured, logged: Optional[float]) -> Dict[str, Any]:
    load = setup.load
    steps = count_steps(setup.rows, load.batch, load.data_parallel, setup.epochs)
    training = hours.training_seconds(load, steps, setup.checkpoints, measured, logged)
    prompts = measured.prompt_tokens.model_dump()
    evaluations = {
        name: hours.answering_seconds(
            load,
            getattr(setup, name),
            prompts[kind],
            setup.new_tokens[kind],
            setup.decode_batch,
            measured,
        )
        for name, kind in (("squad", "squad"), ("valid", "math"), ("math", "math"))
    }
    # The base model and every checkpoint, loaded anew each; the chosen one once more.
    models = setup.checkpoints + 1
    loading = hours.always(measured.around[load.device].load_seconds)
    every = (evaluations["squad"] + loading).times(models) + loading
    every += evaluations["valid"].times(setup.checkpoints) + evaluations["math"].times(2)
    return {
        "step_seconds": hours.step_span(load, measured, logged)._asdict(),
        "training": hours.as_json(training),
        **{name: hours.as_json(span) for name, span in evaluations.items()},
        "models": models,
        "evaluations": hours.as_json(every),
        "all": hours.as_json(training + every),
    }


def _score(parameters: Dict[str, Any], accuracy: float, rules: Contest) -> Dict[str, Any]:
    ratio = parameters["ratio"]
    shares = sorted({min(1.0, max(0.0, round(accuracy + delta, 6))) for delta in _AROUND})
    rows = []
    for share in shares:
        score = contest_score(share, ratio, rules)
        rows.append({"accuracy": share, "score": score, "rank": rank_of(score, rules)})
    return {
        "accuracy": accuracy,
        "ratio": ratio,
        "score": contest_score(accuracy, ratio, rules),
        "rank": rank_of(contest_score(accuracy, ratio, rules), rules),
        "rows": rows,
        "minimum": rules.squad.minimum.model_dump(),
        "keep": rules.squad.keep,
    }


def _doubling(
    setup: Setup, asked: Asked, rules: Contest, measured: Measured, logged: Optional[float]
) -> List[Dict[str, Any]]:
    """What twice the rank, the length, the rows and the batch change, each alone."""
    load = setup.load
    lora = replace(load.lora, rank=2 * load.lora.rank, alpha=2 * load.lora.alpha)
    variants = {
        "as planned": setup,
        "rank": replace(setup, load=replace(load, lora=lora)),
        "length": replace(setup, load=replace(load, length=2 * load.length)),
        "rows": replace(setup, rows=2 * setup.rows),
        "batch": replace(setup, load=replace(load, batch=2 * load.batch)),
    }
    around = measured.around[load.device]
    planned = contest_score(asked.accuracy, _parameters(setup, load)["ratio"], rules)
    rows = []
    for name, variant in variants.items():
        changed = variant.load
        steps = count_steps(variant.rows, changed.batch, changed.data_parallel, variant.epochs)
        # A log tells this training's step: another's is taken to grow as its operations do.
        growth = training_step(changed) / training_step(load)
        step = None if logged is None else logged * growth
        spent = hours.training_seconds(changed, steps, variant.checkpoints, measured, step)
        parameters = _parameters(variant, changed)
        score = contest_score(asked.accuracy, parameters["ratio"], rules)
        rows.append(
            {
                "what": name,
                "trained": parameters["trained"],
                "memory": fit.needed(changed, around),
                "hours": spent.middle / 3600,
                "score": score,
                # Percentage points of accuracy that it must bring for the score to stay.
                "points": 100 * (planned - score) / rules.score.accuracy_weight,
            }
        )
    return rows
