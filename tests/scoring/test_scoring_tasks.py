"""The task of rows, its judge and its phase: scores of choice questions, by the second's rules."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tools.corpus.choices import Question, problem_text
from tools.files.errors import UserError
from tools.records.prompts import render_prompt
from tools.score import main
from tools.scoring import contest, scores, tables, tasks
from tools.scoring.rows import Prediction
from tools.settings.contest import read_contest

RULES = read_contest()
PROMPT = render_prompt("internlm", problem_text(Question("a", "Q?", ("1", "2", "3", "4"))))


def choice(n: int, answer: str, subject: str = "mmlu.a", reference: str = "A") -> Prediction:
    return Prediction(str(n), subject, PROMPT, answer, reference, (reference,))


ANSWERS = [
    choice(1, "The right option is A."),
    choice(2, "The right option is B."),
    choice(3, "A"),
    choice(4, "nothing", "cmmlu.b"),
]


def as_rows(rows):
    fields = ("id", "kind", "prompt", "prediction", "reference")
    return "".join(json.dumps({k: getattr(row, k) for k in fields}) + "\n" for row in rows)


@pytest.fixture
def files(tmp_path):
    reading = {"id": "1", "kind": "squad", "prompt": "", "prediction": "a", "reference": "a"}
    (tmp_path / "squad.jsonl").write_text(json.dumps(reading) + "\n")
    (tmp_path / "test.jsonl").write_text(as_rows(ANSWERS))
    counts = {"trained": 16777216, "total": 7321948160, "denominator": 7321000000}
    (tmp_path / "parameters.json").write_text(json.dumps(counts))
    return [tmp_path / name for name in ("squad.jsonl", "test.jsonl", "parameters.json")]


def test_tasks():
    assert tasks.task_of(["add", "english", "unknown"]) == "arithmetic"
    assert tasks.task_of(["mmlu.a", "cmmlu.b"]) == "choices"
    assert tasks.task_of([]) == "arithmetic"
    with pytest.raises(UserError, match="no phase asks together"):
        tasks.task_of(["add", "mmlu.a"])
    assert tasks.counting_judge("choices", RULES) == "phrase"
    assert tasks.counting_judge("arithmetic", RULES) == RULES.arithmetic.judge
    assert {RULES.phase_of_task(name) for name in ("arithmetic", "choices")} == {1, 2}


def test_accuracy_by_subject_and_judge():
    found = tasks.score_answers(ANSWERS, RULES)
    assert (found["accuracy"], found["correct"], found["count"]) == (0.25, 1, 4)
    assert found["judge"] == "phrase" and found["unanswered"] == 1
    counts = {name: share["correct"] for name, share in found["judges"].items()}
    assert counts == {"phrase": 1, "letter": 2, "text": 2}
    assert {kind: share["count"] for kind, share in found["by_kind"].items()} == {
        "cmmlu.b": 1,
        "mmlu.a": 3,
    }
    assert "1 answers name no option" in tables.math_table(found)
    # A letter has no lines that could be worked out.
    assert tasks.score_answers(ANSWERS, RULES, {}) == found


def test_a_run_is_scored_by_the_phase_that_asks_such_rows(files, tmp_path):
    result = scores.score_run(*files, tmp_path / "scores.json")
    # 16 777 216 / 7 321 000 000 = 0.00229, as the archive's 肆拾加贰 states it.
    assert result["parameters"]["ratio"] == pytest.approx(0.00229, abs=5e-6)
    assert result["contest"]["phase"] == 2 and result["math"]["split"] == "test"
    ratio = 16777216 / 7321000000
    assert result["contest"]["score"] == pytest.approx((1 - 10 * ratio) * 0.3 + 0.25 * 0.7)
    # No minimum is published for this model: without its baseline nobody knows.
    assert result["contest"]["eligible"] is None and result["contest"]["rank"] is None
    told = CliRunner().invoke(main, ["math", "--predictions", str(files[1]), "--disagreements"])
    assert "| id | kind | answer | reference | phrase | letter | text |" in told.output
    assert told.output.count("\n") == 3


def test_mixed_rows_are_refused(files):
    add = Prediction("9", "add", "", "3", "3", ("3",))
    files[1].write_text(as_rows([*ANSWERS, add]))
    result = CliRunner().invoke(main, ["math", "--predictions", str(files[1])])
    assert result.exit_code == 2 and "no phase asks together" in result.output


@pytest.mark.parametrize(
    "trained, accuracy, ratio_part, score",
    [
        # The table in the report of 名起科南 (public archive, second phase), of four ranks.
        (4_194_304, 0.9683, 0.298281, 0.976091),
        (33_554_432, 0.9742, 0.286250, 0.968190),
        (67_108_864, 0.9806, 0.272500, 0.958920),
        (134_217_728, 0.9776, 0.245000, 0.929320),
    ],
)
def test_scores_that_an_entry_reports(trained, accuracy, ratio_part, score):
    entry = scores.contest_entry(accuracy, trained, phase=2)
    assert entry["score"] == pytest.approx(score, abs=2e-6)
    assert entry["score"] - 0.7 * accuracy == pytest.approx(ratio_part, abs=2e-6)


def test_the_second_phase_has_its_own_denominator_and_no_published_minimum():
    first, second = RULES.phases[1], RULES.phases[2]
    assert contest.denominator_of(RULES, None, second) == 7_321_000_000
    assert contest.denominator_of(RULES, None, first) == 8_030_000_000
    assert contest.denominator_of(RULES, 7_321_948_160) == 7_321_000_000
    assert contest.denominator_of(RULES, 8_030_261_248, second) == 8_030_000_000
    assert contest.published_minimum(RULES, second) is None
    assert contest.published_minimum(RULES, first) == RULES.squad.minimum
    entry = scores.contest_entry(0.9985, 19988480, phase=2, f1=55.5, em=34.9)
    # nju-websoft's ratio, as its report states it.
    assert entry["ratio"] == pytest.approx(0.00273029367572736, abs=1e-15)
    assert entry["eligible"] is None
    assert entry["score"] == pytest.approx((1 - 0.0273029367572736) * 0.3 + 0.9985 * 0.7)
    assert scores.contest_entry(0.9, 1000, phase=1, f1=10, em=10)["eligible"] is False
