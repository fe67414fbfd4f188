"""Going on with a training that was cut short, from the newest state that is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint

STATES = "states"
_INPUTS = "inputs.json"


class Start(NamedTuple):
    """Where a training begins: after `step` steps, from a state file, or from the base weights."""

    step: int
    state: Optional[Path]


def open_work(work: Path, inputs: Dict[str, Any], resume: bool) -> bool:
    """Make `work` ready; tell whether what an earlier training of the same inputs left is there.

    A folder of other inputs, or any without `resume`, is emptied.
    """
    same = resume and _recorded(work) == inputs
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        (work / STATES).mkdir(parents=True)
        write_json(work / _INPUTS, inputs)
    return same


def _recorded(work: Path) -> Any:
    try:
        return json.loads((work / _INPUTS).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def identity(path: Path) -> Dict[str, int]:
    """Give bytes and time of a file: enough to know it again; a hash of 16 GB takes a minute."""
    found = path.stat()
    return {"bytes": found.st_size, "modified_ns": found.st_mtime_ns}


def newest_state(work: Path, warn: Any) -> Start:
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
    """Write base weights and state as one checkpoint, as MindFormers resumes from; return it.

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
