"""What a model is trained to answer is judged right: worked solutions as predictions."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from tools.corpus.grammar import Rounding
from tools.corpus.kinds import CHINESE, ENGLISH
from tools.corpus.render import problem_text
from tools.corpus.sample import generate
from tools.corpus.solve import answer
from tools.corpus.worked.styles import STYLES, Style, answer_text, work_out, work_out_english
from tools.records.prompts import render_prompt
from tools.scoring.arithmetic import judge
from tools.scoring.prediction_rows import Prediction
from tools.settings.contest import read_contest

RULES = read_contest().arithmetic


@pytest.mark.parametrize("kind", CHINESE)
def test_every_style_is_judged_right(kind):
    rng = random.Random(kind)
    rounding = Rounding(None, 6) if kind == "function" else Rounding(4)
    for _ in range(60):
        problem = generate(kind, rng)
        if kind != "fraction" and not Decimal(answer_text(problem, rounding)):
            continue  # rounded away: no judge takes 0 for 0.00001
        prompt = render_prompt("alpaca", problem_text(problem))
        for name in STYLES[kind]:
            text = " " + work_out(problem, Style(name, rounding))
            verdict = judge(Prediction("1", kind, prompt, text, answer(problem), ()), RULES)
            if name == "source":
                assert all(verdict.right.values()), (text, answer(problem))
            else:
                assert verdict.right["tolerance"], (text, verdict)
                # Six digits of a function's value are not its two decimals where it is large.
                assert verdict.right["rounded"] or kind == "function", (text, verdict)


@pytest.mark.parametrize(
    ("prose", "box"),
    [
        (r"So it is $\boxed{42}$.", "42"),
        (r"Hence $\boxed{\frac{3}{4}}$", "3/4"),
        (r"Thus 5 + 2 gives $\boxed{2\sqrt{3}}$ in all.", r"2\sqrt{3}"),
        (r"$\boxed{\text{Evelyn}}$", r"\text{Evelyn}"),
    ],
)
def test_english_answers_too(prose, box):
    for name in STYLES[ENGLISH]:
        text = work_out_english(prose, box, Style(name))
        verdict = judge(Prediction("1", ENGLISH, "What?", " " + text, box, ()), RULES)
        assert all(verdict.right.values()), (name, text)
