"""Judges of choice questions: what each takes for the letter, and both verdicts of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.choices import LETTERS, Question, problem_text, solution_text
from tools.files.errors import UserError
from tools.records.prompts import PROBLEM_FRAMES, render_prompt
from tools.scoring.choices import JUDGES, judge_choice
from tools.scoring.rows import Prediction

OPTIONS = ("Rome", "Paris", "Bonn", "Lille")
PROBLEM = problem_text(Question("geography", "Capital of France?", OPTIONS))
PROMPT = render_prompt("internlm", PROBLEM)


def row(answer: str, reference: str = "B", prompt: str = PROMPT) -> Prediction:
    return Prediction("1", "mmlu.geography", prompt, answer, reference, (reference,))


@pytest.mark.parametrize(
    "answer, phrase, letter, text",
    [
        ("The right option is B.", "B", "B", "B"),
        ("The right option is B.Paris", "B", "B", "B"),
        # As the archive's 重生之我在大海摸鲸鱼 answers, with what it repeats behind.
        ("Let's think step by step,'The right option is B.' diamonds.'.'", "B", "B", "B"),
        ("The right option is C. The right option is B.", "C", "C", "C"),
        ("The right option is", None, None, None),
        ("The right option is Bonn", None, None, "C"),
        ("the right option is B", None, "B", "B"),
        ("B", None, "B", "B"),
        (" (B) Paris", None, "B", "B"),
        ("选 B。", None, "B", "B"),
        ("答案是B", None, "B", "B"),
        ("Answer: Paris, of course", None, None, "B"),
        ("PARIS or Rome", None, None, None),
        ("Both", None, None, None),
        ("", None, None, None),
        ("A capital is Paris", None, "A", "A"),  # the article: `letter` is known to take it
    ],
)
def test_letters(answer, phrase, letter, text):
    expected = {"phrase": phrase, "letter": letter, "text": text}
    for reference in LETTERS:
        verdict = judge_choice(row(answer, reference))
        assert verdict.right == {name: found == reference for name, found in expected.items()}
        assert verdict.found == text and verdict.wanted == reference


@pytest.mark.parametrize("frame", PROBLEM_FRAMES)
def test_the_echoed_prompt_answers_nothing(frame):
    prompt = render_prompt(frame, PROBLEM)
    assert judge_choice(row(prompt, prompt=prompt)).found is None
    told = judge_choice(row(f"{prompt}The right option is B.", prompt=prompt))
    assert all(told.right.values())
    assert judge_choice(row("in Paris", prompt=prompt)).right["text"]


@pytest.mark.parametrize("reference", ["", "E", "AB", "b", "1.00"])
def test_a_reference_that_is_no_letter(reference):
    with pytest.raises(UserError, match="no letter from A to D"):
        judge_choice(row("B", reference))


@given(st.text(max_size=60), st.sampled_from(LETTERS))
def test_a_wider_judge_never_takes_back_a_letter(answer, reference):
    verdict = judge_choice(row(answer, reference))
    assert list(verdict.right) == list(JUDGES)
    marks = [verdict.right[name] for name in JUDGES]
    if verdict.right["phrase"]:
        assert all(marks)
    if verdict.right["letter"]:
        assert verdict.right["text"]


@given(st.sampled_from(LETTERS), st.sampled_from(LETTERS))
def test_the_contest_s_own_solution(said, reference):
    right = judge_choice(row(solution_text(said), reference)).right
    assert set(right.values()) == {said == reference}


@pytest.mark.parametrize(
    "answer, found", [("it is 14", "B"), ("4个", "A"), ("2.5", None), ("", None)]
)
def test_an_option_within_another_word_is_not_said(answer, found):
    prompt = render_prompt(
        "internlm", problem_text(Question("algebra", "?", ("4", "14", "s", "15")))
    )
    assert judge_choice(row(answer, prompt=prompt)).found == found
