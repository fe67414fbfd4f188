"""SQuAD 1.1 read as the organisers read it: the first question of each paragraph."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional, Tuple, Union

from tools.files.errors import UserError
from tools.files.text import read_text

# train-v1.1.json has 30 MB; the whole file is parsed at once.
LARGEST_FILE = 200_000_000
_REMEDY = "name a file in the format of SQuAD 1.1"


class Question(NamedTuple):
    """A question on a passage; the contest compares with `answers[0]`."""

    id: str
    passage: str
    question: str
    answers: Tuple[str, ...]


def read_questions(
    path: Union[str, Path], limit: Optional[int] = None, every: bool = False
) -> Iterator[Question]:
    """Yield the first question of each paragraph with all its answers, in the file's order.

    limit   stop after so many paragraphs.
    every   all questions of each paragraph.

    Raises UserError with `file: data[0].paragraphs[3]…` where something is missing or not of
    its type, and where the file has no paragraph.
    """
    count = 0
    document = _Node(_load(path), str(path), "")
    for article in document["data"].items():
        for paragraph in article["paragraphs"].items():
            if limit is not None and count >= limit:
                return
            count += 1
            questions = paragraph["qas"].items()
            asked = list(questions if every else itertools.islice(questions, 1))
            if not asked:
                raise paragraph["qas"].fault("holds no question")
            for node in asked:
                answers = tuple(answer["text"].text() for answer in node["answers"].items())
                if not answers:
                    raise node["answers"].fault("holds no answer")
                context = paragraph["context"].text()
                yield Question(node["id"].text(), context, node["question"].text(), answers)
    if not count:
        raise UserError("holds no paragraph", path, _REMEDY)


def _load(path: Union[str, Path]) -> Any:
    text = read_text(path, LARGEST_FILE, _REMEDY)
    try:
        # Numbers (answer_start) are not used: one of a million digits would take minutes.
        return json.loads(
            text,
            parse_int=lambda digits: None,
            parse_float=lambda digits: None,
            parse_constant=lambda name: None,
        )
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise UserError(f"not valid JSON ({error.msg})", where, "repair or fetch it") from error
    except RecursionError as error:
        raise UserError("not valid JSON (nested too deeply)", path, _REMEDY) from error


class _Node:
    """A value of the document together with its place, so that each fault can name it."""

    def __init__(self, value: Any, path: str, place: str) -> None:
        self._value, self._path, self._place = value, path, place

    def __getitem__(self, key: str) -> _Node:
        place = f"{self._place}.{key}" if self._place else key
        if not isinstance(self._value, dict):
            raise self.fault("is not an object")
        if key not in self._value:
            raise _Node(None, self._path, place).fault("is missing")
        return _Node(self._value[key], self._path, place)

    def items(self) -> Iterator[_Node]:
        if not isinstance(self._value, list):
            raise self.fault("is not a list")
        for index, value in enumerate(self._value):
            yield _Node(value, self._path, f"{self._place}[{index}]")

    def text(self) -> str:
        if not isinstance(self._value, str) or not self._value.strip():
            raise self.fault("is not a text")
        try:
            self._value.encode("utf-8")
        except UnicodeEncodeError:
            raise self.fault("holds half of a surrogate pair") from None
        return self._value

    def fault(self, what: str) -> UserError:
        return UserError(f"{self._place or 'the document'} {what}", self._path, _REMEDY)
