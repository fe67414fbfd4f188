"""`make submit` and `make grade` on tiny-choices: the second phase, every stage for real."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pipeline_make import checkout, make

from tools.corpus.choices import check_choice, parse_question
from tools.corpus.rows import read_rows
from tools.llama.checkpoint import Checkpoint
from tools.scoring.rows import read_predictions

pytestmark = pytest.mark.slow

# The last word on the command line counts: pipeline_make's own profile is `tiny`.
WORDS = ("PROFILE=tiny-choices", "RUN=choices", "TEAM=choices")


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = checkout(tmp_path_factory.mktemp("choices") / "make")
    done = make(folder, "submit", *WORDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture
def run(choices: Path) -> Path:
    return choices / "runs" / "choices"


def test_the_corpus_is_of_choice_questions_held_out_by_question(run: Path) -> None:
    rows = {
        name: list(read_rows(run / f"corpus/{name}.jsonl")) for name in ("train", "valid", "test")
    }
    assert {name: len(part) for name, part in rows.items()} == {
        "train": 76,
        "valid": 4,
        "test": 24,
    }
    everything = [row for part in rows.values() for row in part]
    assert [check_choice(row) for row in everything] == [None] * 104
    assert len({parse_question(row.problem) for row in everything}) == 104
    assert set(Counter(row.kind for row in rows["test"]).values()) == {6}


def test_biases_go_through_training_and_merge_as_they_were(run: Path) -> None:
    base = Checkpoint(run / "base/model.ckpt")
    biases = [name for name in base.names() if name.endswith(".bias")]
    assert len(biases) == 8
    for number in range(1, 6):
        merged = Checkpoint(run / f"merged/{number}/model.ckpt")
        assert merged.names() == base.names()
        assert all((merged.read(name) == base.read(name)).all() for name in biases)
        changed = (merged.read("model.layers.1.attention.wq.weight")).tolist()
        assert changed != base.read("model.layers.1.attention.wq.weight").tolist()


def test_scores_are_the_second_phase_s(run: Path) -> None:
    prompts = read_predictions(run / "evaluate/test.jsonl")
    for row in prompts:
        assert row.prompt.startswith("<|User|>:Here is a question about ")
        assert row.prompt.endswith("<eoh>\n<|Bot|>:")
    for name in ("baseline", "evaluate"):
        scores = json.loads((run / name / "scores.json").read_text("utf-8"))
        assert list(scores["math"]["judges"]) == ["phrase", "letter", "text"]
        assert scores["math"]["count"] == 24 and len(scores["math"]["by_kind"]) == 4
        ratio, accuracy = scores["parameters"]["ratio"], scores["math"]["accuracy"]
        assert scores["contest"]["phase"] == 2
        assert scores["contest"]["score"] == pytest.approx((1 - 10 * ratio) * 0.3 + accuracy * 0.7)


def test_the_report_speaks_of_choice_questions(run: Path) -> None:
    for name in ("report.md", "report.html"):
        text = (run / "report" / name).read_text("utf-8")
        assert "ccuracy on choice questions" in text
        assert "rithmetic" not in text


def test_its_zip_holds_by_score(choices: Path) -> None:
    done = make(choices, "grade", "SUBMISSION=submission/choices.zip", "DEPTH=score")
    found = json.loads((choices / "runs/grade/choices/verdict.json").read_text("utf-8"))
    assert [row for row in found["rows"] if not row["passed"]] == []
    assert done.returncode == 0, done.stderr[-3000:]
    asked = [row for row in found["rows"] if row["group"].startswith("test set")]
    assert asked and "the package's own" in asked[0]["group"]
