"""The corpus on disk: train.jsonl, valid.jsonl, test.jsonl and corpus.json, or rows converted."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, TextIO, Tuple, Union

from tools.corpus.kinds import UNIQUE
from tools.corpus.rows import Entry, Misfit, make_row, read_source
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.split import SPLITS, quotas, rank, split
from tools.corpus.summary import Tally
from tools.files.atomic import atomic_path
from tools.files.errors import UserError

Source = Iterator[Union[Entry, Misfit]]


def build_corpus(
    folder: Union[str, Path],
    source: Union[str, Path, None] = None,
    train: Optional[int] = None,
    valid: int = 1000,
    test: int = 1000,
    seed: int = 1,
    strict: bool = False,
    weights: Optional[Mapping[str, int]] = None,
) -> Dict[str, Any]:
    """Write the corpus into `folder` and return what corpus.json says.

    source              a train.json; without one, problems are generated in the source's slots.
    train, valid, test  rows of each split; train None takes all that the source has left.
    strict              a row that fits no kind is an error; else it goes to misfits.jsonl,
                        which is there only if there are any.
    weights             proportions by kind; by default those of the source's unique problems.

    Duplicates go first, then each kind is divided by problem (see `split`). All files appear
    together or none does, corpus.json last: its existence means the corpus is complete. Raises
    UserError for bad rows (file:line) or too few of them.
    """
    folder = Path(folder)
    sizes = {"train": train, "valid": valid, "test": test}
    with contextlib.ExitStack() as stack:
        # The stack closes in reverse order, so corpus.json is renamed after all others.
        names = ("corpus.json", "misfits.jsonl", *(f"{name}.jsonl" for name in SPLITS))
        paths = {name: stack.enter_context(atomic_path(folder / name)) for name in names}
        entries = read_source(source, strict) if source else _generate(sizes, seed, weights)
        tally = Tally()
        items: List[Tuple[str, bytes]] = []
        lines: List[str] = []
        with paths["misfits.jsonl"].open("w", encoding="utf-8") as misfits:
            for entry in _unique(entries, tally, misfits):
                items.append((entry.row.kind, rank(entry.group(), seed)))
                lines.append(entry.row.to_line())
        _no_rows(tally, source)
        chosen = split(items, quotas(tally.unique, sizes, weights))
        by_split = {}
        for name, indices in chosen.items():
            with paths[f"{name}.jsonl"].open("w", encoding="utf-8") as handle:
                handle.writelines(lines[index] for index in indices)
            by_split[name] = Counter(items[index][0] for index in indices)
        summary = {
            "source": Path(source).name if source else "generated",
            "seed": seed,
            "splits": {name: len(indices) for name, indices in chosen.items()},
            **tally.as_dict(),
        }
        for kind, counts in summary["kinds"].items():
            counts.update({name: by_split[name][kind] for name in SPLITS})
        text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
        paths["corpus.json"].write_text(text, encoding="utf-8")
    if not summary["misfits"]["count"]:
        (folder / "misfits.jsonl").unlink()
    return summary


def convert_rows(
    source: Union[str, Path], output: Union[str, Path], strict: bool = False
) -> Dict[str, Any]:
    """Turn a train.json into rows of the corpus, all of them and in order; return the counts.

    Rows that fit no kind go to OUTPUT with the suffix .misfits.jsonl, which is there only if
    there are any; with `strict` the first of them is a UserError.
    """
    output = Path(output)
    if output.exists() and output.samefile(source):
        raise UserError("the output is the input", output, "name another output")
    apart = output.with_suffix(".misfits.jsonl")
    tally = Tally()
    with atomic_path(output) as rows_path, atomic_path(apart) as apart_path:
        with (
            rows_path.open("w", encoding="utf-8") as rows,
            apart_path.open("w", encoding="utf-8") as misfits,
        ):
            for entry in _known(read_source(source, strict), tally, misfits):
                tally.add(entry)
                rows.write(entry.row.to_line())
        _no_rows(tally, source)
    summary = {"source": Path(source).name, **tally.as_dict()}
    if not summary["misfits"]["count"]:
        apart.unlink()
    return summary


def _generate(
    sizes: Mapping[str, Optional[int]], seed: int, weights: Optional[Mapping[str, int]]
) -> Source:
    if sizes["train"] is None:
        raise UserError("a generated corpus needs a number of rows", "train", "give one")
    counts = quotas(CAPACITY, sizes, UNIQUE if weights is None else weights)
    totals: Counter = Counter()
    for kinds in counts.values():
        totals.update(kinds)
    numbers: Counter = Counter()
    for problem in draw(totals, seed):
        numbers[problem.kind] += 1
        yield Entry(make_row(problem, f"{problem.kind}-{numbers[problem.kind]}"), problem)


def _known(entries: Source, tally: Tally, misfits: TextIO) -> Iterator[Entry]:
    for entry in entries:
        if isinstance(entry, Misfit):
            tally.misfit(entry)
            misfits.write(entry.to_line())
        else:
            yield entry


def _unique(entries: Source, tally: Tally, misfits: TextIO) -> Iterator[Entry]:
    return (entry for entry in _known(entries, tally, misfits) if tally.add(entry))


def _no_rows(tally: Tally, source: Union[str, Path, None]) -> None:
    if not tally.rows:
        raise UserError(
            "no row is a problem of a known kind", source, 'give rows {"problem", "solution"}'
        )
