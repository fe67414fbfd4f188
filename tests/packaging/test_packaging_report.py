"""The report of a run: what it says, that it says it plainly, that it needs nothing else."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Dict, List

import pytest
from packaging_run import fill_run, math_rows, write

from tools.files.errors import UserError
from tools.packaging.facts import Facts, gather
from tools.packaging.page import (
    TEMPLATES,
    opening,
    render_markdown,
    render_page,
    shortened,
    verdict,
    words_of,
    write_report,
)

PICTURES = {"loss.png", "accuracy.png", "checkpoints.png"}
FILES = {"report.md", "report.html", "hashes.json", *PICTURES}


def test_the_files(run: Path, tmp_path: Path) -> None:
    write_report(run, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    for name in FILES:
        # The same run gives the same bytes: the fixture's report was written earlier.
        assert (tmp_path / "out" / name).read_bytes() == (run / "report" / name).read_bytes()
    for name in PICTURES:
        assert (tmp_path / "out" / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    "line",
    [
        "> - Eligible: the best checkpoint has kept 90% of the base model's reading (F1 50.00 "
        "before, 75.00 after; EM 50.00 before, 75.00 after).",
        "> After 2 s of training the model solves 8 of 12 problems that it was never shown (95%: "
        "39% to 86%), before it solved 1; of sums and differences 4 of 6 (95%: 30% to 90%), "
        "before 1.",
        "| all kinds | 8.33% | 1.49% to 35.39% | 1 of 12 | 4.35% | 66.67% | 39.06% to 86.19% | "
        "8 of 12 | 50.00% |",
        "| without a number | – | – | 0 | – | – | 0 |",
        "> **✓ Eligible**",
        "> | Arithmetic accuracy | 66.67% |",
        "| to be kept (90% of the base model) | 45.0000 | 45.0000 | – | – | – |",
        "| 3 (best) | 6 | 75.00 | 75.00 | 58.33% | 31.95% to 80.67% | 41.18% | yes | 0.701507 |",
        "| trained parameters | 4,096 |",
        "| Low-parameter ratio | 0.022755556 |",
        "| pet\\_config.target\\_modules | .\\*wq\\|.\\*wk\\|.\\*wv\\|.\\*wo |",
        "| loss at the first step | 3.8000 |",
        "| add | 9 | 8 | 1 | 6 | 1 | 1 | source |",
        "Training saw 5 examples in the frame alpaca, in 2 rows of 192 tokens, several whole ones "
        "a row (87.5% of the positions in use). 1 did not fit and were left out, none was cut.",
        "add: 计算 1 + 2 等于多少？",
        "    1 + 2 = 3",
        "    a | b",
        "    <script>alert(1)</script> **x** [y](javascript:z) 'q' \"r\"",
        "| finetune | 1:01 | 812 |",
        "| adapter | finetune/adapters/3.ckpt | adapter/adapter.ckpt | "
        f"{hashlib.sha256(b'adapter 3').hexdigest()} |",
        "| mindspore | 2.9.0 |",
        "| seed | 42 |",
    ],
)
def test_golden_lines(finished: Dict[str, Path], line: str) -> None:
    # Counted by hand from the rows that conftest.py writes; the score is
    # (1 - 4096 / 180000) * 0.3 + 7 / 12 * 0.7, the intervals are Wilson's. Of twelve answers one is
    # one line of one, and each wrong one two of one.
    text = (finished["run"] / "report/report.md").read_text("utf-8")
    assert line in text.split("\n")


def told(facts: Facts, language: str = "en") -> List[str]:
    """The opening and the verdict."""
    words = words_of(facts, language)
    return [opening(facts, words), *verdict(facts, words)]


def test_right_and_wrong_ones_kinds_in_turn(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    assert [item["kind"] for item in facts.right] == ["add", "divide"] * 4
    assert [item["reference"] for item in facts.wrong] == ["19", "21", "23", "25"]


def test_ten_of_each_spread_over_the_kinds(run: Path) -> None:
    rows = math_rows(right=30, count=60)
    for index, row in enumerate(rows):
        # Of the first kind there are many, of the last one.
        row["kind"] = ("add", "add", "add", "add", "divide", "power")[index % 6]
    for index, row in enumerate(rows):
        row.update(problem=row["prompt"], right={"rounded": index < 30})
    write(run / "evaluate/judged.jsonl", rows)
    facts = gather(run)
    for examples in (facts.right, facts.wrong):
        kinds = [item["kind"] for item in examples]
        assert kinds == ["add", "divide", "power"] * 3 + ["add"]
        assert len({item["problem"] for item in examples}) == 10


def test_stages_stand_in_the_order_of_the_pipeline(run: Path) -> None:
    for stage in ("report", "submit", "merge", "other"):
        record = {"stage": stage, "seconds": 1.0, "peak_memory_mb": 1.0}
        write(run / f"stages/{stage}.json", record)
    names = [stage["stage"] for stage in gather(run).stages]
    assert names == ["convert-math", "finetune", "merge", "other"]


def test_a_worse_model_is_called_worse(tmp_path: Path) -> None:
    worse = {"math_before": 12, "math_after": 1, "squad_before": 4, "squad_after": 3}
    facts = gather(fill_run(tmp_path / "run", worse))
    assert not facts.eligible
    text = render_markdown(facts)
    assert "- Not eligible: the best checkpoint has not kept 90% of the base" in text
    assert "\n> Training made the model worse: after 2 s it solves 1 of 12 problems" in text
    assert "which does not count without eligibility." in text
    assert "- No rank." in text


def test_nothing_right_at_all(tmp_path: Path) -> None:
    none = {"math_before": 0, "math_after": 0, "squad_before": 0, "squad_after": 0}
    run = fill_run(tmp_path / "run", none)
    write_report(run, run / "report")
    text = (run / "report/report.md").read_text("utf-8")
    assert (
        "\n> The model has not measurably learnt: after 2 s of training it solves 0 of 12" in text
    )
    assert "passed by any model" in text
    assert "### Right\n\nNo answer was right.\n" in text


@pytest.mark.parametrize(
    ("math", "squad", "progress", "tone"),
    [
        ((1, 8), (2, 3), "learnt", "eligible"),
        ((1, 8), (4, 3), "learnt", "not_eligible"),
        ((2, 8), (2, 3), "same", "not_learnt"),
        ((3, 3), (2, 3), "same", "not_learnt"),
        ((0, 0), (4, 3), "same", "not_eligible"),
        ((12, 1), (2, 3), "worse", "worse"),
    ],
)
def test_what_has_not_learnt_is_never_good(
    tmp_path: Path, math: tuple, squad: tuple, progress: str, tone: str
) -> None:
    values = {"math_before": math[0], "math_after": math[1], "squad_before": squad[0]}
    facts = gather(fill_run(tmp_path / "run", {**values, "squad_after": squad[1]}))
    assert (facts.progress, facts.tone) == (progress, tone)
    page = render_page(facts)
    assert f'<body class="{tone}">' in page
    assert ("✓" in page) == (tone == "eligible")
    assert told(facts)[0].startswith(
        {"learnt": "After 2 s of", "same": "The model has not mea", "worse": "Training made"}[
            progress
        ]
    )


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (119, "After 119 s of", "训练 119 秒后"),
        (470, "After 8 minutes of", "训练 8 分钟后"),
        (9000, "After 2.5 hours of", "训练 2.5 小时后"),
    ],
)
def test_how_long_it_was_trained(
    finished: Dict[str, Path], seconds: int, english: str, chinese: str
) -> None:
    facts = gather(finished["run"])
    facts = facts._replace(steps=[facts.steps[0]._replace(seconds=seconds)])
    assert told(facts)[0].startswith(english)
    assert told(facts, "zh")[0].startswith(chinese)


def test_without_sums_nothing_is_said_of_them(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    math = {**facts.after["math"], "by_kind": {}}
    facts = facts._replace(after={**facts.after, "math": math})
    assert told(facts)[0].endswith("before it solved 1.")
    assert told(facts, "zh")[0].endswith("训练前答对 1 道。")


def test_rank_means_something_for_the_contest_model_only(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    assert "means nothing here" in told(facts)[-1]
    assert "没有意义" in told(facts, "zh")[-1]
    own = facts._replace(contest_model=True)
    assert told(own)[-1] == "On the published leaderboard of 20 teams this would be rank 3."
    assert told(own, "zh")[-1] == "放在公布的 20 支队伍的榜单上，名列第 3。"


def test_records_that_were_given_are_told_as_such(run: Path) -> None:
    """What trained the model, and that nobody knows whether it knew the test's problems."""
    before = render_markdown(gather(run))
    assert "held out from training" in before and "made elsewhere" not in before
    given = {"file": "train-fastchat256.mindrecord", "bytes": 7, "sha256": "ab" * 32}
    summary = {"given": given, "rows": 200, "seq_length": 256, "without_labels": 3, "frame": None}
    write(run / "records/train.mindrecord.json", summary)
    after = render_markdown(gather(run))
    assert "held out from training" not in after and "never shown" not in after
    assert (
        "Training read train-fastchat256.mindrecord, which was made elsewhere: that none of these "
        "problems is in it was not measured." in after
    )
    assert (
        f"train-fastchat256.mindrecord, taken as it is (sha256 {'ab' * 32}): 200 rows of 256 "
        "tokens, 3 of them without a label." in after
    )


