"""Rows of the corpus: {"id", "kind", "problem", "solution", "answer"}, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, NamedTuple, Optional, Tuple, Union

from tools.corpus import english, render
from tools.corpus.grammar import NoFit, Problem, group_text, identity_text, parse
from tools.corpus.kinds import ENGLISH, KINDS
from tools.corpus.solve import canonical, solve
from tools.files.errors import UserError
from tools.files.json_lines import Block, read_objects

# A whole encoder, made anew for each row, would take as long as parsing and solving do.
_quote = json.encoder.encode_basestring
_FIELDS = ("id", "kind", "problem", "solution", "answer")
_INSTRUCTION, _RESPONSE = "### Instruction:\n", "\n\n### Response:"


def _line(row: NamedTuple) -> str:
    """Print a tuple of strings as one line of JSON, non-ASCII as it is."""
    return "{" + ", ".join([f'"{k}": {_quote(v)}' for k, v in zip(row._fields, row)]) + "}\n"


class Row(NamedTuple):
    """One row of the corpus.

    answer is a decimal or fraction string; an English problem whose answer is no rational
    number has the LaTeX of its box there (`english.numeric` tells).
    """

    id: str
    kind: str
    problem: str
    solution: str
    answer: str

    def to_line(self) -> str:
        """Print the row as one line of JSON, newline included."""
        return _line(self)


class Entry(NamedTuple):
    """A row as it was read.

    problem is None for English; differs is True where the row states its solution otherwise
    than the source would.
    """

    row: Row
    problem: Optional[Problem]
    differs: bool = False

    def group(self) -> str:
        """Give the text shared by all problems that must be held out together."""
        if self.problem is None:
            return english.identity_text(self.row.problem)
        return group_text(self.problem)

    def identity(self) -> str:
        """Give the text shared by all rows that ask the same problem."""
        if self.problem is None:
            return english.identity_text(self.row.problem)
        return identity_text(self.problem)


class Misfit(NamedTuple):
    """A row that cannot be used: where it stands, why, and its problem."""

    where: str
    reason: str
    problem: str

    def to_line(self) -> str:
        """Print the misfit as one line of JSON, newline included."""
        return _line(self)


def make_row(problem: Problem, id: str) -> Row:
    """Solve a problem and state it as a row in the source's words."""
    value = solve(problem)
    return Row(id, problem.kind, *render.render(problem, value), canonical(value))


def unframed(text: str) -> str:
    """Take the Alpaca frame off a problem, if it carries one."""
    start = text.find(_INSTRUCTION)
    if start < 0:
        return text
    inner = text[start + len(_INSTRUCTION) :]
    end = inner.rfind(_RESPONSE)
    return inner[:end] if end >= 0 else inner


def read_source(path: Union[str, Path]) -> Iterator[Union[Entry, Misfit]]:
    """Yield an Entry or a Misfit for each row of a train.json, in order.

    Rows are {"problem", "solution"}, with or without the Alpaca frame, or rows of the corpus,
    as JSON lines or one JSON array. An answer is always computed from the problem; a corpus row
    that claims another kind or answer is a misfit. Raw rows get the id kind-N, N counted from 1
    over the file. Raises UserError with file:line for a fault.
    """
    for number, (line, fields) in enumerate(read_objects(path), start=1):
        yield _understand(fields, number, f"{path}:{line}")


def _understand(fields: Dict[str, Any], number: int, where: str) -> Union[Entry, Misfit]:
    text = unframed(text_of(fields, "problem", where))
    solution = text_of(fields, "solution", where)
    if not text.strip() or not solution.strip():
        return Misfit(where, f"the {'solution' if text.strip() else 'problem'} is empty", text)
    claims = "kind" in fields and "answer" in fields
    id, kind, claimed = (
        [text_of(fields, key, where) for key in ("id", "kind", "answer")]
        if claims
        else ["", "", ""]
    )
    try:
        problem = parse(text)
    except NoFit as reason:
        if not english.is_english(text):
            return Misfit(where, str(reason), text)
        if claims and kind == ENGLISH:
            return Entry(Row(id, kind, text, solution, claimed), None)
        box = english.boxed(solution)
        if not box:
            return Misfit(where, r"its solution has no \boxed{} answer", text)
        row = Row(f"{ENGLISH}-{number}", ENGLISH, text, solution, english.numeric(box) or box)
        return Entry(row, None)
    value = solve(problem)
    exact = canonical(value)
    differs = solution != render.solution_text(problem, value)
    if not claims:
        row = Row(f"{problem.kind}-{number}", problem.kind, text, solution, exact)
    elif kind != problem.kind:
        return Misfit(where, f"the row says {kind}, its problem is of kind {problem.kind}", text)
    elif claimed != exact:
        return Misfit(where, f"the row answers {claimed[:80]}, the problem's is {exact}", text)
    else:
        row = Row(id, kind, text, solution, exact)
    return Entry(row, problem, differs)


def text_of(fields: Dict[str, Any], key: str, where: str) -> str:
    """Give a field that must be a text; UserError at `where` for one that is none."""
    value = fields.get(key)
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise UserError(
                f'"{key}" holds half of a surrogate pair', where, "correct or remove the row"
            ) from None
        return value
    fault = "is not a string" if key in fields else "is missing"
    raise UserError(f'"{key}" {fault}', where, "correct or remove the row")


def read_rows(path: Union[str, Path]) -> Iterator[Row]:
    """Yield the rows of a corpus file, in order, without parsing their problems.

    Raises UserError with file:line where a field is missing, no string, or the kind is unknown.
    """
    return _rows(read_objects(path), path)


def block_rows(block: Block, path: Union[str, Path]) -> Iterator[Row]:
    """Yield the rows of a block of a corpus file (`read_blocks`), as `read_rows` does."""
    return _rows(block.objects(path), path)


def _rows(objects: Iterable[Tuple[int, Dict[str, Any]]], path: Union[str, Path]) -> Iterator[Row]:
    for line, fields in objects:
        where = f"{path}:{line}"
        row = Row(*[text_of(fields, key, where) for key in _FIELDS])
        if row.kind not in KINDS:
            known = f"known are {', '.join(KINDS)}"
            raise UserError(f"the kind {row.kind[:40]!r} is unknown", where, known)
        yield row
