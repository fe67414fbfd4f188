"""Prompts, references and questions that are not ours; answers decoded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from grading_run import COUNTS, edit, failed, math_answers
from packaging_run import write

from tools.corpus.grammar import parse
from tools.corpus.kinds import CHINESE
from tools.corpus.solve import canonical, solve
from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.grading import answers, asked, remade
from tools.packaging.grading.answers import Request
from tools.packaging.grading.comparison import Row
from tools.packaging.grading.grader import UNUSABLE
from tools.packaging.grading.unpack import Package
from tools.records.prompts import render_prompt
from tools.scoring.prediction_rows import read_predictions
from tools.settings.contest import Contest


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prompt": "计算 1 + 2 等于多少？"}, "asked in other words"),
        ({"problem": "计算 1 + 2 等于多少？"}, "asked in other words"),
        ({"prompt": ""}, "no problem of ours"),
        ({"problem": "几点了？"}, "asked in other words"),
        ({"reference": "7"}, "add '7', not add"),
        ({"kind": "root"}, ": root "),
    ],
)
def test_prompts_and_references_that_are_not_ours(
    opened: Package, change: Dict[str, str], why: str
) -> None:
    assert failed(asked.problem_rows(opened, layout.CHOSEN)) == []
    rows = math_answers(6)
    rows[1].update(change)
    write(opened.folder / "predictions/best-test.jsonl", rows)
    (row,) = asked.problem_rows(opened, layout.CHOSEN)
    assert (row.what, row.measured) == ("prompts or references that are not ours", 1)
    assert why in row.why


@pytest.mark.parametrize("name", ["squad", "own"])
def test_a_prompt_template_that_is_none(opened: Package, name: str) -> None:
    edit(opened.folder / "configs/records.json", prompt=name)
    (row,) = asked.problem_rows(opened, layout.CHOSEN)
    assert row.measured == 8


def test_a_line_of_a_reading_log_that_was_changed(opened: Package) -> None:
    path = opened.folder / "logs/squad/best.log"
    path.write_text(path.read_text("utf-8").replace("pred is: ['nothing']", "pred is: ['no']", 1))
    (row,) = (row for row in remade.log_rows(opened) if not row.passed)
    assert (row.group, row.why) == ("logs/squad/best.log", "line 16")
    assert row.what == "lines that do not follow from predictions/3-squad.jsonl"


def test_reading_questions_that_are_not_ours(opened: Package) -> None:
    source = asked.reading_file(opened, None)
    assert source == asked.EMBEDDED
    assert failed(asked.question_rows(opened, source)) == []
    path = opened.folder / "predictions/5-squad.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    rows[0]["prompt"] = rows[0]["prompt"].replace("### Input", f"{rows[0]['reference']}\n### Input")
    rows[6].update(reference="nothing", references=["nothing"])
    left_out = rows.pop()
    write(path, rows)
    (row,) = (row for row in asked.question_rows(opened, source) if not row.passed)
    assert (row.group, row.measured) == ("predictions/5-squad.jsonl", 3)
    assert repr(left_out["id"]) in row.why


def test_the_contests_questions_must_be_at_hand(
    opened: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(opened.folder / "configs/profile.json", artifacts=["llama3-8b", "squad-dev"])
    monkeypatch.setattr(asked, "ROOT", tmp_path)
    assert asked.reading_file(opened, None) is None
    assert asked.reading_file(opened, tmp_path / "x.json") == tmp_path / "x.json"
    fetched = write(tmp_path / "material/llama3-8b/dev-v1.1.json", "{}")
    assert asked.reading_file(opened, None) == fetched


def test_drawn_problems_are_as_many_of_each_kind_and_answered_exactly() -> None:
    rows = answers._drawn(request(seed=7, per_kind=60))
    counts = {kind: sum(row.kind == kind for row in rows) for kind in CHINESE}
    assert counts == {kind: 45 if kind == "fraction" else 60 for kind in CHINESE}
    assert all(canonical(solve(parse(row.prompt))) == row.reference for row in rows[::37])
    assert rows == answers._drawn(request(seed=7, per_kind=60))
    assert rows != answers._drawn(request(seed=8, per_kind=60))


def decode_as(math: Callable[[dict], str], squad: Callable[[dict], str]) -> Callable[..., None]:
    """A stand-in for the decoder, which needs MindSpore and half a minute."""

    def generate(models: list, prompts: list, outputs: list, lengths: list, **more: Any) -> None:
        assert all((model / "model.ckpt").is_file() for model in models)
        assert lengths == [8, 56]
        assert more == {"min_new_tokens": 1, "batch_size": 8, "device": "CPU"}
        for path, output in zip(prompts, outputs):
            rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
            told = squad if path.name == "squad.jsonl" else math
            write(output, [{**row, "prediction": told(row)} for row in rows])

    return generate


def as_claimed(package: Package, name: str = "3-squad") -> Callable[[dict], str]:
    path = package.folder / f"predictions/{name}.jsonl"
    known = {row.prompt: row.prediction for row in read_predictions(path)}
    return lambda row: known.get(row["prompt"], row["reference"])


def request(**more: Any) -> Request:
    return Request(Path("x.zip"), Path("out"), **more)


def score(package: Package, rules: Contest, work: Path, **more: Any) -> List[Row]:
    made = remade.remake(package, COUNTS)
    return list(answers.again_rows(package, made, rules, request(seed=5, **more), None, work))


def test_weights_that_answer_as_claimed(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_as(as_claimed(opened, "best-test"), as_claimed(opened))
    monkeypatch.setattr("tools.packaging.remeasure.generate", decode)
    rows = score(opened, rules, tmp_path / "work")
    assert failed(rows) == []
    same = [row.measured for row in rows if row.what == "answers that are the same"]
    assert same == [8, 8]
    (total,) = (row for row in rows if row.what == "accuracy, kinds as in this set")
    assert total.group == "test set (drawn anew, seed 5)"
    # 6 of 8 were right before; all of the new ones are, which is more, and no fault.
    assert (total.claim, total.measured) == (0.75, 1.0)
    assert total.why.startswith("99.9 % interval of two shares' difference, 8 and 80 problems")


def test_weights_that_cannot_do_what_is_claimed(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_as(lambda row: "-1", lambda row: "nothing")
    monkeypatch.setattr("tools.packaging.remeasure.generate", decode)
    found = failed(score(opened, rules, tmp_path / "work"))
    assert found == [
        "predictions/3-squad.jsonl: SQuAD F1, decoded again",
        "predictions/3-squad.jsonl: SQuAD EM, decoded again",
        "predictions/best-test.jsonl: answers that are the same",
        "predictions/3-squad.jsonl: answers that are the same",
        "scores/best.json: eligible, decoded again",
        "test set (drawn anew, seed 5): accuracy, kinds as in this set",
        *(f"test set (drawn anew, seed 5): accuracy, {k}" for k in ("add", "divide", "multiply")),
    ]


def test_test_answers_of_another_checkpoint(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_as(as_claimed(opened, "best-test"), as_claimed(opened))
    monkeypatch.setattr("tools.packaging.remeasure.generate", decode)
    write(opened.folder / "predictions/best-test.jsonl", math_answers(4))
    found = failed(score(opened, rules, tmp_path / "work"))
    assert found == ["predictions/best-test.jsonl: answers that are the same"]


def test_a_test_set_of_the_graders_own(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(
        tmp_path / "hidden.json",
        [{"problem": "计算 1.00 + 2.00 等于多少？", "solution": "1.00 + 2.00 = 3.00"}],
    )
    told_of = []
    told = as_claimed(opened, "best-test")
    decode = decode_as(lambda row: told_of.append(row) or told(row), as_claimed(opened))
    monkeypatch.setattr("tools.packaging.remeasure.generate", decode)
    rows = score(opened, rules, tmp_path / "work", test_set=own)
    assert failed(rows) == []
    assert [row["prompt"] for row in told_of[8:]] == [
        render_prompt("alpaca", "计算 1.00 + 2.00 等于多少？")
    ]
    assert {row.group for row in rows if "accuracy" in row.what} == {"test set (hidden.json)"}
    other = write(tmp_path / "other.json", [{"problem": "What is it?", "solution": "3"}])
    rows = score(opened, rules, tmp_path / "work-2", test_set=other)
    assert failed(rows) == ["test set (other.json): accuracy"]


@pytest.mark.parametrize(
    "values",
    [
        {"max_new_tokens": ["squad=8"]},
        {"max_new_tokens": ["squad=8", "test=100000"]},
        {"max_new_tokens": 5},
        {"max_new_tokens": ["squad=8", "test=-1"]},
        {"batch_size": 1 << 30},
        {"batch_size": "8"},
    ],
)
def test_lengths_that_are_none_are_never_decoded_with(
    opened: Package,
    rules: Contest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: Dict[str, Any],
) -> None:
    monkeypatch.setattr("tools.packaging.remeasure.generate", lambda *_, **__: pytest.fail("done"))
    edit(opened.folder / "configs/evaluation.json", **values)
    with pytest.raises(UNUSABLE):
        score(opened, rules, tmp_path / "work")


def test_a_shape_that_the_weights_have_not_is_never_decoded(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.packaging.remeasure.generate", lambda *_, **__: pytest.fail("done"))
    edit(opened.folder / "weights/model.json", num_layers=3)
    with pytest.raises(UserError, match=r"is missing, weights/model.json makes it"):
        score(opened, rules, tmp_path / "work")
