"""Which checkpoint is handed in, and that the test problems play no part in it."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.scoring import score_tables
from tools.scoring.choose import best_index, score_checkpoints


def scores(*entries):
    """Of (eligible, score) or (eligible, score, right lines)."""
    return [
        {
            "contest": {"eligible": eligible, "score": score},
            "math": {"lines": {"right": right[0]}} if right else {},
        }
        for eligible, score, *right in entries
    ]


@pytest.mark.parametrize(
    "entries, best",
    [
        ([(True, 0.5)], 0),
        ([(True, 0.5), (True, 0.7), (True, 0.6)], 1),
        ([(True, 0.7), (True, 0.7), (True, 0.6)], 1),  # of equals the later
        ([(True, 0.6), (True, 0.7), (True, 0.7)], 2),
        ([(True, 0.7, 9), (True, 0.7, 8), (True, 0.6, 10)], 0),  # more right lines come before
        ([(True, 0.7, 8), (True, 0.7, 9), (True, 0.7, 9)], 2),
        ([(True, 0.5), (False, 0.9)], 0),  # a better one that is not eligible
        ([(False, 0.9), (True, 0.5)], 1),
        ([(False, 0.5), (False, 0.9), (False, 0.9)], 2),  # none is eligible: still the best
        ([(None, 0.5), (True, 0.1)], 1),
    ],
)
def test_best(entries, best):
    assert best_index(scores(*entries)) == best


ENTRIES = st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.3]), st.integers(0, 2))


@given(st.lists(ENTRIES, min_size=1))
def test_best_of_any(entries):
    best = best_index(scores(*entries))
    for place, entry in enumerate(entries):
        assert entry <= entries[best]
        assert entry < entries[best] or place <= best


PASSAGE = {"id": "q", "kind": "squad", "prompt": "p", "reference": "Denver Broncos"}
SUM = "计算 1.00 + 1.00 等于多少？"
PROBLEM = {"id": "m", "kind": "add", "problem": SUM, "prompt": SUM, "reference": "2.00"}
STYLE = {"styles": {"add": {"style": "direct", "decimals": 2, "significant": None}}}


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def run(tmp_path):
    """Three checkpoints: wrong in arithmetic; right, but unable to read; right in both."""
    answers = [("Denver Broncos", "3.00"), ("", "2.00"), ("Denver Broncos", "2.00")]
    for index, (reading, number) in enumerate(answers, 1):
        folder = tmp_path / "evaluate" / str(index)
        write(folder / "squad.jsonl", {**PASSAGE, "prediction": reading})
        write(folder / "valid.jsonl", {**PROBLEM, "prediction": number})
    parameters = {"trained": 10, "total": 1000, "denominator": 1000}
    (tmp_path / "parameters.json").write_text(json.dumps(parameters))
    baseline = {"squad": {"f1": 100.0, "em": 100.0, "count": 1}}
    baseline.update(math={}, parameters={}, contest={})
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    (tmp_path / "steps.json").write_text(json.dumps({"steps": [10, 20, 30]}))
    return tmp_path


def choose(run, **options):
    return score_checkpoints(
        run / "evaluate",
        run / "parameters.json",
        run / "baseline.json",
        run / "steps.json",
        run / "best.json",
        **options,
    )


def test_chosen_and_written(run):
    result = choose(run)
    assert (result["checkpoint"], result["step"], result["eligible"]) == (3, 30, True)
    assert [row["eligible"] for row in result["checkpoints"]] == [True, False, True]
    assert [row["accuracy"] for row in result["checkpoints"]] == [0.0, 1.0, 1.0]
    # (1 - 10 / 1000) * 0.3 + 0.7
    assert result["score"] == pytest.approx(0.997)
    assert json.loads((run / "best.json").read_text()) == result
    assert (run / "checkpoints.png").read_bytes().startswith(b"\x89PNG")
    for index in (1, 2, 3):
        written = json.loads((run / "evaluate" / str(index) / "scores.json").read_text())
        assert written["contest"]["score"] == result["checkpoints"][index - 1]["score"]
        assert written["math"]["split"] == "valid"
        assert "lines" not in written["math"] and "lines" not in result["checkpoints"][index - 1]


def test_of_equal_scores_more_right_lines_count(run):
    """All are wrong in the answer; the first has one line right, and states it is not sure."""
    solutions = ["1.00 + 1.00 = 2\n#### 3", "1.00 + 1.00 = 3\n#### 3", "#### 3"]
    for index, solution in enumerate(solutions, 1):
        folder = run / "evaluate" / str(index)
        write(folder / "squad.jsonl", {**PASSAGE, "prediction": "Denver Broncos"})
        write(folder / "valid.jsonl", {**PROBLEM, "prediction": f" {solution}"})
    (run / "corpus.json").write_text(json.dumps(STYLE))
    result = choose(run, styles=run / "corpus.json")
    assert (result["checkpoint"], result["accuracy"]) == (1, 0.0)
    assert [row["lines"] for row in result["checkpoints"]] == [
        {"share": 0.5, "right": 1, "count": 2},
        {"share": 0.0, "right": 0, "count": 2},
        {"share": 0.0, "right": 0, "count": 2},
    ]
    assert "1 of 2, 50.00 %" in score_tables.checkpoints_table(result)
    # Without styles nobody counts lines: the latest of the equals.
    assert choose(run)["checkpoint"] == 3


def test_the_weights_are_those_of_the_chosen_one(run):
    for index in (1, 2, 3):
        path = run / "merged" / str(index) / "model.ckpt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights %d" % index)
    assert "model_sha256" not in choose(run)
    result = choose(run, merged=run / "merged")
    assert result["model_sha256"] == hashlib.sha256(b"weights 3").hexdigest()


def test_the_ineligible_better_one_is_passed_over(run):
    (run / "steps.json").write_text(json.dumps({"steps": [10, 20]}))
    result = choose(run)
    assert result["checkpoint"] == 1
    assert result["score"] < result["checkpoints"][1]["score"]


@pytest.mark.parametrize("name", ["squad.jsonl", "valid.jsonl"])
def test_missing_predictions(run, name):
    (run / "evaluate" / "2" / name).unlink()
    with pytest.raises(UserError, match="no such predictions"):
        choose(run)
    assert not (run / "best.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"steps": []}', '{"steps": 3}'])
def test_steps_that_are_none(run, text):
    (run / "steps.json").write_text(text)
    with pytest.raises(UserError, match=r"steps\.json"):
        choose(run)
