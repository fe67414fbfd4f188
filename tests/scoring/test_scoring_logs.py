"""The evaluation log: the real one, to the last digit, and round trips through our writer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.scoring.logs import log_lines, read_log, write_log
from tools.scoring.squad import Answer, first_line, score_squad

INFO = "2024-07-04 21:02:26,827 - mindformers[text_generator.py:890] - INFO - 13.2 tokens/s"


@pytest.fixture
def real_log(shared):
    return shared / "contest" / "base-squad-eval.log"


@pytest.mark.shared
def test_real_log_to_the_last_digit(real_log):
    log = read_log(real_log)
    scores = score_squad(log.answers)
    assert scores["f1"] == 59.87023775108988
    assert scores["em"] == 44.17029511369134
    assert log.reported == {"f1": scores["f1"], "em": scores["em"], "count": 2067}


@pytest.mark.shared
def test_real_log_is_written_again_line_for_line(real_log):
    own = ("pred is", "label is", "The F1/Em", "F1 score")
    lines = real_log.read_text(encoding="utf-8").splitlines()
    assert list(log_lines(read_log(real_log).answers)) == [x for x in lines if x.startswith(own)]


TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "['x'] label is: ['y']",
        'it\'s "so"',
        "a\\'b\\",
        "pred is:\n ['']",
        "F1 score: 1",
        "\x85\u2028",
    ]
)


@settings(deadline=None)  # the first example loads jieba's dictionary
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=25))
def test_round_trip(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("log") / "eval.log"
    answers = [Answer(first_line(ours), (right,)) for ours, right in pairs]
    write_log(path, answers)
    log = read_log(path)
    assert log.answers == answers
    scores = score_squad(answers)
    assert log.reported == {key: scores[key] for key in ("f1", "em", "count")}


@pytest.mark.parametrize(
    "text",
    [
        # MindFormers 1.9 breaks the line after `is:`.
        "pred is:\n ['it\\'s']\n label is:\n [\"it's\"]\n",
        f'pred is: ["it\'s"]\n{INFO}\nlabel is: ["it\'s"]\n',
        f"{INFO}pred is: [\"it's\"]{INFO}\nlabel is: ['it\\'s']\r\n",
        "[\"it's\"]\npred is: ['it\\x27s']\nlabel is: [\"it's\"] and more\n",
    ],
)
def test_forms(tmp_path, text):
    path = tmp_path / "eval.log"
    path.write_text(text, encoding="utf-8")
    assert read_log(path) == ([Answer("it's", ("it's",))], None)


def test_batches_and_raw_newlines(tmp_path):
    path = tmp_path / "eval.log"
    path.write_text("pred is: ['a\nb', '']\nlabel is: ['a', '[c]']\n", encoding="utf-8")
    assert read_log(path).answers == [Answer("a\nb", ("a",)), Answer("", ("[c]",))]


@pytest.mark.parametrize(
    "text, where",
    [
        ("", ""),
        ("nothing here\n", ""),
        ("pred is: ['a']\n", ""),
        ("label is: ['a']\n", ":1"),
        ("pred is: ['a']\npred is: ['a']\n", ":2"),
        ("pred is: ['a']\nlabel is: ['a', 'b']\n", ":2"),
        ("pred is: [__import__('os')]\nlabel is: ['a']\n", ":1"),
        ("pred is: ['a\n", ":1"),
        ("pred is: ['" + "x" * 30_000 + "']\nlabel is: ['a']\n", ":1"),
    ],
)
def test_broken_logs(tmp_path, text, where):
    path = tmp_path / "eval.log"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_log(path)
    assert str(caught.value.where) == f"{path}{where}"


def test_half_a_character_at_the_end(tmp_path):
    path = tmp_path / "eval.log"
    path.write_bytes(b"pred is: ['a']\nlabel is: ['a']\n\xe4\xb8")
    assert len(read_log(path).answers) == 1