def test_what_was_held_out_is_told(finished: Dict[str, Path]) -> None:
    text = render_markdown(gather(finished["run"]))
    assert "8 of 12 problems that it was never shown" in text
    assert "over 12 problems held out" in text


def test_answers_that_were_cut_are_told(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    assert " cut at the limit" not in render_markdown(facts)
    math = {**facts.after["math"], "cut": 5}
    squad = {**facts.before["squad"], "cut": 2}
    facts = facts._replace(
        after={**facts.after, "math": math}, before={**facts.before, "squad": squad}
    )
    line = "limit of new tokens: 5 of 12 to problems (0 of the base model's), 0 of 4 to reading"
    assert line in render_markdown(facts)
    assert "12 题中 5 题" in render_markdown(facts, language="zh")


def test_changed_commits_are_told(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    stages = [{**facts.stages[0], "commit": "1" * 40 + "-dirty"}, facts.stages[1]]
    lines = render_markdown(facts._replace(stages=stages)).split("\n")
    assert "- The stages were run from 2 different commits." in lines
    assert "- Files were changed after the commit that is named below." in lines


@pytest.mark.parametrize(
    "name",
    [
        *("config/profile.json", "finetune/loss.csv", "baseline/scores.json"),
        *("evaluate/best.json", "evaluate/judged.jsonl"),
    ],
)
def test_a_run_that_is_not_finished(run: Path, name: str) -> None:
    before = (run / "report/report.md").read_bytes()
    (run / name).unlink()
    with pytest.raises(UserError, match="no such file") as caught:
        write_report(run, run / "report")
    assert str(caught.value.where) == str(run / name)
    assert (run / "report/report.md").read_bytes() == before


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ("a\nb", "a\nb"),
        ("x" * 101, "x" * 100 + " …"),
        ("\n".join(map(str, range(26))), "\n".join([*map(str, range(20)), "…", "22\n23\n24\n25"])),
    ],
)
def test_long_answers_lose_their_middle(lines: str, shown: str) -> None:
    assert shortened(lines) == shown


def test_a_team_adds_its_own_words(finished: Dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES, tmp_path / "submission", ignore=shutil.ignore_patterns("*.zip"))
    words = "We rewrote *every* solution.\n\n<b>no HTML</b> ![x](http://x.example/y.png)\n"
    write(tmp_path / "submission/method.md", "\ufeff" + words)  # as Windows' editors save it
    write_report(finished["run"], tmp_path / "out", tmp_path / "submission")
    text = (tmp_path / "out/report.md").read_text("utf-8")
    assert f"## In the team's words\n\n{words.strip()}\n\n## Right and wrong answers" in text
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert "We rewrote <em>every</em> solution." in page
    assert "&lt;b&gt;no HTML&lt;/b&gt;" in page
    assert "<img" not in page
    assert "In the team's words" not in (finished["run"] / "report/report.md").read_text("utf-8")


def test_a_template_with_a_fault(finished: Dict[str, Path], tmp_path: Path) -> None:
    write(tmp_path / "report.md.j2", "# x\n{{ nothing.here }}\n")
    with pytest.raises(UserError, match="the template cannot be used"):
        render_markdown(gather(finished["run"]), "", tmp_path)
