"""How many packed rows a corpus makes, before there is a tokenizer to tell."""

from __future__ import annotations

import math
import re
from typing import Any, Dict

import numpy as np

from tools.corpus.kinds import UNIQUE
from tools.corpus.render import problem_text, solution_text
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.split import quotas
from tools.corpus.worked.styles import read_styles, work_out
from tools.records.packing import fill_rows
from tools.records.prompts import render_answer, render_prompt

_SAMPLE = 400
# What SmolLM2's vocabulary, and most that keep digits apart, make a token of.
_PIECE = re.compile(r" (?=\d)|\d|[A-Za-z]+|[^\sA-Za-z\d]|\n+")
# Tokens of a piece, since Chinese characters may take several: 1.08 in plain, 1.02 in worked and
# rank-01.
_TOKENS_A_PIECE = 1.05


def packed_rows(corpus: Dict[str, Any], prompt: str, length: int) -> int:
    """Estimate the rows of `length` + 1 tokens that the training problems of a corpus make.

    corpus   resolved corpus.json; English problems, whose length only the source tells, are
             taken to be as long as the others.
    prompt   one of prompts.PROBLEM_FRAMES
    """
    if not corpus["train"]:
        return 0
    wanted = {"train": _SAMPLE, "valid": 0, "test": 0}
    counts = quotas(CAPACITY, wanted, corpus["weights"], UNIQUE, corpus["repeat"])["train"]
    styles = read_styles(corpus["styles"], "styles")
    problems = draw(
        {k: min(n, CAPACITY[k]) for k, n in counts.items() if n}, 1, corpus["exponents"]
    )
    sizes = []
    for problem in problems:
        style = styles.get(problem.kind)
        solution = work_out(problem, style) if style else solution_text(problem)
        text = render_prompt(prompt, problem_text(problem)) + render_answer(prompt, solution)
        sizes.append(round(_TOKENS_A_PIECE * len(_PIECE.findall(text))) + 1)
    room = length + 1
    rows = int(fill_rows(np.minimum(sizes, room), room).max()) + 1
    return math.ceil(corpus["train"] * rows / len(sizes))
