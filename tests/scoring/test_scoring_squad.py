"""The contest's F1/EM, segment by segment, and the official ones."""

from __future__ import annotations

import contextlib
import io
import marshal
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.scoring import squad
from tools.scoring.squad import Answer, em_f1, first_line, official_em_f1, score_squad

CHARS = st.sampled_from(
    list("abcAB aan the ,.;:-_*/\\`\"'!?()123\n\t") + list("中国的大学，。：？！“”……·")
)
TEXTS = st.one_of(st.text(CHARS, max_size=30), st.text(max_size=12))


def test_worked_example():
    # From MindFormers' documentation of the metric.
    first = em_f1("I love Beijing, because it's beautiful", "I love Beijing.")
    second = em_f1("Hello world。", "Hello world")
    assert 100 * (first[0] + second[0]) / 2 == 75.0
    assert (first[1], second[1]) == (0, 1)


def test_common_run_is_contiguous_here_and_not_officially():
    answer, reference = "red and blue", "red, blue"
    assert em_f1(answer, reference)[0] < official_em_f1(answer, [reference])[0]


def test_stops_are_kept_and_hyphens_are_not():
    assert em_f1("1.5", "15")[1] == 0
    assert em_f1("co-operate", "cooperate") == (1.0, 1)
    assert official_em_f1("1.5", ["15"])[1] == 1


def test_two_empty_texts_are_equal_without_f1():
    assert em_f1("", "。") == (0, 1)


def test_first_line():
    assert first_line("\n  Cam Newton\nThe next\n") == "Cam Newton"
    assert first_line("") == ""
    assert first_line("a \rb") == "a \rb"


def test_official_best_over_references():
    assert official_em_f1("The Broncos!", ["Denver Broncos", "broncos"]) == (1.0, 1)
    assert official_em_f1("", ["the"]) == (0.0, 1)
    f1, em = official_em_f1("a cat sat", ["cat mat"])
    assert (f1, em) == (0.5, 0)


def test_score_of_rows():
    rows = [Answer("Paris\nmore", ("paris",)), Answer("Rome", ("Oslo", "Rome"))]
    scores = score_squad(rows)
    assert scores == {
        "f1": 50.0,
        "em": 50.0,
        "count": 2,
        "official": {"f1": 100.0, "em": 100.0, "references": 3},
    }


def test_nothing_to_score():
    with pytest.raises(UserError):
        score_squad([])


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_bounds_and_identity(text, other):
    f1, em = em_f1(text, other)
    assert 0 <= f1 <= 1 and em in (0, 1)
    assert em_f1(text, text)[1] == 1


@pytest.mark.slow  # importing MindFormers takes about seven seconds
def test_equals_mindformers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # importing MindFormers makes a folder `output` where it stands
    pytest.importorskip("mindformers")
    from mindformers.core.metric.metric import EmF1Metric

    metric = EmF1Metric()

    # The first example pays for jieba's dictionary, hence no deadline.
    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
    def equal(pairs):
        with contextlib.redirect_stdout(io.StringIO()):
            metric.clear()
            for ours, right in pairs:
                metric.update([ours], [right])
            expected = metric.eval()
        scores = score_squad([Answer(ours, (right,)) for ours, right in pairs])
        assert (scores["f1"], scores["em"]) == (expected["F1"], expected["Em"])

    equal()


def test_a_cache_of_jiebas_that_somebody_left_plays_no_part(tmp_path, monkeypatch):
    """jieba itself reads $TMPDIR/jieba.cache with marshal if it is newer than its dictionary."""
    text = "the 35 million dollars in total"
    expected = list(squad._cut(text))
    frequencies = {"the 35": 10**9, "t": 0, "th": 0, "the": 0, "the ": 0, "the 3": 0}
    (tmp_path / "jieba.cache").write_bytes(marshal.dumps((frequencies, 10**9)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    squad._jieba.cache_clear()
    assert list(squad._cut(text)) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["jieba.cache"]
    assert squad._jieba().total > 10**7 and "the 35" not in squad._jieba().FREQ
