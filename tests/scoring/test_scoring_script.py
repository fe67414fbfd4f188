"""The script: its contract, its exit codes, scores.json."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tools.score import main
from tools.scoring.logs import write_log
from tools.scoring.scores import squad_from_predictions
from tools.scoring.squad import Answer


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def as_json(*arguments):
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def reading(tmp_path):
    rows = [
        {"id": "1", "prediction": " Paris\nmore", "reference": "Paris", "references": ["Lutetia"]},
        {"id": "2", "prediction": "Rome", "reference": "Oslo"},
    ]
    return lines(tmp_path / "squad.jsonl", rows)


@pytest.fixture
def results(tmp_path):
    rows = [
        {"id": str(n), "kind": "add", "prompt": "", "prediction": text, "reference": "3.00"}
        for n, text in enumerate(["= 3", "= 4"])
    ]
    return lines(tmp_path / "math.jsonl", rows)


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "parameters.json"
    path.write_text('{"trained": 10, "total": 1000, "denominator": 1000}')
    return path


def test_squad(reading, tmp_path):
    log = tmp_path / "eval.log"
    scores = as_json("squad", "--predictions", reading)
    assert squad_from_predictions(reading, log) == scores
    assert (scores["f1"], scores["em"], scores["count"]) == (50.0, 50.0, 2)
    again = as_json("squad", "--log", log)
    assert again["reported"] == {"f1": 50.0, "em": 50.0, "count": 2}
    assert again["f1"] == scores["f1"]
    assert "EmF1Metric" in invoke("squad", "--log", log).output


def test_forged_log(tmp_path):
    log = tmp_path / "eval.log"
    write_log(log, [Answer("a", ("b",))])
    log.write_text(log.read_text().replace("F1 score: 0.0", "F1 score: 99.0"))
    result = invoke("squad", "--log", log)
    assert result.exit_code == 1
    assert "claims F1 99.0" in result.output


@pytest.mark.shared
def test_organisers_files(shared):
    contest = shared / "contest"
    references = ("--references", contest / "problems-200.json")
    scores = as_json("math", "--npy", contest / "base-predictions-200.npy", *references)
    assert scores == as_json("math", "--npy", contest / "base-predictions-200.txt", *references)
    counts = {name: share["correct"] for name, share in scores["judges"].items()}
    # As docs/judges.md says.
    assert counts == {"exact": 19, "rounded": 22, "tolerance": 26, "prefix": 20}
    assert sum(share["count"] for share in scores["by_kind"].values()) == 200
    assert "unknown" not in scores["by_kind"]
    text = invoke("math", "--npy", contest / "base-predictions-200.npy", *references)
    assert "rounded (contest)" in text.output


def test_math(results):
    assert as_json("math", "--predictions", results)["accuracy"] == 0.5
    assert "| id |" in invoke("math", "--predictions", results, "--disagreements").output


def test_right_lines(tmp_path):
    problem = "计算 1.00 + 2.00 等于多少？"
    row = {"kind": "add", "problem": problem, "prompt": f"Q: {problem}", "reference": "3.00"}
    answers = ["1.00 + 2.00 = 3\n#### 3", "1.00 + 2.00 = 4\n#### 3"]
    rows = [{**row, "id": str(n), "prediction": text} for n, text in enumerate(answers)]
    path = lines(tmp_path / "valid.jsonl", rows)
    styles = tmp_path / "corpus.json"
    styles.write_text('{"styles": {"add": {"style": "direct", "decimals": 2}}}')
    share = {"share": 0.75, "right": 3, "count": 4}
    command = ("math", "--predictions", path)
    assert as_json(*command, "--styles", styles)["lines"] == {**share, "by_kind": {"add": share}}
    assert "3 of 4, 75.00 %" in invoke(*command, "--styles", styles).output
    assert "lines" not in as_json(*command) and "right lines" not in invoke(*command).output
    styles.write_text("{}")
    result = invoke(*command, "--styles", styles)
    assert result.exit_code == 2 and "does not say how its solutions" in result.output


def test_answers_that_were_cut_are_counted(reading, results, parameters, tmp_path):
    for path in (reading, results):
        assert "cut" not in as_json("squad", "--predictions", path)
        lines(path, [{**json.loads(line), "cut": True} for line in path.read_text().splitlines()])
    # What is scored of a reading answer is its first line, and one of them goes on behind it.
    assert as_json("squad", "--predictions", reading)["cut"] == 1
    assert "2 questions, 1 of 2 were cut at" in invoke("squad", "--predictions", reading).output
    assert as_json("math", "--predictions", results)["cut"] == 2
    words = ("--math", results, "--parameters", parameters, "--output", tmp_path / "scores.json")
    told = invoke("run", "--squad", reading, *words).output
    assert "EM 50.00, 1 of 2 were cut" in told and "(rounded), 2 of 2 were cut" in told


def test_contest():
    for accuracy in ("0.64", "64", "64%"):
        result = as_json("contest", "--accuracy", accuracy, "--trained", 3407872)
        assert result["score"] == pytest.approx(0.747872682, abs=1e-9)
        assert (result["rank"], result["eligible"]) == (3, None)
    other = as_json("contest", "--accuracy", "1%", "--trained", 10, "--total", 100)
    assert other["score"] == pytest.approx(0.9 * 0.3 + 0.007)
    assert "0.747872682" in invoke("contest", "--accuracy", "0.64", "--trained", 3407872).output


def test_eligibility_is_the_exit_code():
    entry = ("contest", "--accuracy", "0.64", "--trained", 3407872)
    assert as_json(*entry, "--f1", 60, "--em", 45)["eligible"] is True
    result = invoke(*entry, "--f1", 50, "--em", 45, "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["eligible"] is False


def test_run_without_and_with_a_baseline(reading, results, parameters, tmp_path):
    output = tmp_path / "deep" / "scores.json"
    run = ("run", "--squad", reading, "--math", results, "--parameters", parameters)
    scores = as_json(*run, "--output", output)
    assert scores == json.loads(output.read_text(encoding="utf-8"))
    assert list(scores) == ["squad", "math", "parameters", "contest"]
    assert scores["parameters"] == {"trained": 10, "total": 1000, "ratio": 0.01}
    assert "split" not in scores["math"]  # of a file of no such name
    assert list(scores["contest"]) == ["eligible", "score", "rank"]
    assert scores["contest"]["eligible"] is None
    assert scores["contest"]["score"] == pytest.approx(0.99 * 0.3 + 0.5 * 0.7)

    baseline = tmp_path / "baseline.json"
    for f1, eligible in ((55.0, True), (56.0, False)):
        altered = {**scores, "squad": {**scores["squad"], "f1": f1}}
        baseline.write_text(json.dumps(altered))
        again = as_json(*run, "--output", output, "--baseline", baseline)
        assert again["contest"]["eligible"] is eligible
        assert (again["contest"]["rank"] is None) is not eligible


def test_what_was_judged_stands_beside_the_scores(reading, results, parameters, tmp_path):
    command = ("run", "--squad", reading, "--math", results, "--parameters", parameters)
    scores = as_json(*command, "--output", tmp_path / "scores.json")
    lines = (tmp_path / "judged.jsonl").read_text("utf-8").split("\n")[:-1]
    judged = [json.loads(line) for line in lines]
    assert set(judged[0]) == {"id", "kind", "problem", "prediction", "reference", "right"}
    counts = {name: sum(row["right"][name] for row in judged) for name in judged[0]["right"]}
    shares = scores["math"]["judges"]
    assert counts == {name: share["correct"] for name, share in shares.items()}
    assert len(judged) == scores["math"]["count"] == 2


def test_run_refuses_what_does_not_fit(reading, results, parameters, tmp_path):
    output = tmp_path / "scores.json"
    output.write_text("old")
    baseline = tmp_path / "baseline.json"
    run = ("run", "--squad", reading, "--math", results, "--output", output)
    for bad in ({"squad": {"f1": 50, "em": 50, "count": 3}}, {"squad": {}}, {"trained": 1}):
        baseline.write_text(json.dumps(bad))
        result = invoke(*run, "--parameters", parameters, "--baseline", baseline)
        assert result.exit_code == 2, result.output
        assert "baseline.json" in result.output
    for text in ("", "[]", '{"trained": 1, "total": 2}', "[" * 100_000):
        baseline.write_text(text)
        assert invoke(*run, "--parameters", baseline).exit_code == 2
    assert output.read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("squad",),
        ("squad", "--log", "absent.log"),
        ("math",),
        ("math", "--npy", __file__),
        ("math", "--predictions", __file__),
        ("contest", "--accuracy", "x", "--trained", "1"),
        ("contest", "--accuracy", "101", "--trained", "1"),
        ("contest", "--accuracy", "nan", "--trained", "1"),
        ("contest", "--accuracy", "0.5", "--trained", "9", "--total", "3"),
        ("contest", "--accuracy", "0.5", "--trained", "1", "--f1", "50"),
    ],
)
def test_bad_usage_is_exit_code_2(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_imports_neither_mindspore_nor_mindformers():
    code = (
        "import sys, tools.score, tools.scoring.scores, tools.scoring.score_tables; "
        "sys.exit(any(name in sys.modules for name in ('mindspore', 'mindformers', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("command", ["", "squad", "math", "contest", "run", "checkpoints"])
def test_help_has_an_example(command):
    result = invoke(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Example:" in result.output
