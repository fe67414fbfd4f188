"""The training: its steps against its configs, its losses against what the workers printed."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from tools.files.errors import UserError
from tools.files.text import bounded_lines
from tools.llama.precision import BFLOAT16, FLOAT32
from tools.packaging import layout
from tools.packaging.grading.comparison import ALLOWED, Row, compare, count_of, failed
from tools.packaging.grading.unpack import Package
from tools.settings.contest import Contest
from tools.settings.native import read_finetune
from tools.settings.resolve import read_resolved
from tools.training.inputs import even_steps, steps_of
from tools.training.losses import read_losses

# MindFormers 1.9: `loss:[6.506053/6.506053]`, the second the mean of its epoch so far; 1.1, and
# any with sinking: `loss: 1.292`.
_STEP = re.compile(
    r"\{ Epoch:\[ *(\d+)/ *\d+\], step:\[ *(\d+)/ *(\d+)\], "
    r"loss:(?: (?P<alone>\d+\.\d+)|\[(?P<loss>\d+\.\d+)/(?P<mean>\d+\.\d+)\])"
)
_PARAMETERS = re.compile(r"Network Parameters: (\d+)( M)?\.")
_PART = re.compile(r"worker_(\d+)(?:\.until_(\d+))?\.log")
# Each loss and each mean is rounded to six decimals, and MindFormers adds up in float32.
_MEAN = 2e-5


class Printed(NamedTuple):
    """What the log of one worker says.

    losses      step -> loss; of a step that was done again after a kill, the last
    decimals    of the losses as they are printed
    means       "file:line: …" for each mean of an epoch that is not that of the losses before
    parameters  the trained ones, as "Network Parameters" has them: (number, whether millions)
    """

    losses: Dict[int, float]
    decimals: int
    means: List[str]
    parameters: List[Tuple[int, bool]]


def step_rows(package: Package, rules: Contest) -> Iterator[Row]:
    """Yield steps and checkpoints beside what follows from the config and the records' rows."""
    folder = package.folder
    native = read_finetune(folder / layout.FINETUNE)
    files = (layout.RECORDS, layout.RUN, layout.PROFILE, layout.TRAINING, layout.STEPS)
    records, run, profile, training, saved = (read_resolved(folder / name, []) for name in files)
    losses = [step.step for step in read_losses(folder / layout.LOSSES)]
    length = native["model"]["model_config"]["seq_length"]
    workers = native["parallel_config"]["data_parallel"]
    steps = steps_of(native, records["rows"])
    # A processor without units for bfloat16 multiplies in float32 whatever the profile asks for.
    precision = run.get("matmul_precision", FLOAT32)
    asked = training.get("bfloat16_matmul") is True and precision != FLOAT32
    for file, what, claim, right in (
        (layout.RECORDS, "seq_length", records["seq_length"], length),
        (layout.RUN, "steps", run["steps"], steps),
        (layout.RUN, "seed", run["seed"], native["seed"]),
        (layout.PROFILE, "seed", profile["seed"], native["seed"]),
        (layout.RUN, "workers", run["workers"], workers),
        (layout.PROFILE, "cards", profile["cards"], workers),
        (layout.RUN, "matmul_precision", precision, BFLOAT16 if asked else FLOAT32),
        (
            layout.STEPS,
            "checkpoints, at even intervals",
            saved["steps"],
            even_steps(steps, rules.checkpoints),
        ),
        (layout.LOSSES, "lines, one a step", len(losses), steps),
    ):
        yield compare(file, what, claim, right)
    gaps = (f"line {i + 1} is step {n}" for i, n in enumerate(losses, 1) if n != i)
    yield count_of(layout.LOSSES, "steps that do not follow one another", gaps)


