"""Prediction rows and reference rows, JSON lines, read from files that nobody vouches for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple, Union

from tools.corpus.grammar import NoFit, parse
from tools.corpus.rows import unframed
from tools.files.errors import UserError
from tools.files.json_lines import read_objects
from tools.records.prompts import problem_in

PathLike = Union[str, Path]

# A longer answer is a fault of decoding; the longest common run costs the product of lengths.
LONGEST_ANSWER = 20_000

_KIND = re.compile(r"[\w.-]{1,60}")


class Prediction(NamedTuple):
    """One answer: `prediction` is the answer alone, `references` has `reference` first.

    problem   what was asked, without its frame.
    cut       whether the answer ended at the limit of new tokens; not known is False.
    """

    id: str
    kind: str
    prompt: str
    prediction: str
    reference: str
    references: Tuple[str, ...]
    problem: str = ""
    cut: bool = False


class Reference(NamedTuple):
    """One problem with its right answer."""

    id: str
    kind: str
    prompt: str
    reference: str


def read_predictions(path: PathLike) -> List[Prediction]:
    """Read {"id", "kind", "problem", "prompt", "prediction", "reference"[, "references"]} rows.

    `kind` is "unknown" and `prompt` empty where absent, `problem` what is left of the prompt
    without its frame; "cut" is true or absent. Raises UserError with file:line at a row that is not
    of this form, at an id that occurs twice, and where there is no row.
    """
    rows: List[Prediction] = []
    seen: Dict[str, int] = {}
    for number, fields in read_objects(path):
        where = f"{path}:{number}"
        key = _text(fields, "id", where)
        reference = _text(fields, "reference", where)
        more = fields.get("references") or [reference]
        if not isinstance(more, list) or not all(isinstance(item, str) for item in more):
            raise UserError('"references" is not a list of strings', where, "correct the row")
        prompt = _text(fields, "prompt", where, default="")
        row = Prediction(
            id=key,
            kind=_kind(fields, where),
            prompt=prompt,
            prediction=_text(fields, "prediction", where),
            reference=reference,
            references=tuple(dict.fromkeys([reference, *more])),
            problem=_text(fields, "problem", where, default=unframed(problem_in(prompt))),
            cut=fields.get("cut") is True,
        )
        _once(key, seen, number, where)
        rows.append(row)
    return rows


def read_references(path: PathLike) -> List[Reference]:
    """Read problems with their answers, in the order of the file.

    Both the corpus rows ("problem", "answer") and the raw ones ("problem", "solution") are
    read; of "reference", "answer" and "solution" the first that is there counts. A row
    without "id" gets its number from 0, one without "kind" that of its problem.
    """
    rows: List[Reference] = []
    seen: Dict[str, int] = {}
    for number, row in read_objects(path):
        where = f"{path}:{number}"
        answers = [name for name in ("reference", "answer", "solution") if name in row]
        if not answers:
            what = 'none of "reference", "answer" and "solution" is there'
            raise UserError(what, where, "name a file of problems with answers")
        key = _text(row, "id", where, default=str(len(rows)))
        _once(key, seen, number, where)
        prompt = _text(row, "prompt" if "prompt" in row else "problem", where)
        kind = _kind(row, where) if "kind" in row else _kind_of(prompt)
        rows.append(Reference(key, kind, prompt, _text(row, answers[0], where)))
    return rows


def join(predictions: List[str], references: List[Reference], where: PathLike) -> List[Prediction]:
    """Put answers and references together, which stand in the same order.

    Raises UserError, naming the predictions' file `where`, unless there are as many of each.
    """
    if len(predictions) != len(references):
        what = f"{len(predictions)} predictions for {len(references)} references"
        raise UserError(what, where, "name the file of the problems that were answered")
    return [
        Prediction(row.id, row.kind, row.prompt, text, row.reference, (row.reference,), problem)
        for text, row in zip(predictions, references)
        for problem in [unframed(problem_in(row.prompt))]
    ]


def _text(row: Dict[str, Any], key: str, where: str, default: Any = None) -> str:
    value = row.get(key, default)
    if key == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None:
        raise UserError(f'"{key}" is missing', where, "correct the row")
    if not isinstance(value, str):
        raise UserError(f'"{key}" is not a string', where, "correct the row")
    if key in ("prediction", "reference", "answer", "solution") and len(value) > LONGEST_ANSWER:
        what = f'"{key}" is longer than {LONGEST_ANSWER} characters'
        raise UserError(what, where, "limit the new tokens when generating")
    return value


def _kind(row: Dict[str, Any], where: str) -> str:
    kind = _text(row, "kind", where, default="unknown")
    # It becomes a key of scores.json and a cell of tables.
    if not _KIND.fullmatch(kind):
        raise UserError('"kind" is not a short word', where, "correct the row")
    return kind


def _kind_of(prompt: str) -> str:
    try:
        return parse(unframed(prompt)).kind
    except NoFit:
        return "unknown"


def _once(key: str, seen: Dict[str, int], number: int, where: str) -> None:
    if key in seen:
        what = f"id {key[:40]!r} stands in line {seen[key]} already"
        raise UserError(what, where, "keep one row for each id")
    seen[key] = number
