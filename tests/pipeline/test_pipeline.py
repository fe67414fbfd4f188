"""`make` on the tiny profile, for real: made, made again, edited, killed, refused.

Runs in a copy of the checkout, in a folder with a space in its name, with the checkout's .venv
linked in. One test after the other uses the same run, as a user would.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pipeline_make import MAKE, make

pytestmark = pytest.mark.slow


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def times(run: Path) -> dict[str, int]:
    """Modification times of everything that a stage makes, by path within the run."""
    return {
        str(path.relative_to(run)): path.stat().st_mtime_ns
        for path in run.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def leftovers(run: Path) -> list[str]:
    return [str(path) for path in run.rglob("*.partial*")]


def test_submit_makes_every_stage(project: Path, run: Path) -> None:
    for name in (
        "base/model.ckpt",
        "base/tokenizer.model",
        "corpus/tokens.json",
        "corpus/corpus.png",
        "records/train.mindrecord",
        "baseline/scores.json",
        "finetune/adapters/5.ckpt",
        "finetune/logs/worker_0.log",
        "finetune/logs/worker_1.log",
        "merged/5/model.ckpt",
        "evaluate/5/valid.jsonl",
        "evaluate/5/scores.json",
        "evaluate/best.json",
        "evaluate/test.jsonl",
        "evaluate/scores.json",
        "report/report.md",
        "report/report.html",
    ):
        assert (run / name).stat().st_size > 0, name
    assert (project / "submission" / "first.zip").stat().st_size > 0
    assert leftovers(project / "runs") == []
    trained = json.loads((run / "finetune" / "run.json").read_text())
    assert trained["workers"] == 2
    assert len(trained["checkpoints"]) == 5


def test_the_choice_is_made_on_the_validation_problems_alone(run: Path) -> None:
    scores = {
        name: json.loads((run / name / "scores.json").read_text())
        for name in ("baseline", *(f"evaluate/{number}" for number in range(1, 6)), "evaluate")
    }
    splits = [score["math"]["split"] for score in scores.values()]
    assert splits == ["test", *["valid"] * 5, "test"]
    assert all(score["math"]["lines"]["count"] >= 14 for score in scores.values())
    best = json.loads((run / "evaluate/best.json").read_text())["checkpoint"]
    chosen = run / "evaluate" / str(best)
    assert scores["evaluate"]["squad"] == scores[f"evaluate/{best}"]["squad"]
    told = [
        json.loads((path).read_text())
        for path in (run / "evaluate/test.run.json", chosen / "valid.run.json")
    ]
    assert told[0]["model"] == told[1]["model"]
    # The test problems are asked of two models: no checkpoint has seen them before it is chosen.
    assert {str(path.parent.relative_to(run)) for path in run.rglob("test.run.json")} == {
        "baseline",
        "evaluate",
    }


def test_a_second_make_does_nothing(project: Path, run: Path) -> None:
    before = times(run)
    assert make(project, "submit", "TEAM=first").returncode == 0
    assert times(run) == before


def test_a_dry_run_after_that_names_no_stage(project: Path, run: Path) -> None:
    before = times(run)
    done = make(project, "-n", "all")
    assert done.returncode == 0
    assert "tools.finetune" not in done.stdout
    assert times(run) == before


def test_an_edited_config_remakes_what_depends_on_it_and_nothing_else(
    project: Path, run: Path
) -> None:
    before = times(run)
    path = project / "configs" / "tiny" / "profile.yaml"
    text = path.read_text()
    assert "math: 56" in text
    path.write_text(text.replace("math: 56", "math: 52"))
    done = make(project, "all")
    assert done.returncode == 0, done.stderr[-3000:]
    after = times(run)
    changed = {name.split("/")[0] for name in after if before.get(name) != after[name]}
    assert changed == {"config", "stages", "baseline", "evaluate", "report"}


@pytest.mark.parametrize(
    "stage", ["convert", "baseline", "finetune", "merge", "evaluate", "report", "submit"]
)
def test_a_killed_stage_goes_on_and_ends_the_same(
    project: Path, run: Path, tmp_path: Path, stage: str
) -> None:
    first = {
        name: sha256(run / name)
        for name in ("finetune/adapters/5.ckpt", "merged/5/model.ckpt", "evaluate/test.jsonl")
    }
    outputs = {
        "convert": ["base", "corpus", "records", "prompts"],
        "baseline": ["baseline"],
        "finetune": ["finetune"],
        "merge": ["merged"],
        "evaluate": ["evaluate"],
        "report": ["report"],
        "submit": ["../../submission/first", "../../submission/first.zip"],
    }[stage]
    for name in outputs:
        path = run / name
        path.unlink() if path.is_file() else shutil.rmtree(path)
    process = subprocess.Popen(
        [*MAKE, stage, "TEAM=first"], cwd=project, start_new_session=True, stdout=subprocess.DEVNULL
    )
    time.sleep({"finetune": 12, "baseline": 7, "evaluate": 8}.get(stage, 0.7))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # What make had started dies with it, workers in sessions of their own included; an orphan
    # would still hold the run, and the next make would be refused.
    time.sleep(1)
    done = make(project, "submit", "TEAM=first")
    assert done.returncode == 0, done.stderr[-3000:]
    assert {name: sha256(run / name) for name in first} == first
    assert leftovers(run) == []
    assert (project / "submission" / "first.zip").is_file()


def test_two_makes_on_one_run_the_second_is_refused(project: Path, run: Path) -> None:
    shutil.rmtree(run / "baseline")
    process = subprocess.Popen(
        [*MAKE, "all"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(2)
    second = make(project, "all")
    assert second.returncode == 2
    assert "error: runs/tiny-quick: another command is at work" in second.stderr
    assert process.wait(timeout=300) == 0


def test_another_training_does_not_take_the_place_of_the_finished_one(
    project: Path, run: Path
) -> None:
    before = {path: when for path, when in times(run).items() if not path.startswith("config/")}
    for other, held in (("RECIPE=worked", "RECIPE=plain"), ("CARDS=1 RESUME=no", "CARDS=2")):
        done = make(project, "all", *other.split())
        assert done.returncode == 2
        line = f"error: runs/tiny-quick: holds a finished training of {held}; give RUN=NAME"
        assert line in done.stderr.splitlines()
    assert make(project, "all").returncode == 0
    after = {path: when for path, when in times(run).items() if not path.startswith("config/")}
    assert after == before


def test_an_unknown_profile_is_one_line(project: Path) -> None:
    done = make(project, "all", "PROFILE=nothing", "RUN=other")
    assert done.returncode == 2
    assert "error: PROFILE: no such profile 'nothing'; choose one of: " in done.stderr


def test_a_run_that_cannot_be_written_is_one_line(project: Path) -> None:
    blocked = project / "runs" / "blocked"
    blocked.write_text("a file stands here")
    done = make(project, "all", "RUN=blocked")
    assert done.returncode == 2
    assert "error: runs/blocked: " in done.stderr
    assert blocked.read_text() == "a file stands here"


def test_a_report_is_made_after_all_that_it_tells_of(project: Path, run: Path) -> None:
    """`make all`, then `make submit`: of a report that is older than a stage no package is made."""
    (run / "corpus" / "tokens.json").unlink()
    shutil.rmtree(run / "report")
    for words in (("all",), ("submit", "TEAM=later")):
        done = make(project, *words)
        assert done.returncode == 0, done.stderr[-3000:]
