"""A train.json turned into rows of the corpus, all of them and in order."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from tools.corpus.build import known, refuse_empty
from tools.corpus.rows import Entry, read_source
from tools.corpus.summary import Tally
from tools.corpus.worked.restate import Styles, restate_lines
from tools.files.atomic import atomic_path
from tools.files.outputs import keep_apart
from tools.files.parallel import ordered_map
from tools.files.progress import progress

_BATCH_ROWS = 2000


def convert_rows(
    source: Union[str, Path], output: Union[str, Path], styles: Optional[Styles] = None
) -> Dict[str, Any]:
    """Turn a train.json into rows of the corpus, all of them and in order; return the counts.

    styles   how the solutions are worked out, by kind; without one, the row's own text stays.

    Rows that fit no kind go to OUTPUT with the suffix .misfits.jsonl, which is there only if
    there are any.
    """
    output = Path(output)
    keep_apart(output, Path(source))
    # Without styles there is nothing for other processes to do.
    workers = None if styles else 1
    apart = output.with_suffix(".misfits.jsonl")
    tally = Tally()
    with atomic_path(output) as rows_path, atomic_path(apart) as apart_path:
        with (
            rows_path.open("w", encoding="utf-8") as rows,
            apart_path.open("w", encoding="utf-8") as misfits,
        ):
            entries = known(read_source(source), tally, misfits)
            work = functools.partial(restate_lines, styles=styles or {})
            with progress("convert math", None, "rows") as bar:
                for lines in ordered_map(work, _batches(entries, tally), workers=workers):
                    rows.writelines(lines)
                    bar.advance(len(lines))
        refuse_empty(tally, source)
    summary = {"source": Path(source).name, **tally.as_dict()}
    if not summary["misfits"]["count"]:
        apart.unlink()
    return summary


def _batches(entries: Iterator[Entry], tally: Tally) -> Iterator[List[Tuple[str, int]]]:
    while batch := list(itertools.islice(entries, _BATCH_ROWS)):
        for entry in batch:
            tally.add(entry)
        yield [(entry.row.to_line(), 1) for entry in batch]
