"""A package graded as a whole: the honest one passes, each forgery is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from grading_run import failed, seal, worker_log, worker_losses, zipped
from packaging_run import TEAM, write

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.packaging.facts import gather
from tools.packaging.grading.grader import Request, grade, seed_of
from tools.packaging.grading.verdict import Verdict
from tools.packaging.page import render_page


def graded(archive: Path, tmp_path: Path, **more: object) -> Verdict:
    return grade(Request(archive, tmp_path / "out", **more))


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    write(path, content)


def edit_rows(path: Path, change: Callable[[List[dict]], object]) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    change(rows)
    write(path, rows)


def edit_text(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_an_honest_package_passes(honest: Dict[str, Path], tmp_path: Path) -> None:
    verdict = graded(honest["zip"], tmp_path)
    assert failed(verdict.rows) == []
    assert verdict.passed and not verdict.refused and verdict.notes == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"verdict.html", "verdict.json"}
    groups = {row.group for row in verdict.rows}
    assert {
        *(f"scores/{name}.json" for name in ("baseline", "best", "best-test", 1, 2, 3, 4, 5)),
        *(f"predictions/{n}.jsonl" for n in ("baseline-test", "best-test", "3-valid", "3-squad")),
        *(f"logs/training/worker_{rank}.log" for rank in range(2)),
        *("logs/squad/baseline.log", "logs/squad/best.log", "report/report.md"),
        *("training/loss.csv", "training/parameters.json", "training/steps.json"),
        *("adapter/adapter.ckpt", "weights/model.ckpt"),
    } <= groups
    # The merge was measured, since this profile's base follows from its seed.
    assert any("base + alpha/rank" in row.what for row in verdict.rows)


def test_a_forged_figure(claims: Path, tmp_path: Path) -> None:
    edit_json(claims / "scores/best-test.json", lambda scores: scores["math"].update(accuracy=0.99))
    edit_json(claims / "scores/2.json", lambda scores: scores["math"].update(accuracy=0.99))
    assert failed(graded(seal(claims), tmp_path).rows) == [
        "scores/2.json: those of its 75 figures that differ",
        "scores/best-test.json: math.accuracy",
        "scores/best-test.json: those of its 75 figures that differ",
    ]


def test_right_lines_that_are_not(claims: Path, tmp_path: Path) -> None:
    for name in ("best-test", "4"):
        edit_json(
            claims / f"scores/{name}.json", lambda scores: scores["math"]["lines"].update(right=8)
        )
    edit_json(claims / "scores/best.json", lambda best: best["lines"].update(right=8))
    assert failed(graded(seal(claims), tmp_path).rows) == [
        "scores/4.json: those of its 75 figures that differ",
        "scores/best-test.json: math.lines.right",
        "scores/best-test.json: those of its 75 figures that differ",
        "scores/best.json: those of its 73 figures that differ",
    ]


def test_a_changed_answer(claims: Path, tmp_path: Path) -> None:
    path = claims / "predictions/best-test.jsonl"
    edit_rows(path, lambda rows: rows[-1].update(prediction=rows[-1]["reference"]))
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "scores/best-test.json: math.accuracy" in found
    assert "report/report.md: lines with figures that are not as measured" in found


def test_test_problems_that_it_was_chosen_by(claims: Path, tmp_path: Path) -> None:
    """As of a package in which the answers to the validation problems stand for both."""
    shutil.copy(claims / "predictions/3-valid.jsonl", claims / "predictions/best-test.jsonl")
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "predictions/best-test.jsonl: problems that it was chosen by" in found
    assert "predictions/baseline-test.jsonl: problems that not all were asked" in found


def test_a_checkpoint_that_was_asked_something_easier(claims: Path, tmp_path: Path) -> None:
    edit_rows(claims / "predictions/2-valid.jsonl", lambda rows: rows.pop())
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "predictions/2-valid.jsonl: problems that not all were asked" in found


def test_an_altered_file_is_found_without_a_new_manifest(claims: Path, tmp_path: Path) -> None:
    edit_json(claims / "scores/3.json", lambda scores: scores["math"].update(accuracy=0.99))
    verdict = graded(claims, tmp_path)
    assert failed(verdict.rows)[0] == "the package: is as its rules say"
    assert verdict.rows[0].why.startswith("scores/3.json: altered")


def test_an_edited_worker_log(claims: Path, tmp_path: Path) -> None:
    edit_text(claims / "logs/training/worker_1.log", "loss:[6.470000/", "loss:[5.470000/")
    found = failed(graded(seal(claims), tmp_path).rows)
    assert found == [
        "logs/training/worker_1.log: means that are not those of its losses",
        "training/loss.csv: loss of step 4, which differs most from the workers' logs",
    ]


def test_a_worker_log_that_was_made_up_anew_does_not_fit_the_table(
    claims: Path, tmp_path: Path
) -> None:
    lower = [loss - 1 for loss in worker_losses(0)]
    write(claims / "logs/training/worker_0.log", worker_log(lower))
    found = failed(graded(seal(claims), tmp_path).rows)
    assert len(found) == 1 and found[0].startswith("training/loss.csv: loss of step ")


def test_a_swapped_checkpoint(honest: Dict[str, Path], claims: Path, tmp_path: Path) -> None:
    shutil.copy(honest["run"] / "merged/5/model.ckpt", claims / "weights/model.ckpt")
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "scores/best.json: model_sha256" in found
    assert "weights/model.ckpt: tensors that are not base + alpha/rank · B · A" in found


def test_a_swapped_checkpoint_whose_hash_was_changed_with_it(
    honest: Dict[str, Path], claims: Path, tmp_path: Path
) -> None:
    weights = claims / "weights/model.ckpt"
    before = content_of(weights).sha256
    shutil.copy(honest["run"] / "merged/5/model.ckpt", weights)
    after = content_of(weights).sha256
    for name in ("scores/best.json", "report/hashes.json", "report/report.md"):
        edit_text(claims / name, before, after)
    edit_text(claims / "report/report.html", before, after)
    found = failed(graded(seal(claims), tmp_path).rows)
    assert found == ["weights/model.ckpt: tensors that are not base + alpha/rank · B · A"]


def test_a_swapped_adapter(honest: Dict[str, Path], claims: Path, tmp_path: Path) -> None:
    shutil.copy(honest["run"] / "finetune/adapters/5.ckpt", claims / "adapter/adapter.ckpt")
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "weights/model.ckpt: tensors that are not base + alpha/rank · B · A" in found


def test_references_that_were_changed_to_fit_the_answers(claims: Path, tmp_path: Path) -> None:
    edit_rows(claims / "predictions/best-test.jsonl", lambda rows: rows[-1].update(reference="-1"))
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "predictions/best-test.jsonl: prompts or references that are not ours" in found
    assert "scores/best-test.json: math.accuracy" in found


def test_a_report_with_another_figure(claims: Path, tmp_path: Path) -> None:
    edit_text(claims / "report/report.md", "| 75.00% |", "| 95.00% |")
    verdict = graded(seal(claims), tmp_path)
    (row,) = (row for row in verdict.rows if not row.passed)
    assert row.what == "lines with figures that are not as measured"
    assert "75.00" in row.why and "95.00" in row.why


def test_a_page_with_another_figure(claims: Path, tmp_path: Path) -> None:
    edit_text(claims / "report/report.html", "75.00", "95.00")
    (row,) = (row for row in graded(seal(claims), tmp_path).rows if not row.passed)
    assert (row.group, row.claim, row.measured) == ("report/report.html", True, False)
    assert row.why == "made with our templates, of other figures"
    # With a template of its own the reason is another, the verdict is not.
    write(claims / "source/submission/report.css", "h1 { color: red }\n")
    (row,) = (row for row in graded(seal(claims), tmp_path).rows if not row.passed)
    assert row.why == "made with other templates than ours: report.css"


def test_a_page_with_another_picture(claims: Path, tmp_path: Path) -> None:
    edit_text(claims / "report/report.html", '<svg role="img"', '<svg role="img" y="1"')
    verdict = graded(seal(claims), tmp_path)
    (row,) = (row for row in verdict.rows if not row.passed)
    assert row.what == "the page that is made of the measured figures"


def test_words_of_a_teams_own_in_the_report_are_let_be(
    honest: Dict[str, Path], claims: Path, tmp_path: Path
) -> None:
    method = "### Method\n\nWe used 3 <b>tricks</b>.\n"
    write(claims / "source/submission/method.md", "\ufeff" + method)
    with (claims / "report/report.md").open("a") as handle:
        handle.write(method)
    page = render_page(gather(honest["run"]), method)
    write(claims / "report/report.html", page)
    assert failed(graded(seal(claims), tmp_path).rows) == []


def test_a_worse_checkpoint_handed_in(
    honest: Dict[str, Path], claims: Path, tmp_path: Path
) -> None:
    edit_json(claims / "scores/best.json", lambda best: best.update(checkpoint=1))
    found = failed(graded(seal(claims), tmp_path).rows)
    assert "scores/best.json: checkpoint" in found


def test_weights_behind_a_link(honest: Dict[str, Path], claims: Path, tmp_path: Path) -> None:
    weights = (claims / "weights/model.ckpt").rename(tmp_path / "best.ckpt")
    link = {"url": "https://x.example/best.ckpt", **vars(content_of(weights))}
    write(claims / "weights/weights.json", link)
    seal(claims)
    assert failed(graded(claims, tmp_path).rows) == []
    assert failed(graded(claims, tmp_path, weights=weights).rows) == []
    shutil.copy(honest["run"] / "merged/5/model.ckpt", weights)
    found = failed(graded(claims, tmp_path, weights=weights).rows)
    assert "scores/best.json: model_sha256" in found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scores/best.json", "[1]"),
        ("scores/best.json", '{"checkpoint": 3, "checkpoints": {"a": [1]}, "model_sha256": []}'),
        ("scores/3.json", "[" * 10_000),
        ("configs/finetune.yaml", "\x00"),
        ("configs/profile.json", '{"seed": {}, "cards": [1], "artifacts": 5}'),
        ("training/loss.csv", ""),
        ("data/records.json", '{"rows": "80", "seq_length": {}}'),
        ("data/corpus.json", '{"kinds": [1], "splits": 3}'),
    ],
)
def test_files_of_another_form_fail_and_never_crash(
    claims: Path, tmp_path: Path, name: str, content: str
) -> None:
    write(claims / name, content)
    verdict = graded(seal(claims), tmp_path)
    assert not verdict.passed


def test_a_missing_file_is_named_without_the_graders_folders(claims: Path, tmp_path: Path) -> None:
    (claims / "data/records.json").unlink()
    (claims / "data/corpus.json").unlink()
    verdict = graded(seal(claims), tmp_path)
    told = [row.why for row in verdict.rows if row.what == "can be measured"]
    assert any("'data/records.json'" in text for text in told)
    assert any("corpus/corpus.json: no such file" in text for text in told)
    assert str(tmp_path) not in json.dumps(verdict.to_dict())


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "x\x1b"])
def test_a_run_whose_name_leads_out(claims: Path, tmp_path: Path, name: str) -> None:
    edit_json(claims / "MANIFEST.json", lambda manifest: manifest.update(run=name))
    verdict = graded(claims, tmp_path)
    assert failed(verdict.rows) == ["the package: can be measured"]
    assert {path.name for path in tmp_path.iterdir()} == {TEAM, "out"}


def test_a_config_that_aliases_make_explode(claims: Path, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    text = (claims / "configs/finetune.yaml").read_text("utf-8")
    text = text.replace("optimizer:", "\n".join([*lines, "optimizer:"]), 1)
    write(claims / "configs/finetune.yaml", text.replace("eps: 1.0e-08", "eps: *a11"))
    verdict = graded(seal(claims), tmp_path)
    assert "holds more than 20000 values with its aliases written out" in verdict.rows[-1].why


def test_a_zip_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        graded(write(tmp_path / "x.zip", b"no zip"), tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["test_set", "squad"])
def test_a_graders_own_file_that_is_none_is_no_teams_fault(
    honest: Dict[str, Path], tmp_path: Path, name: str
) -> None:
    own = write(tmp_path / "none.json", "[5]")
    with pytest.raises(UserError, match=r"none\.json"):
        graded(honest["zip"], tmp_path, **{name: own})


def test_the_seed_is_the_zips_own(honest: Dict[str, Path], claims: Path, tmp_path: Path) -> None:
    other = zipped(claims, tmp_path / f"{TEAM}.zip")
    assert seed_of(honest["zip"]) == seed_of(honest["zip"]) > 0
    assert seed_of(other) != seed_of(honest["zip"])
