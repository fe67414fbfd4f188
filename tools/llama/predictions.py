"""Prompts in, predictions out: the rows, what is kept of an unfinished run, when one is done."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Optional

from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.files.hashing import Content, content_of
from tools.files.json_lines import read_objects

# The reason of an answer that ended at the limit of new tokens.
CUT = "length"


class PromptRow(NamedTuple):
    """A row to answer; `line` is its number in the file, `fields` go into its prediction."""

    line: int
    prompt: str
    fields: dict[str, Any]


def read_prompts(path: Path) -> list[PromptRow]:
    """Read {"id", "kind"[, "problem"], "prompt", "reference"[, "references"]} rows, JSON lines.

    Raises UserError at file:line for a row that is not of this form or an id met twice, and for
    a file without rows.
    """
    rows: list[PromptRow] = []
    seen: set[str] = set()
    for number, row in read_objects(path):
        rows.append(_prompt_row(row, number, f"{path}:{number}", seen))
    return rows


def _prompt_row(row: dict[str, Any], number: int, where: str, seen: set[str]) -> PromptRow:
    for key in ("id", "kind", "prompt", "reference"):
        if not isinstance(row.get(key), str):
            raise UserError(f'"{key}" is missing or not a string', where, "correct the row")
    if not isinstance(row.get("problem", ""), str):
        raise UserError('"problem" is not a string', where, "correct the row")
    references = row.get("references")
    if references is not None and not (
        isinstance(references, list) and all(isinstance(item, str) for item in references)
    ):
        raise UserError('"references" is not a list of strings', where, "correct the row")
    if row["id"] in seen:
        raise UserError(f"id {row['id'][:40]!r} occurs twice", where, "keep one row for each id")
    seen.add(row["id"])
    kept = ("id", "kind", "problem", "prompt", "reference", "references")
    return PromptRow(number, row["prompt"], {key: row[key] for key in kept if key in row})


def fingerprint(path: Path) -> dict[str, Any]:
    """Size and sha256 of a file, as a header holds them."""
    content = content_of(path)
    return {"bytes": content.bytes, "sha256": content.sha256}


def is_done(output: Path, run_file: Path, header: dict[str, Any]) -> Optional[dict[str, Any]]:
    """The run file's content, if `output` is there as it says and was made from `header`."""
    if not (output.is_file() and run_file.is_file()):
        return None
    try:
        run = json.loads(run_file.read_text("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(run, dict) or any(run.get(key) != header[key] for key in header):
        return None
    return run if run.get("output") == fingerprint(output) else None


class Unfinished:
    """OUTPUT.partial: a header line, then a line for each row that is answered, as it comes.

    rows   index in the prompt file to {"tokens", "prediction", "reason"}, those of an earlier
           run with the same header included; a torn last line is dropped.
    """

    def __init__(self, output: Path, header: dict[str, Any]) -> None:
        self.output = output
        self.path = output.with_name(f"{output.name}.partial")
        self.rows: dict[int, dict[str, Any]] = {}
        self._header = header
        self._handle: Optional[BinaryIO] = None

    def __enter__(self) -> Unfinished:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read() if self.path.is_file() else 0
        self._handle = self.path.open("r+b" if whole else "wb")
        self._handle.truncate(whole)
        self._handle.seek(whole)
        if not whole:
            self._write(self._header)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._handle:
            self._handle.close()
        if not self.rows:
            self.remove()  # a fault before the first answer leaves nothing behind

    def add(self, index: int, tokens: list[int], prediction: str, reason: str) -> None:
        """Keep the answer to row `index`, on the disk before this returns."""
        row = {"tokens": tokens, "prediction": prediction, "reason": reason}
        self._write({"index": index, **row})
        self.rows[index] = row

    def complete(self, rows: list[PromptRow]) -> Content:
        """Write OUTPUT, in the order of the prompts, and give its size and sha256.

        A row whose answer ended at the limit of new tokens has "cut": true.
        """
        lines = []
        for index, row in enumerate(rows):
            answer = self.rows[index]
            prediction = {**row.fields, "prediction": answer["prediction"]}
            if answer["reason"] == CUT:
                prediction["cut"] = True
            lines.append(json.dumps(prediction, ensure_ascii=False))
        # A lone surrogate cannot be written as UTF-8, but JSON can escape it.
        text = "\n".join(lines) + "\n"
        write_text(self.output, text.encode("utf-8", "backslashreplace").decode("utf-8"))
        return content_of(self.output)

    def reasons(self) -> dict[str, int]:
        """How many rows ended for which reason."""
        return dict(sorted(Counter(row["reason"] for row in self.rows.values()).items()))

    def remove(self) -> None:
        """Nothing is unfinished any more."""
        self.path.unlink(missing_ok=True)

    def _write(self, value: dict[str, Any]) -> None:
        assert self._handle
        try:
            self._handle.write(json.dumps(value).encode("ascii") + b"\n")
            self._handle.flush()
        except OSError as error:
            # A full disk is reported without a file name.
            raise OSError(error.errno, os.strerror(error.errno or 0), str(self.path)) from error

    def _read(self) -> int:
        """Take the rows of an earlier run; give the bytes that are whole lines of this one."""
        whole = 0
        with self.path.open("rb") as handle:
            for number, line in enumerate(handle):
                try:
                    value = json.loads(line)
                except ValueError:  # cut off, or zeros where the machine went down
                    break
                if not line.endswith(b"\n") or (number == 0 and value != self._header):
                    break
                if number:
                    self.rows[value.pop("index")] = value
                whole += len(line)
        return whole
