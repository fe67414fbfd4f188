"""Prompts, references and questions that are not ours; answers decoded again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List

import pytest
from grading_run import COUNTS, edit, failed, math_answers
from packaging_run import write

from tools.corpus.grammar import parse
from tools.corpus.kinds import CHINESE
from tools.corpus.solve import canonical, solve
from tools.files.errors import UserError
from tools.packaging import layout
from tools.packaging.grading import answers, figures
from tools.packaging.grading.answers import Sources
from tools.packaging.grading.rows import Row
from tools.packaging.grading.unpack import Package
from tools.records.prompts import render_prompt
from tools.scoring.rows import read_predictions
from tools.settings.contest import Contest


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"prompt": "计算 1 + 2 等于多少？"}, "prompts not as training has them"),
        ({"problem": "计算 1 + 2 等于多少？"}, "prompts not as training has them"),
        ({"prompt": ""}, "references that are not the answer"),
        ({"reference": "7"}, "references that are not the answer"),
        ({"kind": "root"}, "references that are not the answer"),
    ],
)
def test_prompts_and_references_that_are_not_ours(
    opened: Package, change: Dict[str, str], claim: str
) -> None:
    assert failed(figures.answer_rows(opened, layout.CHOSEN)) == []
    rows = math_answers(6)
    rows[2].update(change)
    write(opened.folder / "predictions/best-test.jsonl", rows)
    assert f"predictions/best-test.jsonl: {claim}" in failed(
        figures.answer_rows(opened, layout.CHOSEN)
    )


def test_a_frame_that_is_none(opened: Package) -> None:
    edit(opened.folder / "configs/records.json", prompt="squad")
    with pytest.raises(UserError, match="prompt 'squad' is none of alpaca"):
        figures.frame_of(opened)


def test_a_line_of_a_reading_log_that_was_changed(opened: Package) -> None:
    path = opened.folder / "logs/squad/best.log"
    path.write_text(path.read_text("utf-8").replace("pred is: ['nothing']", "pred is: ['no']", 1))
    rows = [row for row in figures.answer_rows(opened, "3") if not row.passed]
    assert [row.what for row in rows] == ["lines that do not follow from predictions/3-squad.jsonl"]
    assert rows[0].why == "line 16"


def test_reading_questions_that_are_not_ours(opened: Package, tmp_path: Path) -> None:
    source = answers.reading_file(opened, Sources())
    assert source == answers.EMBEDDED
    assert failed(answers.question_rows(opened, source, tmp_path)) == []
    path = opened.folder / "predictions/5-squad.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    rows[0]["prompt"] = rows[0]["prompt"].replace("### Input", f"{rows[0]['reference']}\n### Input")
    rows[6].update(reference="nothing", references=["nothing"])
    write(path, rows[:-1])
    found = [row for row in answers.question_rows(opened, source, tmp_path) if not row.passed]
    assert [(row.what, row.measured) for row in found] == [
        ("questions", 8),
        ("questions, prompts or references that are not ours", 2),
    ]


def test_the_contests_questions_must_be_at_hand(
    opened: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(opened.folder / "configs/profile.json", artifacts=["llama3-8b", "squad-dev"])
    monkeypatch.setattr(answers, "ROOT", tmp_path)
    with pytest.raises(UserError, match="which is not at hand") as caught:
        answers.reading_file(opened, Sources())
    assert caught.value.where == "--squad"
    given = Sources(squad=tmp_path / "x.json")
    assert answers.reading_file(opened, given) == tmp_path / "x.json"
    fetched = write(tmp_path / "material/llama3-8b/dev-v1.1.json", "{}")
    assert answers.reading_file(opened, Sources()) == fetched


def test_drawn_problems_are_as_many_of_each_kind_and_answered_exactly() -> None:
    rows = answers._drawn(7, 60)
    counts = {kind: sum(row.kind == kind for row in rows) for kind in CHINESE}
    assert counts == {kind: 45 if kind == "fraction" else 60 for kind in CHINESE}
    assert all(canonical(solve(parse(row.prompt))) == row.reference for row in rows[::37])
    assert rows == answers._drawn(7, 60) and rows != answers._drawn(8, 60)


def decode_as(math: Callable[[dict], str], squad: Callable[[dict], str]) -> Callable[..., None]:
    """A stand-in for the decoder, which needs MindSpore and half a minute."""

    def generate(models: list, prompts: list, outputs: list, lengths: list, **more: Any) -> None:
        assert all((model / "model.ckpt").is_file() for model in models)
        assert more == {"min_new_tokens": 1, "device": "CPU"}
        for path, output in zip(prompts, outputs):
            rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
            told = squad if path.name == "squad.jsonl" else math
            write(output, [{**row, "prediction": told(row)} for row in rows])

    return generate


def as_claimed(package: Package, name: str = "3-squad") -> Callable[[dict], str]:
    path = package.folder / f"predictions/{name}.jsonl"
    known = {row.prompt: row.prediction for row in read_predictions(path)}
    return lambda row: known.get(row["prompt"], row["reference"])


def score(package: Package, rules: Contest, work: Path, **more: Any) -> List[Row]:
    measured = figures.measure(package, COUNTS)
    return list(again_rows(package, measured, rules, Sources(seed=5, **more), work))


def again_rows(
    package: Package, measured: dict, rules: Contest, sources: Sources, work: Path
) -> Iterable[Row]:
    return answers.again_rows(package, measured, rules, sources, None, work)


def test_weights_that_answer_as_claimed(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_as(as_claimed(opened, "best-test"), as_claimed(opened))
    monkeypatch.setattr("tools.llama.generate.generate", decode)
    rows = score(opened, rules, tmp_path / "work")
    assert failed(rows) == []
    same = [row.measured for row in rows if row.what == "answers that are the same"]
    assert same == [8, 8]
    (total,) = (row for row in rows if row.what == "accuracy, kinds as in this set")
    assert total.group == "test set (drawn anew, seed 5)"
    # 6 of 8 were right before; all of the new ones are, which is more, and no fault.
    assert (total.claim, total.measured) == (0.75, 1.0)
    assert total.why.startswith("99.9 % interval of the difference of two shares, 8 and 280")


def test_weights_that_cannot_do_what_is_claimed(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_as(lambda row: "-1", lambda row: "nothing")
    monkeypatch.setattr("tools.llama.generate.generate", decode)
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
    monkeypatch.setattr("tools.llama.generate.generate", decode)
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
    asked = []
    told = as_claimed(opened, "best-test")
    decode = decode_as(lambda row: asked.append(row) or told(row), as_claimed(opened))
    monkeypatch.setattr("tools.llama.generate.generate", decode)
    rows = score(opened, rules, tmp_path / "work", test_set=own)
    assert failed(rows) == []
    assert [row["prompt"] for row in asked[8:]] == [
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
        {"min_new_tokens": "1"},
    ],
)
def test_lengths_that_are_none(opened: Package, values: Dict[str, Any]) -> None:
    path = opened.folder / "configs/evaluation.json"
    edit(path, max_new_tokens=["squad=8", "valid=16", "test=24"])
    assert answers._settings(opened) == {"squad": 8, "valid": 16, "test": 24, "least": 1}
    edit(path, **values)
    with pytest.raises(UserError, match="are no lengths up to 4096"):
        answers._settings(opened)


def test_a_shape_that_the_weights_have_not_is_never_decoded(
    opened: Package, rules: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.llama.generate.generate", lambda *_, **__: pytest.fail("decoded"))
    measured = figures.measure(opened, COUNTS)
    edit(opened.folder / "weights/model.json", num_layers=3)
    with pytest.raises(UserError, match=r"is missing, weights/model.json makes it"):
        list(again_rows(opened, measured, rules, Sources(), tmp_path / "work"))
