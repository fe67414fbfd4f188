"""The line that tells how long something takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.planning import forecast
from tools.planning.forecast import run_forecast, training_forecast
from tools.settings.resolve import resolve


def minutes(line: str) -> float:
    found = re.search(r"take about ([\d.]+) (hours|minutes), as measured", line)
    assert found, line
    return float(found[1]) * (60 if found[2] == "hours" else 1)


@pytest.fixture
def cores(monkeypatch):
    return lambda number: monkeypatch.setattr(forecast, "cores", lambda: number)


def test_longer_budgets_take_longer_and_fewer_cores_too(cores) -> None:
    found = {}
    for number in (1, 2, 16):
        cores(number)
        line = run_forecast("smollm2-135m", "night", None, None, None)
        assert line.endswith(f"on 2 cores; this machine has {number} (configs/measured.yaml)")
        found[number] = minutes(line)
    assert found[1] == pytest.approx(2 * found[2], rel=0.03)
    # More cores than were measured are not counted on.
    assert found[16] == found[2]
    assert minutes(run_forecast("smollm2-135m", "hour", None, None, None)) < found[2]


def test_of_some_minutes_nothing_is_said(cores) -> None:
    cores(2)
    assert run_forecast("tiny", "quick", None, None, None) == ""


def test_on_cards() -> None:
    line = run_forecast("llama3-8b", "full", None, 4, 32)
    assert minutes(line) > 60 and "cores" not in line


def test_a_training_of_records_that_are_there(tmp_path: Path, cores) -> None:
    cores(2)
    resolve(tmp_path / "config", "smollm2-135m", "quick", None, 1, None)
    config, records = tmp_path / "config" / "finetune.yaml", tmp_path / "x.mindrecord"
    summary = {"rows": 4000, "seq_length": 256, "most_labels": 90}
    (tmp_path / "x.mindrecord.json").write_text(json.dumps(summary))
    whole = training_forecast(config, records, 5)
    assert whole.startswith("4,000 steps take about ")
    rest = training_forecast(config, records, 5, done=2000)
    assert rest.startswith("2,000 steps take about ")
    assert minutes(rest) == pytest.approx(minutes(whole) / 2, rel=0.1)
    assert training_forecast(config, records, 5, done=3990) == ""
