"""The training: its steps against its configs, its losses against what the workers printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

from tools.files.errors import UserError
from tools.llama.precision import BFLOAT16, FLOAT32
from tools.packaging import layout
from tools.packaging.grading.rows import ALLOWED, Row, compare, count_of, failed
from tools.packaging.grading.unpack import Package
from tools.scoring.lines import bounded_lines
from tools.settings.contest import Contest
from tools.settings.native import read_finetune
from tools.settings.resolve import read_resolved
from tools.training.inputs import even_steps, steps_of
from tools.training.losses import read_losses

# MindFormers 1.9: `loss:[6.506053/6.506053]`, the second the mean of its epoch so far; 1.1, and
# any with sinking: `loss: 1.292`.
_STEP = re.compile(
    r"\{ Epoch:\[ *(\d+)/ *\d+\], step:\[ *(\d+)/ *(\d+)\], "
    r"loss:(?: (?P<alone>\d+\.(\d+))|\[(?P<loss>\d+\.(\d+))/(?P<mean>\d+\.\d+)\])"
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
    """Steps and checkpoints, as they follow from the config and the rows of the records."""
    folder = package.folder
    native = read_finetune(folder / layout.FINETUNE)
    records = read_resolved(folder / layout.RECORDS, ["rows", "seq_length"])
    told = read_resolved(folder / layout.RUN, ["steps", "seed", "workers"])
    profile = read_resolved(folder / layout.PROFILE, ["seed", "cards"])
    length = native["model"]["model_config"]["seq_length"]
    yield compare(layout.RECORDS, "seq_length", records["seq_length"], length)
    rows = records["rows"]
    if type(rows) is not int or not 0 < rows < 1 << 40:
        raise UserError(f"rows is {rows!r:.40}, no number of rows", layout.RECORDS)
    steps = steps_of(native, rows)
    yield compare(layout.RUN, "steps", told["steps"], steps)
    yield compare(layout.RUN, "seed", told["seed"], native["seed"])
    yield compare(layout.PROFILE, "seed", profile["seed"], native["seed"])
    workers = native["parallel_config"]["data_parallel"]
    yield compare(layout.RUN, "workers", told["workers"], workers)
    yield compare(layout.PROFILE, "cards", profile["cards"], workers)
    precision = told.get("matmul_precision", FLOAT32)
    if precision != FLOAT32:
        resolved = folder / layout.TRAINING
        wanted = resolved.is_file() and read_resolved(resolved, []).get("bfloat16_matmul")
        may_be = BFLOAT16 if wanted is True else FLOAT32
        yield compare(layout.RUN, "matmul_precision", precision, may_be)
    saved = read_resolved(folder / layout.STEPS, ["steps"])["steps"]
    even = even_steps(steps, rules.checkpoints)
    yield compare(layout.STEPS, "checkpoints, at even intervals", saved, even)
    losses = read_losses(folder / layout.LOSSES)
    yield compare(layout.LOSSES, "lines, one a step", len(losses), steps)
    numbers = [step.step for step in losses]
    gaps = (f"line {i + 1} is step {n}" for i, n in enumerate(numbers, 1) if n != i)
    yield count_of(layout.LOSSES, "steps that do not follow one another", gaps)


def given_records(package: Package) -> str:
    """What cannot be measured of a training on records that were made elsewhere; else ''."""
    folder = package.folder
    named = read_resolved(folder / "configs/records.json", []).get("given")
    given = read_resolved(folder / layout.RECORDS, []).get("given")
    if named is None and given is None:
        return ""
    if not isinstance(given, dict) or given.get("file") != named:
        what = f"its records are {str(given)[:80]}, configs/records.json names {str(named)[:80]}"
        raise UserError(what, layout.RECORDS, "ask the team")
    return (
        f"Training read {str(named)[:80]} (sha256 {str(given.get('sha256'))[:64]}), which the "
        "package does not hold: what is in it, and that no problem that was held out is, was not "
        "measured."
    )


def first_adapter(package: Package) -> str:
    """Return what cannot be measured of a training that began with an adapter; else ''.

    Raises UserError where configs/training.json and training/run.json do not both name one. That
    adapter/init.ckpt is what run.json says is part of the package's own check.
    """
    resolved = package.folder / layout.TRAINING
    named = read_resolved(resolved, []).get("init") if resolved.is_file() else None
    begun = read_resolved(package.folder / layout.RUN, []).get("init")
    if named is None and begun is None:
        return ""
    if named is None or not isinstance(begun, dict):
        what = f"its init is {str(begun)[:80]}, {layout.TRAINING} names {str(named)[:80]}"
        raise UserError(what, layout.RUN, "ask the team")
    sha256 = str(begun.get("sha256"))[:64]
    held = "holds" if (package.folder / layout.INIT).is_file() else "does not hold"
    return (
        f"Training began with the adapter {str(named)[:80]} (sha256 {sha256}), "
        f"which the package {held}: what that one was trained on was not measured."
    )


def loss_rows(package: Package, trained: int) -> Iterator[Row]:
    """loss.csv against the losses that the workers' logs print, and each log against itself."""
    table = {step.step: step.loss for step in read_losses(package.folder / layout.LOSSES)}
    logs = {rank: _printed(parts) for rank, parts in _parts(package.folder / "logs/training")}
    if not logs:
        yield failed("logs/training", "losses", "no worker's log is there")
        return
    for rank, log in logs.items():
        name = layout.WORKER_LOG.format(rank=rank)
        missing = (f"step {step}" for step in table if step not in log.losses)
        yield count_of(name, "steps without a loss", missing)
        more = (f"step {step}" for step in log.losses if step not in table)
        yield count_of(name, f"steps that {layout.LOSSES} has not", more)
        yield count_of(name, "means that are not those of its losses", log.means)
        for number, millions in log.parameters:
            if millions:
                kind, right = "millions", trained // 1_000_000
            else:
                kind, right = "same", trained
            yield compare(name, "Network Parameters", number, right, kind)
    steps = [step for step in table if all(step in log.losses for log in logs.values())]
    apart = {
        step: abs(table[step] - sum(log.losses[step] for log in logs.values()) / len(logs))
        for step in steps
    }
    if apart:
        worst = max(apart, key=lambda step: apart[step])
        mean = sum(log.losses[worst] for log in logs.values()) / len(logs)
        decimals = min(log.decimals for log in logs.values())
        limit = ALLOWED["loss"].difference + 0.5 * 10**-decimals
        yield compare(
            layout.LOSSES,
            f"loss of step {worst}, which differs most from the workers' logs",
            table[worst],
            round(mean, 9),
            "loss",
            limit,
        )


