"""The contest's rules: the published numbers, and faults named by line."""

from __future__ import annotations

import pytest

from tools.files.errors import UserError
from tools.settings.contest import CONTEST_FILE, ReadingScore, read_contest


@pytest.fixture
def rules():
    return read_contest()


def test_published_thresholds(rules):
    # From the organisers' manual.
    assert rules.squad.minimum == ReadingScore(f1=53.88321397598089, em=39.75326560232221)
    assert rules.denominator == 8_030_000_000
    assert rules.squad.questions == 2067
    assert rules.checkpoints == 5
    assert len(rules.leaderboard) == 20
    assert [part.name for part in rules.submission.parts] == [
        "report",
        "training_log",
        "training_config",
        "source",
        "squad_log",
    ]


def test_share_of_another_base_model(rules):
    assert rules.squad.share_of(ReadingScore(f1=20, em=10)) == ReadingScore(f1=18, em=9)


def _altered(tmp_path, old, new):
    text = CONTEST_FILE.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path = tmp_path / "contest.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = next(
        number
        for number, (before, after) in enumerate(
            zip(text.splitlines(), path.read_text(encoding="utf-8").splitlines()), 1
        )
        if before != after
    )
    return path, line


@pytest.mark.parametrize(
    "old, new, what",
    [
        ("judge: rounded ", "judge: guess ", "judge"),
        ("keep: 0.9 ", "keep: 1.9 ", "keep"),
        ("minimum_decimals: 2", "minimum_decimal: 2", "minimum_decimal"),
        ("score: 0.793620729", "score: best", "leaderboard.1.score"),
        ("accuracy: 64.00", "accuracy: 164.00", "leaderboard.2.accuracy"),
        ("checkpoints: 5 ", "checkpoints: [5 ", "not valid YAML"),
        ("denominator: 8030000000", "denominator: -1", "denominator"),
    ],
)
def test_fault_names_file_and_line(tmp_path, old, new, what):
    path, line = _altered(tmp_path, old, new)
    with pytest.raises(UserError) as caught:
        read_contest(path)
    assert what in str(caught.value)
    named = int(str(caught.value.where).rsplit(":", 1)[1])
    # An unclosed bracket shows only where the next key begins.
    assert line <= named <= line + 3


@pytest.mark.parametrize(
    "old, new",
    [
        ("score: 0.747872682", "score: 0.947872682"),
        ("f1: 53.88321397598089", "f1: 52.88321397598089"),
        ("  accuracy_weight: 0.7", "  accuracy_weight: 0.8"),
    ],
)
def test_numbers_that_contradict_each_other(tmp_path, old, new):
    with pytest.raises(UserError):
        read_contest(_altered(tmp_path, old, new)[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: &x 1\nb: *x\n",
        "- 1\n",
        "a: !!python/object/apply:os.getcwd []\n",
        "a: b: c\n",
        "\t:",
    ],
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "contest.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError):
        read_contest(path)


def test_not_text(tmp_path):
    path = tmp_path / "contest.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_contest(path)
