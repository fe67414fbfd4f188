"""`make ask` of a run that was made: by Q, and line by line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from pipeline_make import MAKE, make

pytestmark = pytest.mark.slow

SUM = "计算 4204.22 + -2369.17 等于多少？"


def test_a_run_is_asked(project: Path, run: Path) -> None:
    best = json.loads((run / "evaluate" / "best.json").read_text())["checkpoint"]
    assert f"merged/{best} " in make(project, "-n", "ask", "TEAM=first").stdout
    done = make(project, "ask", f"Q={SUM}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{SUM}\n\nbase model: wrong\n  ✗ ")
    assert "\ntrained model: " in done.stdout and done.stdout.endswith("exact answer: 1835.05\n\n")
    refused = make(project, "ask", "Q=")
    assert refused.returncode == 2 and "error: Q: the problem is empty" in refused.stderr


def test_lines_are_asked(project: Path) -> None:
    lines = f"什么是重力？\n\n计算 99999.99 - 1.00 等于多少？\n{SUM}\n"
    done = subprocess.run(
        [*MAKE, "ask"], cwd=project, capture_output=True, text=True, input=lines, timeout=900
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.split("\n计算 ")
    assert first.startswith("什么是重力？\n") and "not marked: it fits no kind" in first
    assert "✗" not in first + second and "no subtract with such numbers" in second
    assert "exact answer: 99998.99" in second and "✗" in third