def _parts(folder: Path) -> Iterator[Tuple[int, List[Path]]]:
    """Each worker's logs in the order in which they were written: those cut short come first."""
    found: Dict[int, List[Tuple[float, Path]]] = {}
    for path in folder.glob("worker_*.log"):
        name = _PART.fullmatch(path.name)
        if name:
            until = float(name[2]) if name[2] else float("inf")
            found.setdefault(int(name[1]), []).append((until, path))
    for rank in sorted(found):
        yield rank, [path for _, path in sorted(found[rank])]


def _printed(parts: List[Path]) -> Printed:
    printed = Printed({}, 9, [], [])
    losses, decimals = printed.losses, 9
    for path in parts:
        epoch, total, count = 0, 0.0, 0
        for number, line in bounded_lines(path, errors="replace"):
            counted = _PARAMETERS.search(line)
            if counted:
                printed.parameters.append((int(counted[1]), bool(counted[2])))
            found = _STEP.search(line)
            if not found:
                continue
            digits = found[5] or found[7]
            loss = float(found["alone"] or found["loss"])
            decimals = min(decimals, len(digits))
            losses[(int(found[1]) - 1) * int(found[3]) + int(found[2])] = loss
            if found["mean"]:
                if epoch != int(found[1]):
                    epoch, total, count = int(found[1]), 0.0, 0
                total, count = total + loss, count + 1
                mean = total / count
                if abs(mean - float(found["mean"])) > _MEAN:
                    where = f"{path.name}:{number}"
                    printed.means.append(f"{where}: {found['mean']}, not {mean:.6f}")
    return printed._replace(decimals=decimals)
