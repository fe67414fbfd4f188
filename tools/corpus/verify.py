"""Rows of a corpus recomputed: the answer from the problem, and each line of a worked solution."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

from tools.corpus import english, grammar
from tools.corpus.check_lines import check_solution
from tools.corpus.kinds import ENGLISH
from tools.corpus.rows import Row, block_rows
from tools.corpus.solve import answer
from tools.corpus.worked.restate import Styles
from tools.corpus.worked.styles import read_styles
from tools.files.errors import UserError
from tools.files.json_lines import Block, read_blocks
from tools.files.parallel import ordered_map
from tools.settings.profile import ResolvedStyle


def recorded_styles(path: Path) -> Styles:
    """Return the styles in a corpus.json, a corpus' own or a config; UserError without any."""
    try:
        told = json.loads(path.read_text("utf-8"))["styles"]
        checked = {
            kind: ResolvedStyle.model_validate(choice).model_dump() for kind, choice in told.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            "does not say how its solutions are worked out", path, "make the corpus again"
        ) from error
    return read_styles(checked, path)


def verify_rows(path: Path, styles: Styles) -> Iterator[Tuple[int, List[str]]]:
    """Yield, block by block, how many rows were verified and the faults that were found.

    A fault is `FILE, row ID: solution, line N: reason`. All cores are used, memory does not
    grow with the file. Raises UserError for what are no rows of a corpus.
    """
    return ordered_map(functools.partial(verify_block, path=path, styles=styles), read_blocks(path))


def verify_block(block: Block, path: Path, styles: Styles) -> Tuple[int, List[str]]:
    """Verify the rows of one block."""
    rows = list(block_rows(block, path))
    return len(rows), [
        f"{path}, row {row.id[:40]}: {fault}" for row in rows for fault in faults_of(row, styles)
    ]


def shared_problems(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a fault for each row whose problem stands in an earlier one of the files as well.

    The files are the splits of one corpus: what is asked must not have been trained. One problem
    is what `build` holds apart as one, whatever its wording. Rows that cannot be read are passed
    over.
    """
    seen: List[Tuple[Path, Dict[bytes, int]]] = []
    for path in dict.fromkeys(paths):
        here: Dict[bytes, int] = {}
        for rows in ordered_map(functools.partial(_problems, path=path), read_blocks(path)):
            for line, problem in rows:
                here.setdefault(problem, line)
                for other, lines in seen:
                    if problem in lines:
                        what = f"its problem stands in {other}:{lines[problem]} too"
                        yield f"{path}:{line}: {what}; take it out of one"
        seen.append((path, here))


def _problems(block: Block, path: Path) -> List[Tuple[int, bytes]]:
    """Give the line and a hash of the problem of each row of a block."""
    found = []
    for line, fields in block.objects(path):
        kind, problem = str(fields.get("kind")), str(fields.get("problem"))
        try:
            if kind == ENGLISH:
                text = english.identity_text(problem)
            else:
                text = grammar.group_text(grammar.parse(problem))
        except grammar.NoFit:
            continue
        found.append((line, hashlib.blake2b(text.encode(), digest_size=16).digest()))
    return found


def faults_of(row: Row, styles: Styles) -> List[str]:
    """Return what is wrong with a row; English in the source's words cannot be recomputed."""
    faults = []
    if row.kind != ENGLISH:
        try:
            problem = grammar.parse(row.problem)
        except grammar.NoFit as error:
            return [f"its problem cannot be read: {error}"]
        if problem.kind != row.kind:
            faults.append(f"its problem is of kind {problem.kind}, not {row.kind}")
        if answer(problem) != row.answer:
            faults.append(f"its answer must be {answer(problem)}, not {row.answer[:80]}")
    style = styles.get(row.kind)
    if style is not None and style.name != "source":
        found = check_solution(row.problem, row.solution, style, answer=row.answer)
        faults += [f"solution, {fault}" for fault in found]
    return faults
