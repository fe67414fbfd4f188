"""Prompt files: {"id", "kind"[, "problem"], "prompt", "reference"[, "references"]}, JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional, Set, Union

from tools.corpus.rows import read_rows
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.outputs import keep_apart
from tools.records.prompts import render_prompt
from tools.records.reading import read_questions

PathLike = Union[str, Path]


def write_math_prompts(rows: PathLike, output: PathLike, frame: str = "alpaca") -> int:
    """Write the prompts of a corpus file, its exact answers as references; return how many."""
    return _write(_math_prompts(rows, frame), output, rows)


def write_squad_prompts(source: PathLike, output: PathLike, limit: Optional[int] = None) -> int:
    """Write the prompts of a SQuAD 1.1 file; return how many.

    The first question of each paragraph: its first answer is the reference, all of its answers
    are the references. limit: at most so many.
    """
    return _write(_squad_prompts(source, limit), output, source)


def _math_prompts(rows: PathLike, frame: str) -> Iterator[Dict[str, Any]]:
    for row in read_rows(rows):
        prompt = render_prompt(frame, row.problem, where=f"{rows}, row {row.id[:40]}")
        yield {
            "id": row.id,
            "kind": row.kind,
            "problem": row.problem,
            "prompt": prompt,
            "reference": row.answer,
        }


def _squad_prompts(source: PathLike, limit: Optional[int]) -> Iterator[Dict[str, Any]]:
    for item in read_questions(source, limit):
        where = f"{source}, question {item.id[:40]}"
        yield {
            "id": item.id,
            "kind": "squad",
            "prompt": render_prompt("squad", item.passage, item.question, where=where),
            "reference": item.answers[0],
            "references": item.answers,
        }


def _write(prompts: Iterable[Dict[str, Any]], output: PathLike, source: PathLike) -> int:
    keep_apart(Path(output), Path(source))
    seen: Set[str] = set()
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for prompt in prompts:
            if prompt["id"] in seen:
                what = f"the id {prompt['id'][:40]!r} occurs twice"
                raise UserError(what, source, "give each row its own id")
            seen.add(prompt["id"])
            handle.write(json.dumps(prompt, ensure_ascii=False) + "\n")
    return len(seen)
