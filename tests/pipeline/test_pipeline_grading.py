"""`make grade` for real: the zip of the tiny profile verified, decoded again, trained again."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Dict, List

import pytest
from pipeline_make import make

pytestmark = pytest.mark.slow


def verdict(project: Path, name: str) -> Dict[str, object]:
    return json.loads((project / f"runs/grade/{name}/verdict.json").read_text("utf-8"))


def failures(found: Dict[str, object]) -> List[str]:
    return [f"{row['group']}: {row['what']}" for row in found["rows"] if not row["passed"]]


def test_the_zip_that_submit_made_holds_by_score(project: Path) -> None:
    done = make(project, "grade", "SUBMISSION=submission/first.zip", "DEPTH=score")
    found = verdict(project, "first")
    assert failures(found) == []
    assert done.returncode == 0, done.stderr[-3000:]
    assert found["depth"] == "score" and found["notes"] == []
    same = [row for row in found["rows"] if row["what"] == "answers that are the same"]
    # This machine, the same decoder: not one answer differs, base model included.
    assert [row["difference"] for row in same] == [0] * 4
    assert done.stdout.rstrip().endswith("runs/grade/first/verdict.html")
    assert {path.name for path in (project / "runs/grade/first").iterdir()} == {
        "verdict.html",
        "verdict.json",
    }


def test_a_forged_zip_does_not(project: Path, tmp_path: Path) -> None:
    forged = tmp_path / "first.zip"
    with (
        zipfile.ZipFile(project / "submission/first.zip") as honest,
        zipfile.ZipFile(forged, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in honest.infolist():
            content = honest.read(info)
            if info.filename == "first/scores/baseline.json":
                content = content.replace(b'"f1": ', b'"f1": 1', 1)
            target.writestr(info, content)
    done = make(project, "grade", f"SUBMISSION={forged}")
    assert done.returncode == 2
    found = failures(verdict(project, "first"))
    assert found[0] == "the package: is as its rules say"
    assert "scores/baseline.json: squad.f1" in found


def test_a_team_with_a_learning_rate_of_its_own_is_trained_again(project: Path) -> None:
    """Its configs are taken over as data; the grader's own stay as they are."""
    config = project / "configs/tiny/finetune.yaml"
    before = config.read_text("utf-8")
    assert "learning_rate: 1.0e-3" in before
    config.write_text(before.replace("learning_rate: 1.0e-3", "learning_rate: 5.0e-3"), "utf-8")
    try:
        done = make(project, "submit", "TEAM=second", "RUN=second")
    finally:
        config.write_text(before, "utf-8")
    assert done.returncode == 0, done.stderr[-3000:]
    shutil.rmtree(project / "runs/second")
    done = make(project, "grade", "SUBMISSION=submission/second.zip", "DEPTH=reproduce")
    found = verdict(project, "second")
    assert failures(found) == []
    assert done.returncode == 0, done.stderr[-3000:]
    again = {row["what"]: row for row in found["rows"] if "again" in row["what"]}
    distance = again["distance from the adapter that was trained again"]
    # The same machine: the same adapter, bit by bit.
    assert (distance["measured"], distance["passed"]) == (0.0, True)
    assert config.read_text("utf-8") == before
    assert not (project / "runs/grade/second/work").exists()