def notes(package: Package) -> Iterator[str]:
    """Yield what cannot be measured, since the package does not hold what was trained on.

    Raises UserError where configs and records do not name the same. That adapter/init.ckpt is what
    run.json says is part of the package's own check.
    """
    named, given = _told_twice(package, "configs/records.json", layout.RECORDS, "given")
    if given and given.get("file") != named:
        raise UserError(f"its given is {str(given)[:80]}, not {named[:80]}", layout.RECORDS)
    if given:
        yield (
            f"Training read {named[:80]} (sha256 {given.get('sha256')!s:.64}), which the package "
            "does not hold: what is in it, and that no problem that was held out is, was not "
            "measured."
        )
    named, begun = _told_twice(package, layout.TRAINING, layout.RUN, "init")
    if begun:
        holds = "holds" if (package.folder / layout.INIT).is_file() else "does not hold"
        yield (
            f"Training began with the adapter {named[:80]} (sha256 {begun.get('sha256')!s:.64}), "
            f"which the package {holds}: what that one was trained on was not measured."
        )


def _told_twice(package: Package, config: str, record: str, key: str) -> Tuple[str, Any]:
    """Return what a config names under `key`, and the record of it; UserError unless both do."""
    named, found = (read_resolved(package.folder / file, []).get(key) for file in (config, record))
    if (named is None) != (found is None):
        raise UserError(f"its {key} is {found!s:.80}, {config} names {named!s:.80}", record)
    return named, found


def loss_rows(package: Package, trained: int) -> Iterator[Row]:
    """Yield loss.csv beside the losses that the workers' logs print, each log beside itself."""
    table = {step.step: step.loss for step in read_losses(package.folder / layout.LOSSES)}
    logs = {rank: _printed(parts) for rank, parts in _parts(package.folder / "logs/training")}
    if not logs:
        yield failed("logs/training", "losses", "no worker's log is there")
        return
    for rank, log in logs.items():
        name = layout.WORKER_LOG.format(rank=rank)
        missing, more = table.keys() - log.losses.keys(), log.losses.keys() - table.keys()
        for what, found in (
            ("steps without a loss", (f"step {step}" for step in sorted(missing))),
            (f"steps that {layout.LOSSES} has not", (f"step {step}" for step in sorted(more))),
            ("means that are not those of its losses", log.means),
        ):
            yield count_of(name, what, found)
        for number, millions in log.parameters:
            # MindFormers 1.x prints whole millions.
            right = trained // 1_000_000 if millions else trained
            yield compare(name, "Network Parameters", number, right)
    means = {
        step: sum(log.losses[step] for log in logs.values()) / len(logs)
        for step in table
        if all(step in log.losses for log in logs.values())
    }
    if means:
        worst = max(means, key=lambda step: abs(table[step] - means[step]))
        what = f"loss of step {worst}, which differs most from the workers' logs"
        limit = ALLOWED["loss"].difference + 0.5 * 10 ** -min(log.decimals for log in logs.values())
        mean = round(means[worst], 9)
        yield compare(layout.LOSSES, what, table[worst], mean, "loss", limit)


def _parts(folder: Path) -> Iterator[Tuple[int, List[Path]]]:
    """Yield each worker's logs in the order in which they were written: the cut ones first."""
    named = ((_PART.fullmatch(path.name), path) for path in folder.glob("worker_*.log"))
    parts = sorted((int(name[1]), float(name[2] or "inf"), path) for name, path in named if name)
    for rank, group in groupby(parts, key=lambda part: part[0]):
        yield rank, [path for *_, path in group]


def _printed(parts: List[Path]) -> Printed:
    printed, decimals = Printed({}, 9, [], []), 9
    for path in parts:
        epoch, total, count = 0, 0.0, 0
        for number, line in bounded_lines(path, errors="replace"):
            counted = _PARAMETERS.search(line)
            if counted:
                printed.parameters.append((int(counted[1]), bool(counted[2])))
            found = _STEP.search(line)
            if not found:
                continue
            text = found["alone"] or found["loss"]
            decimals = min(decimals, len(text.partition(".")[2]))
            printed.losses[(int(found[1]) - 1) * int(found[3]) + int(found[2])] = float(text)
            if found["mean"]:
                if epoch != int(found[1]):
                    epoch, total, count = int(found[1]), 0.0, 0
                total, count = total + float(text), count + 1
                if abs(total / count - float(found["mean"])) > _MEAN:
                    told = f"{path.name}:{number}: {found['mean']}, not {total / count:.6f}"
                    printed.means.append(told)
    return printed._replace(decimals=decimals)
