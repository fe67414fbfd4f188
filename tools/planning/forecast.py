"""One line before something long begins: how many hours it takes here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

from tools.files.errors import UserError
from tools.files.parallel import cores
from tools.planning.hours import training_seconds
from tools.planning.load import read_load
from tools.planning.planned_run import Options, read_run, seconds_of
from tools.settings.measured import MEASURED_FILE, read_measured
from tools.settings.native import read_finetune
from tools.settings.resolve import read_resolved
from tools.training.inputs import labels_per_row, steps_of

# Less is not worth a line.
_LEAST_SECONDS = 300


def run_forecast(
    profile: str, budget: str, recipe: Optional[str], cards: Optional[int], hbm: Optional[int]
) -> str:
    """Return what a whole run takes beside downloads; empty for some minutes.

    Empty, too, where only the data tells how many rows there are.
    """
    try:
        run = read_run(Options(profile, budget, recipe, cards, hbm))
    except UserError:
        return ""
    _, seconds, _ = seconds_of(run, read_measured())["all"]
    return _line(f"some {run.steps:,} steps and the evaluations", seconds, run.load.device)


def training_forecast(config: Path, records: Path, checkpoints: int, done: int = 0) -> str:
    """Return what the training takes after `done` steps; empty for some minutes.

    config    resolved finetune.yaml
    records   MindRecord file with its summary
    """
    native = read_finetune(config)
    load = read_load(native, str(config), native["parallel_config"]["data_parallel"])
    if load.device == "CPU":
        load = replace(load, outputs=labels_per_row(records, load.length) / load.length)
    summary = read_resolved(records.with_name(records.name + ".json"), ["rows"])
    steps = steps_of(native, summary["rows"]) - done
    _, seconds, _ = training_seconds(load, steps, checkpoints, read_measured())
    return _line(f"{steps:,} steps", seconds, load.device)


def _line(what: str, seconds: float, device: str) -> str:
    """Say how long; fewer cores than were measured take longer, more are not counted on."""
    known, here = read_measured().around[device].cores, cores()
    if known:
        seconds *= max(1.0, known / here)
    if seconds < _LEAST_SECONDS:
        return ""
    hours = seconds / 3600
    told = f"{hours:.1f} hours" if hours >= 1.5 else f"{round(seconds / 60)} minutes"
    machine = f" on {known} cores; this machine has {here}" if known else ""
    return f"{what} take about {told}, as measured{machine} (configs/{MEASURED_FILE.name})"
