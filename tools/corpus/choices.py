"""Multiple-choice questions as the contest's second phase states them, and their answers.

A row's problem is what the organisers' conversion of MMLU and CMMLU gives as instruction and
input, character for character: their hidden test set has the same form, and prompts must agree to
the token. (Public contest archive, second phase, the entry of 肆拾加贰.)
"""

from __future__ import annotations

import itertools
import random
import re
from typing import NamedTuple, Optional, Tuple

from tools.corpus.kinds import is_choice
from tools.corpus.rows import Row

LETTERS = "ABCD"
# The words that an answer must have, followed by the letter.
PHRASE = "The right option is"
_INSTRUCTION = (
    "Here is a question about {}, the correct answer is one of the options A/B/C/D. "
    f"Please select the correct option and answer the question with '{PHRASE}'.\n"
)
_PROBLEM = re.compile(
    re.escape(_INSTRUCTION).replace(r"\{\}", "(?P<subject>[a-z0-9 ]+)")
    + r"Question: (?P<question>.*) \nA\.(.*)\nB\.(.*)\nC\.(.*)\nD\.(.*)",
    re.DOTALL,
)


# "Both A and B", "all of the above", "以上都对": true in one order of the options only. A question
# may say "above" or 以下 of itself; of letters it speaks as its options do.
_LETTERS = r"(?<![A-Za-z])[A-D]\s*(and|or|nor|[,&/和与及或、])?\s*[A-D](?![A-Za-z])"
_NAMES_LETTERS = re.compile(_LETTERS)
_REFERS = re.compile(
    _LETTERS + r"|(?i:\b(above|below|preceding|options?)\b)|以上|以下|上述|前述|选项"
)


class Question(NamedTuple):
    """A question of a subject ("high school physics") and its four options, A to D."""

    subject: str
    question: str
    options: Tuple[str, ...]


def subject_of(kind: str) -> str:
    """The subject as a prompt names it: "mmlu.high_school_physics" -> "high school physics"."""
    return kind.partition(".")[2].replace("_", " ")


def problem_text(question: Question) -> str:
    """State a question as the contest does."""
    lines = [f"{letter}.{text}" for letter, text in zip(LETTERS, question.options)]
    instruction = _INSTRUCTION.format(question.subject)
    return "\n".join([f"{instruction}Question: {question.question} ", *lines])


def solution_text(letter: str) -> str:
    """The contest's own solution: "The right option is A."."""
    return f"{PHRASE} {letter}."


def parse_question(problem: str) -> Optional[Question]:
    """Read what `problem_text` states; None for any other text."""
    found = _PROBLEM.fullmatch(problem)
    if found is None:
        return None
    return Question(found["subject"], found["question"], found.groups()[2:])


def identity_text(question: Question) -> str:
    """The text shared by all rows that ask the same, in whatever order the options stand.

    The subject plays no part: a question that stands in two of them is one question.
    """
    return "\0".join([_plain(question.question), *sorted(map(_plain, question.options))])


class ChoiceEntry(NamedTuple):
    """A choice question as it was read; `corpus.rows.Entry` is that of other problems."""

    row: Row
    question: Question
    differs: bool = False

    def group(self) -> str:
        """Give the text shared by all problems that must be held out together."""
        return identity_text(self.question)

    def identity(self) -> str:
        """Give the text shared by all rows that ask the same problem."""
        return identity_text(self.question)


def restate_choice(row: Row, style: str, copy: int) -> Row:
    """Give a choice row in a style of solution, options in another order for a later copy.

    style   source: the letter alone; option: the letter and the option's text, which the entry of
            肆拾加贰 trained on.
    copy    from 1. The order of the options of a later one follows from id and copy alone; the
            letter goes with its option.

    A later copy keeps the order where an option speaks of others ("both A and B", "all of the
    above"), and where the options could not be told apart any more.
    """
    question = parse_question(row.problem)
    if question is None:
        return row
    texts, letter = list(question.options), row.answer
    fixed = _NAMES_LETTERS.search(question.question) or any(map(_REFERS.search, texts))
    if copy > 1 and not fixed:
        places = _order(row.id, copy)
        shuffled = question._replace(options=tuple(texts[place] for place in places))
        if parse_question(problem_text(shuffled)) == shuffled:
            letter = LETTERS[places.index(LETTERS.index(row.answer))]
            question, texts = shuffled, list(shuffled.options)
    solution = solution_text(letter)
    if style == "option":
        solution += texts[LETTERS.index(letter)].strip()
    return row._replace(problem=problem_text(question), solution=solution, answer=letter)


def check_choice(row: Row) -> Optional[str]:
    """What is wrong with a choice row's problem, solution or answer; None if nothing."""
    question = parse_question(row.problem)
    if question is None or not is_choice(row.kind):
        return "the problem is no choice question in the contest's words"
    if question.subject != subject_of(row.kind):
        return f"the question is about {question.subject}, the kind is {row.kind}"
    if row.answer not in LETTERS or len(row.answer) != 1:
        return f"the answer is {row.answer[:40]!r}, none of A, B, C, D"
    stated = solution_text(row.answer)
    option = question.options[LETTERS.index(row.answer)].strip()
    if row.solution not in (stated, stated + option):
        return f"the solution must be {stated!r}, with or without the option's text"
    return None


def _order(id: str, copy: int) -> Tuple[int, ...]:
    """Which old option stands at each place: no order comes twice before all have come."""
    first, *others = itertools.permutations(range(len(LETTERS)))
    random.Random(id).shuffle(others)
    return [*others, first][(copy - 2) % (len(others) + 1)]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
