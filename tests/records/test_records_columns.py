"""The style `columns` in tokens: no token spans two columns, and what a solution costs."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from tools.corpus.grammar import Rounding
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.worked.styles import STYLES, Style, work_out
from tools.records.tokenizers import open_tokenizer

ROOT = Path(__file__).resolve().parents[2]
KINDS = [kind for kind in STYLES if "columns" in STYLES[kind]]
# Tokens of a solution under SmolLM2's vocabulary, on average over the contest's slots. Products
# took 70, quotients 55 less when a cell was one step: docs/results.md tells why it is not.
MOST = {
    **{"add": 80, "subtract": 80, "equation": 78, "mean": 120, "area": 42, "sales": 65},
    **{"discount": 115, "root": 168, "divide": 205, "multiply": 260},
}
# Digits that stand together in these lines are one number, in all others they are columns.
_NUMBERS = re.compile(
    r"[0-9]([+-])[0-9]\1[0-9]=[0-9]+|\.?[0-9]+:[0-9],[0-9]+,[0-9]"  # a column, a short quotient
    r"|[0-9]+\*[0-9]+=[0-9]+|[0-9]+/[0-9]+:[0-9]+|#### .*"
)


def solutions(kind: str, count: int, separator: str = "") -> list[str]:
    """Solutions of the contest's slots, as the recipes round them: products to four decimals."""
    style = Style("columns", Rounding(4 if kind == "multiply" else 2), separator)
    return [work_out(problem, style) for problem in draw({kind: min(count, CAPACITY[kind])}, 7)]


def split_columns(tokenizer, text: str) -> list[str]:
    """The tokens of a solution that hold digits of two columns, or a digit and something else."""
    found = []
    for line in text.split("\n"):
        pieces = [tokenizer.decode([token]) for token in tokenizer.encode(line)]
        for piece in pieces:
            digits = len(re.findall("[0-9]", piece))
            if digits and (not piece.isdigit() or (digits > 1 and not _NUMBERS.fullmatch(line))):
                found.append(piece)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_of_smollm2_spans_two_columns(smollm2_file, kind):
    tokenizer = open_tokenizer(smollm2_file)
    assert not [piece for text in solutions(kind, 60) for piece in split_columns(tokenizer, text)]


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_no_token_of_llama3_spans_two_columns(shared, kind):
    tokenizer = open_tokenizer(shared / "llama3" / "tokenizer.model")
    for text in solutions(kind, 60, " "):
        assert not split_columns(tokenizer, text), text
    joined = [piece for text in solutions(kind, 60) for piece in split_columns(tokenizer, text)]
    assert bool(joined) == (kind not in ("mass", "fraction"))


@pytest.mark.parametrize("kind", MOST)
def test_what_a_solution_costs(smollm2_file, kind):
    # The golden's merges are a part of the vocabulary's: with all of them it is some two less.
    tokenizer = open_tokenizer(smollm2_file)
    sizes = [len(ids) for ids in tokenizer.encode_batch(solutions(kind, 300))]
    assert sum(sizes) / len(sizes) <= MOST[kind]


@pytest.mark.slow
def test_what_a_solution_costs_with_the_whole_vocabulary(whole_smollm2_file):
    tokenizer = open_tokenizer(whole_smollm2_file)
    page = (ROOT / "docs" / "worked-solutions.md").read_text("utf-8")
    for kind in KINDS:
        texts = solutions(kind, 2000)
        assert not split_columns(tokenizer, random.Random(kind).choice(texts))
        sizes = [len(ids) for ids in tokenizer.encode_batch(texts)]
        mean = sum(sizes) / len(sizes)
        assert mean <= MOST.get(kind, 80)
        assert f"| {kind} | {mean:.1f} | {max(sizes)} |" in page
