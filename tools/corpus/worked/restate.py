"""Rows of the corpus with their solutions worked out as a recipe says."""

from __future__ import annotations

import json
from typing import List, Mapping, Sequence, Tuple

from tools.corpus.grammar import parse
from tools.corpus.kinds import ENGLISH
from tools.corpus.rows import Row
from tools.corpus.worked.styles import Style, work_out, work_out_english

Styles = Mapping[str, Style]


def restate(row: Row, styles: Styles) -> Row:
    """Return the row with its solution in the style of its kind; without one, the row itself."""
    style = styles.get(row.kind)
    if style is None or style.name == "source":
        return row
    if row.kind == ENGLISH:
        return row._replace(solution=work_out_english(row.solution, row.answer, style))
    return row._replace(solution=work_out(parse(row.problem), style))


def restate_lines(batch: Sequence[Tuple[str, int]], styles: Styles) -> List[str]:
    """Restate rows given as (line, copy); a copy after the first gets an id of its own, `add-7#2`.

    A function of the module, so that other processes can be given it.
    """
    lines = []
    for line, copy in batch:
        if copy > 1 or styles:
            row = restate(Row(**json.loads(line)), styles)
            line = (row._replace(id=f"{row.id}#{copy}") if copy > 1 else row).to_line()
        lines.append(line)
    return lines
