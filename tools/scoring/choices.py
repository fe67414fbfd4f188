"""Accuracy on multiple-choice questions by several judges: the second phase's own is not public.

phrase   the first "The right option is" that a letter from A to D follows. The question asks for
         these words; the archive's 重生之我在大海摸鲸鱼 judged itself by them.
letter   the phrase's letter, else the first letter from A to D that stands alone.
text     the letter's, else the option whose text the answer holds, if it holds that of one alone.

Each takes more for an answer than the one before it; none takes a second attempt.
"""

from __future__ import annotations

import re
from typing import Dict, Optional

from tools.corpus.choices import LETTERS, PHRASE, parse_question
from tools.files.errors import UserError
from tools.records.prompts import problem_in
from tools.scoring.arithmetic import Verdict
from tools.scoring.numbers import answer_part
from tools.scoring.rows import Prediction

JUDGES = ("phrase", "letter", "text")

_PHRASE = re.compile(rf"{PHRASE} ([{LETTERS}])(?![A-Za-z])")
_ALONE = re.compile(rf"(?<![A-Za-z])([{LETTERS}])(?![A-Za-z])")


def judge_choice(row: Prediction) -> Verdict:
    """Give every judge's verdict on one answer; `found` is the letter of the widest judge.

    Raises UserError where the reference is no letter from A to D.
    """
    wanted = row.reference.strip()
    if len(wanted) != 1 or wanted not in LETTERS:
        what = f"the reference {row.reference[:40]!r} of {row.id[:40]!r} is no letter from A to D"
        raise UserError(what, None, "name the file of the questions that were answered")
    letters = letters_in(answer_part(row.prediction, row.prompt), row.prompt)
    right = {name: letter == wanted for name, letter in letters.items()}
    return Verdict(row.id, row.kind, letters[JUDGES[-1]], wanted, right)


def letters_in(answer: str, prompt: str) -> Dict[str, Optional[str]]:
    """The letter that each judge reads out of an answer without its prompt; None where none is."""
    stated, alone = (
        found and found[1] for found in (_PHRASE.search(answer), _ALONE.search(answer))
    )
    letter = stated or alone
    return {"phrase": stated, "letter": letter, "text": letter or _quoted(answer, prompt)}


def _quoted(answer: str, prompt: str) -> Optional[str]:
    """The letter of the only option whose text stands in the answer, letter case aside."""
    question = parse_question(problem_in(prompt))
    if question is None:
        return None
    texts = [re.escape(text.strip().casefold()) for text in question.options]
    said = answer.casefold()
    held = [
        letter
        for letter, text in zip(LETTERS, texts)
        # Not within a longer word or number: 14 is not 4.
        if text and re.search(rf"(?<![a-z0-9]){text}(?![a-z0-9])", said)
    ]
    return held[0] if len(held) == 1 else None
