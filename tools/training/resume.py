"""Going on with a training that was cut short, from the newest state that is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.training.workers import LOSSES, last_line

STATES = "states"
_INPUTS = "inputs.json"
# Of many inputs that changed so many are told.
_TOLD = 3
Warn = Callable[[str], object]


class Start(NamedTuple):
    """Where a training begins: after `step` steps, from a state file, or from the base weights."""

    step: int
    state: Optional[Path]


def open_work(work: Path, inputs: Dict[str, Any], resume: bool, warn: Warn) -> bool:
    """Make `work` ready; tell whether what an earlier training of the same inputs left is there.

    Raises UserError, naming what changed, where it holds steps of other inputs. Without `resume`
    it is emptied, and `warn` is told how many steps are thrown away.
    """
    before = recorded(work)
    same = resume and before == inputs
    if not same:
        last = last_line(work / LOSSES)
        if last and resume:
            changed = list(_changes(before, inputs)) if before else ["inputs unknown"]
            more = f" and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
            raise UserError(
                f"holds {last['step']} steps of a training with other inputs: "
                f"{', '.join(changed[:_TOLD])}{more}",
                work,
                "go back to those, or throw the steps away: RESUME=no",
            )
        if last:
            warn(f"{work}: {last['step']} steps of an unfinished training are thrown away")
        shutil.rmtree(work, ignore_errors=True)
        (work / STATES).mkdir(parents=True)
        write_json(work / _INPUTS, inputs)
    return same


def recorded(work: Path) -> Any:
    """Return the inputs of the training that left `work`; None where none did."""
    try:
        return json.loads((work / _INPUTS).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _changes(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Name each value of nested objects that differs: `config.seed was 1, is 2`."""
    if name in ("base", "records", "init"):
        if before != now:
            yield f"another {name} file"
    elif isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _changes(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield f"{name} was {str(before)[:40]}, is {str(now)[:40]}"


def identity(path: Path) -> Dict[str, int]:
    """Give bytes and time of a file: enough to know it again; a hash of 16 GB takes a minute."""
    found = path.stat()
    return {"bytes": found.st_size, "modified_ns": found.st_mtime_ns}


def newest_state(work: Path, warn: Warn) -> Start:
    """Give the newest state that can be read whole.

    One that cannot is named to `warn`, a function of a text, and the one before it is tried.
    """
    states = (work / STATES).glob("[0-9]*.ckpt")
    for path in sorted(states, key=lambda path: int(path.stem), reverse=True):
        try:
            step = int(Checkpoint(path).read("step_num"))
        except (UserError, KeyError) as error:
            warn(f"{path.name} is damaged ({error}); trying the state before it")
            path.unlink()
            continue
        return Start(step, path)
    return Start(0, None)


def whole_checkpoint(base: Path, state: Path, output: Path) -> Path:
    """Write base weights and state, or adapter, as one checkpoint for MindFormers; return its path.

    A checkpoint is one protobuf message with a repeated field: two files, one behind the other,
    are the checkpoint that has the entries of both.
    """
    with atomic_path(output) as temporary, temporary.open("wb") as target:
        for path in (base, state):
            with path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 24)
    return output


def cut_losses(path: Path, step: int) -> None:
    """Leave the header of loss.csv and the lines up to `step`."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.is_file() else []
    kept = lines[:1] + [line for line in lines[1:] if _step(line) <= step and line.endswith("\n")]
    if kept:
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")


def _step(line: str) -> int:
    first = line.partition(",")[0]
    return int(first) if first.isdecimal() else 1 << 62
