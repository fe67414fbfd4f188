"""Choice questions in the contest's words: stated, read back, put into other orders, checked."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.choices import (
    LETTERS,
    Question,
    check_choice,
    identity_text,
    parse_question,
    problem_text,
    restate_choice,
    solution_text,
    subject_of,
)
from tools.corpus.kinds import in_order, is_choice, is_kind
from tools.corpus.rows import Row
from tools.corpus.verify import faults_of
from tools.corpus.worked.rows import restate_lines
from tools.corpus.worked.styles import read_styles

FACTS = Question("high school physics", "What is 2+2?", ("3", "4", "5", "6"))
# As a contestant's output echoes it: public archive, second phase, 重生之我在大海摸鲸鱼.
ARCHIVED = (
    "Here is a question about formal logic, the correct answer is one of the options A/B/C/D. "
    "Please select the correct option and answer the question with 'The right option is'.\n"
    "Question: Select the best translation into predicate logic. Leo is taller than Cathy. "
    "(c: Cathy; l: Leo; Txy: x is taller than y) \nA.Tlc\nB.Tcl\nC.lTc\nD.cTl"
)
TEXT = st.text(string.ascii_letters + " .,？中文", min_size=1, max_size=20).filter(str.strip)
QUESTIONS = st.builds(Question, st.just("astronomy"), TEXT, st.tuples(TEXT, TEXT, TEXT, TEXT))


def has_four_options(question: Question) -> bool:
    return len({option.strip() for option in question.options}) == 4


def names_no_letters(question: Question) -> bool:
    texts = (question.question, *question.options)
    return not any(re.search("[A-D] *[A-D]|(?i:option)", text) for text in texts)


def row(question: Question = FACTS, answer: str = "B", kind: str = "mmlu.high_school_physics"):
    return Row("q-1", kind, problem_text(question), solution_text(answer), answer)


def test_the_contest_s_words():
    question = parse_question(ARCHIVED)
    assert question.subject == "formal logic"
    assert question.question.startswith("Select the best") and question.question.endswith("y)")
    assert question.options == ("Tlc", "Tcl", "lTc", "cTl")
    assert problem_text(question) == ARCHIVED
    assert solution_text("A") == "The right option is A."


@given(QUESTIONS)
def test_what_is_stated_is_read_back(question):
    assert parse_question(problem_text(question)) == question


@pytest.mark.parametrize(
    "text", ["", "计算 1 + 1 等于多少？", ARCHIVED.replace("\nD.cTl", ""), " " + ARCHIVED]
)
def test_other_text_is_no_question(text):
    assert parse_question(text) is None


@given(QUESTIONS, st.permutations(range(4)))
def test_identity_knows_neither_order_nor_case_nor_subject(question, order):
    other = Question(
        "anatomy", f"  {question.question.upper()}", tuple(question.options[i] for i in order)
    )
    # Upper case of some letters is another letter's, as ß: those here are plain.
    assert identity_text(other) == identity_text(question)


def test_identity_knows_the_options():
    assert identity_text(FACTS) != identity_text(FACTS._replace(options=("3", "4", "5", "7")))


def test_the_first_copy_is_the_row_itself():
    assert restate_choice(row(), "source", 1) == row()
    assert restate_choice(row(), "option", 1).solution == "The right option is B.4"


@given(QUESTIONS.filter(has_four_options).filter(names_no_letters), st.sampled_from(LETTERS))
def test_copies_have_other_orders_and_the_same_answer(question, answer):
    copies = [restate_choice(row(question, answer), "option", n) for n in range(1, 25)]
    right = question.options[LETTERS.index(answer)].strip()
    read = [parse_question(copy.problem) for copy in copies]
    assert len({question.options for question in read}) == 24
    for copy, asked in zip(copies, read):
        assert sorted(asked.options) == sorted(question.options)
        assert asked.options[LETTERS.index(copy.answer)].strip() == right
        assert copy.solution == f"The right option is {copy.answer}.{right}"
    assert copies == [restate_choice(row(question, answer), "option", n) for n in range(1, 25)]


def test_options_that_could_not_be_told_apart_keep_their_order():
    # The last line that begins so is option D: the first option may hold one before it, but none
    # behind it may.
    question = Question("physics", "Q", ("a\nD.e", "b", "c", "d"))
    assert parse_question(problem_text(question)) == question
    stated = [restate_choice(row(question), "source", n) for n in range(2, 25)]
    assert any(copy.problem == problem_text(question) for copy in stated)
    for copy in stated:
        asked = parse_question(copy.problem)
        assert asked.options[LETTERS.index(copy.answer)] == "b"


def test_copies_in_a_corpus_get_ids_of_their_own():
    line = row().to_line()
    styles = read_styles(
        {"choice": {"style": "option", "decimals": None, "significant": None}}, "here"
    )
    first, second = restate_lines([(line, 1), (line, 2)], styles)
    assert '"id": "q-1"' in first and '"solution": "The right option is B.4"' in first
    assert '"id": "q-1#2"' in second and ".4" in second


@pytest.mark.parametrize(
    "change, fault",
    [
        ({}, None),
        ({"solution": "The right option is B.4"}, None),
        ({"solution": "The right option is A."}, "the solution must be"),
        ({"solution": "B"}, "the solution must be"),
        ({"answer": "E"}, "the answer is 'E'"),
        ({"answer": ""}, "the answer is ''"),
        ({"answer": "AB"}, "the answer is 'AB'"),
        ({"kind": "mmlu.anatomy"}, "the question is about high school physics"),
        ({"problem": "What is 2+2?"}, "no choice question"),
        ({"kind": "add"}, "no choice question"),
    ],
)
def test_check(change, fault):
    altered = row()._replace(**change)
    found = check_choice(altered)
    assert found is None if fault is None else fault in found
    if is_choice(altered.kind):
        assert faults_of(altered, {}) == ([] if fault is None else [found])


@pytest.mark.parametrize(
    "kind, known",
    [
        ("mmlu.anatomy", True),
        ("cmmlu.anatomy", True),
        ("mmlu.high_school_government_and_politics", True),
        ("cmmlu.elementary_information_and_technology", True),  # the longest of both sets
        ("mmlu." + "a" * 55, True),
        ("mmlu." + "a" * 56, False),
        ("mmlu.", False),
        ("mmlu.A", False),
        ("squad.a", False),
        ("mmlu.a/b", False),
        ("mmlu.a\n", False),
    ],
)
def test_kinds(kind, known):
    assert is_choice(kind) is known and is_kind(kind) is known


def test_kinds_of_arithmetic_come_first():
    assert in_order(["mmlu.b", "english", "cmmlu.a", "add"]) == [
        "add",
        "english",
        "cmmlu.a",
        "mmlu.b",
    ]
    assert subject_of("cmmlu.high_school_physics") == "high school physics"


@pytest.mark.parametrize(
    "option",
    [
        "Both A and B",
        "A, B and C",
        "Neither A nor B.",
        "All of the above",
        "AB",
        "A和C",
        "以上都对",
    ],
)
def test_options_that_speak_of_others_keep_their_order(option):
    question = Question("anatomy", "Which?", ("one", "two", "three", option))
    stated = row(question, "D")
    assert all(restate_choice(stated, "source", n) == stated for n in range(2, 25))


@pytest.mark.parametrize(
    "option", ["A decrease", "Vitamin A", "a band", "Hepatitis B and jaundice"]
)
def test_a_letter_alone_speaks_of_no_other(option):
    question = Question("anatomy", "Which?", ("one", "two", "three", option))
    assert restate_choice(row(question, "D"), "source", 2).problem != problem_text(question)


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("Which is larger, A or B?", True),
        ("Compare A and C.", True),
        ("以下哪一项正确？", False),
        ("Which of the statements above is true of a vitamin?", False),
    ],
)
def test_a_question_that_names_its_options_keeps_their_order(text, keeps):
    stated = row(Question("anatomy", text, ("one", "two", "three", "four")), "D")
    copies = [restate_choice(stated, "source", n) for n in range(2, 25)]
    assert all(copy == stated for copy in copies) == keeps
