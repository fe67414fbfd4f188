"""The corpus on disk: train.jsonl, valid.jsonl, test.jsonl, and corpus.json."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    TextIO,
    Tuple,
    Union,
)

from tools.corpus.kinds import UNIQUE
from tools.corpus.rows import Entry, Misfit, make_row, read_source
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.split import SPLITS, quotas, rank, split
from tools.corpus.summary import Tally
from tools.corpus.worked.restate import Styles, restate_lines
from tools.corpus.worked.styles import style_fields
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.parallel import ordered_map
from tools.files.progress import progress

Source = Iterator[Union[Entry, Misfit]]


class Plan(NamedTuple):
    """What a corpus is to be.

    train, valid, test  rows of each split; train None takes all that the source has left.
    seed                of the draw and the split.
    weights             proportions of the kinds in train; None for the source's. Valid and test
                        have the source's always.
    repeat              how many times a problem may stand in train, where its kind has fewer
                        than its share (its copies get ids of their own).
    styles              how the solutions are worked out, by kind; without one, the source's text.
    exponents           of the powers in train; None for all. Valid and test have all always.
    """

    train: Optional[int] = None
    valid: int = 1000
    test: int = 1000
    seed: int = 1
    weights: Optional[Mapping[str, int]] = None
    repeat: int = 1
    styles: Styles = MappingProxyType({})
    exponents: Optional[Sequence[int]] = None

    def trains(self, entry: Entry) -> bool:
        """Tell whether a problem may stand in train."""
        if self.exponents is None or entry.row.kind != "power":
            return True
        return entry.problem.numbers[1] in self.exponents


def build_corpus(
    folder: Union[str, Path], source: Union[str, Path, None], plan: Plan
) -> Dict[str, Any]:
    """Write the corpus into `folder` and return what corpus.json says.

    source   a train.json; without one, problems are generated in the source's slots.

    Rows that fit no kind go to misfits.jsonl, which is there only if there are any.
    Duplicates go first, then each kind is divided by problem (see `split`). All files appear
    together or none does, corpus.json last: its existence means the corpus is complete. Raises
    UserError for bad rows (file:line) or too few of them.
    """
    folder = Path(folder)
    sizes = {"train": plan.train, "valid": plan.valid, "test": plan.test}
    with contextlib.ExitStack() as stack:
        # The stack closes in reverse order, so corpus.json is renamed after all others.
        names = ["corpus.json", "misfits.jsonl", *(f"{name}.jsonl" for name in SPLITS)]
        paths = {name: stack.enter_context(atomic_path(folder / name)) for name in names}
        wanted = {}
        if source is None:
            wanted = _wanted_of_generated(sizes, plan)
            entries = _generate(wanted, plan)
        else:
            entries = read_source(source)
        tally = Tally()
        with paths["misfits.jsonl"].open("w", encoding="utf-8") as misfits:
            pool = _Pool(plan, drawn=source is None)
            drawn = sum(count for kinds in wanted.values() for count in kinds.values())
            with progress("read corpus", drawn or None, "rows") as bar:
                for entry in known(entries, tally, misfits):
                    if tally.add(entry):
                        pool.add(entry)
                    bar.advance()
        refuse_empty(tally, source)
        if not wanted:
            powers = tally.unique["power"] - len(pool.untrained)
            wanted = quotas(
                *(tally.unique, sizes, plan.weights),
                repeat=plan.repeat,
                trainable={"power": powers} if pool.untrained else {},
            )
        chosen = pool.choose(wanted, plan.repeat)
        by_split = {}
        with progress("write corpus", sum(map(len, chosen.values())), "rows") as bar:
            for name, picks in chosen.items():
                with paths[f"{name}.jsonl"].open("w", encoding="utf-8") as handle:
                    work = functools.partial(restate_lines, styles=dict(plan.styles))
                    for lines in ordered_map(work, _batches(pool.lines, picks)):
                        handle.writelines(lines)
                        bar.advance(len(lines))
                by_split[name] = Counter(pool.items[index][0] for index, _ in picks)
        summary = {
            "source": Path(source).name if source else "generated",
            "seed": plan.seed,
            "splits": {name: len(picks) for name, picks in chosen.items()},
            "repeated": sum(copy > 1 for _, copy in chosen["train"]),
            # Kinds that were asked for and of which there is no problem.
            "absent": [kind for kind in plan.weights or {} if not tally.unique[kind]],
            # As in the config: what a checker has to know.
            "styles": {kind: style_fields(style) for kind, style in plan.styles.items()},
            "exponents": plan.exponents,
            **tally.as_dict(),
        }
        for kind, counts in summary["kinds"].items():
            counts.update({name: by_split[name][kind] for name in SPLITS})
            style = plan.styles.get(kind)
            counts["style"] = style.name if style else "source"
        text = json.dumps(summary, ensure_ascii=False, indent=2) + "\n"
        paths["corpus.json"].write_text(text, encoding="utf-8")
    if not summary["misfits"]["count"]:
        (folder / "misfits.jsonl").unlink()
    return summary


class _Pool:
    """The different problems, and who of them goes where."""

    def __init__(self, plan: Plan, drawn: bool) -> None:
        self.items: List[Tuple[str, bytes]] = []  # kind, and order in which groups are chosen
        self.lines: List[str] = []
        self.untrained: Set[int] = set()
        self._plan, self._drawn = plan, drawn
        self._ranks: List[bytes] = []
        self._first: Dict[bytes, int] = {}
        # (index, index of the first) of generated rows whose group was there before.
        self._twins: List[Tuple[int, int]] = []

    def add(self, entry: Entry) -> None:
        """Take one more row in."""
        place, index = rank(entry.group(), self._plan.seed), len(self.items)
        if not self._plan.trains(entry):
            self.untrained.add(index)
        order = place
        if self._drawn:
            # Generated problems are in random order already. Held out are the first ones: they
            # are the same however many more are drawn for training.
            first = self._first.setdefault(place, index)
            if first != index:
                self._twins.append((index, first))
            order = index.to_bytes(8, "big")
        self.items.append((entry.row.kind, order))
        self._ranks.append(place)
        self.lines.append(entry.row.to_line())

    def choose(
        self, wanted: Mapping[str, Mapping[str, int]], repeat: int
    ) -> Dict[str, List[Tuple[int, int]]]:
        """Give each split's (index, copy) in mixed order; copies count from 1, to `repeat`."""
        # Only the first of a generated group is shared out; the others follow it into train.
        twins = {index for index, _ in self._twins}
        alone = [index for index in range(len(self.items)) if index not in twins]
        untrained = {at for at, index in enumerate(alone) if index in self.untrained}
        shared = split([self.items[index] for index in alone], wanted, untrained)
        chosen = {name: [alone[at] for at in places] for name, places in shared.items()}
        by_kind: Dict[str, List[int]] = {}
        for index in chosen["train"]:
            by_kind.setdefault(self.items[index][0], []).append(index)
        trained = set(chosen["train"]) if self._twins else set()
        for index, first in self._twins:
            rows = by_kind.setdefault(self.items[index][0], [])
            if first in trained and len(rows) < wanted["train"].get(self.items[index][0], 0):
                rows.append(index)
        picks = {name: [(index, 1) for index in chosen[name]] for name in ("valid", "test")}
        picks["train"] = [
            (rows[n % len(rows)], n // len(rows) + 1)
            for kind, rows in by_kind.items()
            for n in range(min(max(len(rows), wanted["train"].get(kind, 0)), len(rows) * repeat))
        ]
        for rows in picks.values():
            rows.sort(key=self._mixed)
        return {name: picks[name] for name in SPLITS}

    def _mixed(self, pick: Tuple[int, int]) -> Tuple[bytes, int]:
        index, copy = pick
        place = self._ranks[index]
        if copy > 1:
            place = hashlib.blake2b(b"%d/%s" % (copy, place), digest_size=16).digest()
        return place, index


_BATCH_ROWS = 2000


def _batches(
    lines: Sequence[str], picks: Sequence[Tuple[int, int]]
) -> Iterator[List[Tuple[str, int]]]:
    for start in range(0, len(picks), _BATCH_ROWS):
        yield [(lines[index], copy) for index, copy in picks[start : start + _BATCH_ROWS]]


def _wanted_of_generated(
    sizes: Mapping[str, Optional[int]], plan: Plan
) -> Dict[str, Dict[str, int]]:
    if sizes["train"] is None:
        remedy = "choose a recipe that counts rows, or a budget that says how many"
        raise UserError("a generated corpus needs a number of rows", "train", remedy)
    trainable = {}
    if plan.exponents is not None:
        trainable["power"] = CAPACITY["power"] // 6 * len(set(plan.exponents))
    return quotas(CAPACITY, sizes, plan.weights, UNIQUE, plan.repeat, trainable)


def _generate(wanted: Mapping[str, Mapping[str, int]], plan: Plan) -> Source:
    totals: Counter = Counter()
    for kinds in wanted.values():
        totals.update(kinds)
    numbers: Counter = Counter()
    counts = {k: min(n, CAPACITY[k]) for k, n in totals.items() if n}
    held_out = sum(wanted[name].get("power", 0) for name in ("valid", "test"))
    for problem in draw(counts, plan.seed, plan.exponents, held_out):
        numbers[problem.kind] += 1
        yield Entry(make_row(problem, f"{problem.kind}-{numbers[problem.kind]}"), problem)


def known(entries: Source, tally: Tally, misfits: TextIO) -> Iterator[Entry]:
    """Yield the entries; count the misfits among them and write them to their own file."""
    for entry in entries:
        if isinstance(entry, Misfit):
            tally.misfit(entry)
            misfits.write(entry.to_line())
        else:
            yield entry


def refuse_empty(tally: Tally, source: Union[str, Path, None]) -> None:
    """Raise UserError where no row was a problem."""
    if not tally.rows:
        raise UserError(
            "no row is a problem of a known kind", source, 'give rows {"problem", "solution"}'
        )
