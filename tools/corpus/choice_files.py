"""Reads multiple-choice questions in the layout of MMLU and of CMMLU: a CSV file a subject.

MMLU    dev/SUBJECT_dev.csv, val/SUBJECT_val.csv, test/SUBJECT_test.csv; no header; question, four
        options, letter.
CMMLU   dev/SUBJECT.csv, test/SUBJECT.csv; a header, and before the question the row's number.

Which of the two a file is shows in its first line, so both may lie in one folder. A folder, a zip
and a tar archive are read alike; of what lies elsewhere than in dev, val and test (MMLU's
auxiliary_train, whose subjects are not known) nothing is.

The organisers' own conversion took the first row of each of MMLU's 171 files for a header and lost
it (27 604 of 27 775 questions are left, as entries report), and an option such as "None" became
"nan" in it. Neither is done here.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Iterator, List, Sequence, Tuple, Union

from tools.corpus.choices import (
    LETTERS,
    ChoiceEntry,
    Question,
    parse_question,
    problem_text,
    solution_text,
    subject_of,
)
from tools.corpus.kinds import is_choice
from tools.corpus.rows import Misfit, Row
from tools.files.archives import read_members
from tools.files.errors import UserError

SPLITS = ("dev", "val", "test")
HEADER = ["", "Question", "A", "B", "C", "D", "Answer"]
# MMLU has 14 042 test questions in 7 MB, CMMLU 11 582 in 2 MB.
LARGEST = 256 << 20
_LONGEST = 100_000
_REMEDY = "correct the file, or fetch it again"


def read_choices(
    sources: Sequence[Path], strict: bool = False
) -> Iterator[Union[ChoiceEntry, Misfit]]:
    """Yield a ChoiceEntry or a Misfit for each row of all files, in the order of their names.

    The kind is `mmlu.SUBJECT` or `cmmlu.SUBJECT`, the id kind-N, N counted from 1 over the rows of
    the kind. A misfit is a row with an empty field, with an answer that is no letter from A to D,
    or whose text would read as another question once it is stated. Raises UserError with file:line
    for a file that is no such CSV in UTF-8, and with `strict` for a misfit.
    """
    numbers: Counter = Counter()
    for source in sources:
        empty = True
        for where, name, content in _files(Path(source)):
            empty = False
            for result in _read(where, name, content, numbers):
                if strict and isinstance(result, Misfit):
                    raise UserError(
                        result.reason, result.where, "correct the row, or leave strict out"
                    )
                yield result
        if empty:
            what = f"holds no CSV file in a folder {', '.join(SPLITS)}"
            raise UserError(what, source, "name the data of MMLU or of CMMLU")


def _files(source: Path) -> Iterator[Tuple[str, PurePosixPath, bytes]]:
    """(where, path, content) of every CSV file in a folder dev, val or test."""
    if not source.is_dir():
        for name, content in read_members(source, _is_split, limit=LARGEST):
            yield f"{source}: {name}", PurePosixPath(name), content
        return
    for path in sorted(filter(_is_split, source.rglob("*"))):
        if path.stat().st_size > LARGEST:
            raise UserError(f"larger than {LARGEST} bytes", path, _REMEDY)
        yield str(path), PurePosixPath(path.relative_to(source).as_posix()), path.read_bytes()


def _is_split(name: Union[str, Path]) -> bool:
    path = PurePosixPath(name)
    return path.suffix == ".csv" and path.parent.name in SPLITS


def _read(
    where: str, path: PurePosixPath, content: bytes, numbers: Counter
) -> Iterator[Union[ChoiceEntry, Misfit]]:
    lines = _lines(where, content)
    first = next(lines, None)
    if first is None:
        raise UserError("is empty", where, _REMEDY)
    header = first[1] == HEADER
    subject = re.sub(f"_{path.parent.name}$", "", path.stem)
    kind = f"{'cmmlu' if header else 'mmlu'}.{subject}"
    if not is_choice(kind):
        what = f"{subject[:40]!r} is no subject: small letters, digits and _, at most 54 of them"
        raise UserError(what, where, "rename the file")
    for line, fields in lines if header else [first, *lines]:
        if len(fields) != len(HEADER) - (not header):
            what = f"has {len(fields)} columns, not {len(HEADER) - (not header)}"
            raise UserError(what, f"{where}:{line}", _REMEDY)
        numbers[kind] += 1
        yield _understand(kind, numbers[kind], fields[1:] if header else fields, f"{where}:{line}")


def _lines(where: str, content: bytes) -> Iterator[Tuple[int, List[str]]]:
    """(line on which it begins, fields) of every row that is not blank."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError("not UTF-8 text", f"{where}:{line}", "save it as UTF-8") from error
    # A field may hold line breaks, which the module leaves as they are.
    reader = csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline=""))
    line = 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(f"not CSV: {error}", f"{where}:{line}", _REMEDY) from error
        if fields is None:
            return
        # The module's own limit can be raised by whoever else is in the process.
        if any(len(field) > _LONGEST for field in fields):
            raise UserError("not CSV: a field of over 100,000 signs", f"{where}:{line}", _REMEDY)
        if fields:
            yield line, fields
        line = reader.line_num + 1


def _understand(
    kind: str, number: int, fields: List[str], where: str
) -> Union[ChoiceEntry, Misfit]:
    text, *options, letter = fields
    question = Question(subject_of(kind), text, tuple(options))
    letter = letter.strip()
    problem = problem_text(question)
    for name, field in zip(HEADER[1:], fields):
        if not field.strip():
            return Misfit(where, f"{name} is empty", problem)
    if len(letter) != 1 or letter not in LETTERS:
        return Misfit(where, "the answer is no letter from A to D", problem)
    if parse_question(problem) != question:
        return Misfit(where, "one of its lines looks like an option", problem)
    return ChoiceEntry(
        Row(f"{kind}-{number}", kind, problem, solution_text(letter), letter), question
    )
