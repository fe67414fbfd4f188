"""The record of one stage: its command, how long it took, how much memory it needed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Sequence, Union

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.processes import peak_memory, run_command
from tools.packaging.provenance import commit_of, machine, versions, without_folders

# As the Makefile runs them; the last two make a report and a package of what is measured before.
PACKAGING = ("report", "submit")
ORDER = (
    "fetch",
    "convert-weights",
    "convert-math",
    "convert-tokenizer",
    "convert-describe",
    "convert-records",
    "convert-squad",
    "convert-valid",
    "convert-test",
    "baseline",
    "finetune",
    "merge",
    "evaluate",
    "evaluate-test",
    *PACKAGING,
)
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"


def record_stage(run: Union[str, Path], stage: str, command: Sequence[str]) -> int:
    """Run `command`, write RUN/stages/STAGE.json, return the command's exit code.

    Its progress is seen as it comes; see run_command for signals. A failed stage leaves no record,
    and removes the one of an earlier time.

    The record: {"stage", "command", "seconds", "peak_memory_mb", "commit", "versions",
    "machine"}. seconds is wall time, of the last attempt alone where a stage was interrupted;
    peak_memory_mb is what the largest single process needed, in 10^6 bytes.
    """
    if not re.fullmatch(_NAME, stage):
        raise UserError(f"{stage!r} is not a stage's name", "--stage", "use letters, digits and -")
    record = Path(run) / "stages" / f"{stage}.json"
    record.unlink(missing_ok=True)
    began = time.monotonic()
    code = run_command(command)
    seconds, peak = time.monotonic() - began, peak_memory()
    if code == 0:
        content = {
            "stage": stage,
            "command": without_folders(command),
            "seconds": round(seconds, 3),
            "peak_memory_mb": round(peak / 1e6, 1),
            "commit": commit_of(),
            "versions": versions(),
            "machine": machine(),
        }
        write_json(record, content)
    return code
