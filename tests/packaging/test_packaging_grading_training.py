"""Steps against configs, losses against the workers' logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
from grading_run import edit, failed, worker_log, worker_losses
from packaging_run import write

from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.grading import training_check
from tools.packaging.grading.unpack import Package
from tools.settings.contest import Contest


@pytest.mark.shared
def test_the_contests_own_log_is_read(shared: Path) -> None:
    """The complete log of one of four workers: 585 lines with a loss, a step of two each."""
    printed = training_check._printed([shared / "contest" / "train-worker_0.log"])
    assert len(printed.losses) == 585
    assert (printed.losses[2], printed.losses[4], printed.losses[1170]) == (1.292, 1.361, 1.086)
    assert printed.decimals == 3 and printed.means == []
    assert printed.parameters == [(4_718_592, False)]


def test_a_log_that_was_cut_short_comes_first(tmp_path: Path) -> None:
    losses = worker_losses(0)
    part = write(tmp_path / "worker_0.until_6.log", worker_log([9.0] * 6))
    # Training went on from step 4: its means begin anew, and steps 5 and 6 count again.
    lines = worker_log(losses[4:]).replace("Parameters: 0 M.", "")
    for step in range(6, 0, -1):
        lines = lines.replace(f"step:[{step:5d}/", f"step:[{step + 4:5d}/")
    whole = write(tmp_path / "worker_0.log", lines)
    write(tmp_path / "worker_x.log", "")
    assert list(training_check._parts(tmp_path)) == [(0, [part, whole])]
    printed = training_check._printed([part, whole])
    assert printed.means == []
    assert [printed.losses[step] for step in range(1, 11)] == [9.0] * 4 + losses[4:]


def test_given_records_are_noted_and_held_against_the_config(opened: Package) -> None:
    assert list(training_check.notes(opened)) == []
    edit(opened.folder / "configs/records.json", given="x.mindrecord")
    with pytest.raises(UserError, match=r"its given is None, .* names x\.mindrecord"):
        list(training_check.notes(opened))
    edit(opened.folder / layout.RECORDS, given={"file": "x.mindrecord", "sha256": "ab" * 32})
    (note,) = training_check.notes(opened)
    assert f"Training read x.mindrecord (sha256 {'ab' * 32}), which" in note
    assert "was not measured" in note
    edit(opened.folder / layout.RECORDS, given={"file": "y.mindrecord"})
    with pytest.raises(UserError, match=r"y\.mindrecord.* not x\.mindrecord"):
        list(training_check.notes(opened))
    edit(opened.folder / "configs/records.json", given=None)
    with pytest.raises(UserError, match="names None"):
        list(training_check.notes(opened))


def test_the_adapter_that_a_training_began_with_is_noted(opened: Package) -> None:
    record = {"path": "runs/first/finetune", "sha256": "cd" * 32, "init": None}
    edit(opened.folder / "training/run.json", init=record)
    with pytest.raises(UserError, match=r"configs/training\.json names None"):
        list(training_check.notes(opened))
    edit(opened.folder / layout.TRAINING, init="runs/first/finetune")
    (note,) = training_check.notes(opened)
    assert f"began with the adapter runs/first/finetune (sha256 {'cd' * 32}), which" in note
    write(opened.folder / layout.INIT, b"matrices")
    (note,) = training_check.notes(opened)
    assert "which the package holds: what that one was trained on" in note
    edit(opened.folder / "training/run.json", init=None)
    with pytest.raises(UserError, match="its init is None"):
        list(training_check.notes(opened))


def test_honest_steps_and_losses(opened: Package, rules: Contest) -> None:
    assert failed(training_check.step_rows(opened, rules)) == []
    assert failed(training_check.loss_rows(opened, 7168)) == []


@pytest.mark.parametrize(
    ("name", "values", "claim"),
    [
        ("data/records.json", {"rows": 800}, "training/run.json: steps"),
        ("data/records.json", {"seq_length": 256}, "data/records.json: seq_length"),
        ("training/run.json", {"seed": 2}, "training/run.json: seed"),
        ("training/run.json", {"workers": 4}, "training/run.json: workers"),
        ("configs/profile.json", {"cards": 1}, "configs/profile.json: cards"),
        ("training/run.json", {"matmul_precision": "x"}, "training/run.json: matmul_precision"),
        # The profile does not ask for it.
        (
            "training/run.json",
            {"matmul_precision": "bfloat16"},
            "training/run.json: matmul_precision",
        ),
        (
            "training/steps.json",
            {"steps": [1, 2, 3, 4, 10]},
            "training/steps.json: checkpoints, at even intervals",
        ),
    ],
)
def test_steps_that_do_not_follow_from_the_config(
    opened: Package, rules: Contest, name: str, values: Dict[str, Any], claim: str
) -> None:
    edit(opened.folder / name, **values)
    assert claim in failed(training_check.step_rows(opened, rules))


def test_a_precision_that_the_profile_asks_for(opened: Package, rules: Contest) -> None:
    edit(opened.folder / "training/run.json", matmul_precision="bfloat16")
    edit(opened.folder / layout.TRAINING, bfloat16_matmul=True)
    assert failed(training_check.step_rows(opened, rules)) == []
    edit(opened.folder / layout.TRAINING, bfloat16_matmul=False)
    assert failed(training_check.step_rows(opened, rules)) == [
        "training/run.json: matmul_precision"
    ]


def test_a_table_of_losses_that_was_cut(opened: Package, rules: Contest) -> None:
    path = opened.folder / layout.LOSSES
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[6:]))
    assert failed(training_check.step_rows(opened, rules)) == [
        "training/loss.csv: lines, one a step",
        "training/loss.csv: steps that do not follow one another",
    ]
    assert failed(training_check.loss_rows(opened, 7168)) == [
        f"logs/training/worker_{rank}.log: steps that training/loss.csv has not"
        for rank in range(2)
    ]


def test_a_log_without_some_steps(opened: Package) -> None:
    path = opened.folder / "logs/training/worker_1.log"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-2]))
    found = failed(training_check.loss_rows(opened, 7168))
    assert found == ["logs/training/worker_1.log: steps without a loss"]


@pytest.mark.parametrize(
    ("text", "trained", "holds"),
    [
        ("Network Parameters: 0 M.", 7168, True),
        ("Network Parameters: 3 M.", 3_407_872, True),
        ("Network Parameters: 3 M.", 4_718_592, False),
        ("Network Parameters: 3407872.", 3_407_872, True),
        ("Network Parameters: 3407872.", 3_407_873, False),
    ],
)
def test_parameters_in_a_log(opened: Package, text: str, trained: int, holds: bool) -> None:
    for rank in range(2):
        path = opened.folder / f"logs/training/worker_{rank}.log"
        path.write_text(path.read_text().replace("Network Parameters: 0 M.", text))
    found = failed(training_check.loss_rows(opened, trained))
    wanted = [f"logs/training/worker_{rank}.log: Network Parameters" for rank in range(2)]
    assert found == ([] if holds else wanted)
