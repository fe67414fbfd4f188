"""The contest's train.json regenerated in kind: as many rows, problems and repeats, not the same.

The file's makers drew each kind uniformly with replacement. Of n draws from N problems
N (1 - (1 - 1/N)^n) are expected to differ; turned round, the unique counts give the raw ones:

kind               unique         N        n   what it shows
+ - * /            359347      4e12   359347   raw is unique: 0.001 repeats are expected in each
power               39207   1200005    39862   with root 79879: "about 80 k"
root                39227   1000001    40017
function            20028   9810900    20048   "about 20 k"
mean                19709     63.4M    19712   N is 1 / sum p^2, as the lengths differ in number
area                 8665     10000    20135   20 k, standard deviation of the inference 212
discount             6275     10000     9875   10 k, standard deviation 84
sales                6266     10000     9851   10 k, standard deviation 83
mass                  100       100    20000   exhausted, taken from "word problems about 60 k"
fraction               45        45    20000   exhausted, "about 20 k"
equation            40080     40200   241153   what is left of the 800 000: "about 241 k"

The eleven n that can be inferred (each of + - * / is one) lie about round numbers, as counts do
where each row's kind was drawn: the sum of their squared deviations is 12.7 variances. So no
other mechanism is needed. Two figures test it: 241153 equations should leave 99.8 of the 40200
undrawn, with a standard deviation of 9.9, and the file leaves 120, two deviations more; of 20000
fractions each is expected 444 times, deviation 21, and the 480 of 5/6 are within two.

So the rows are drawn in that way, and then a few are changed to make the counts of unique
problems exact: where too many differ, the rows of the last ones found go to others; where too few
do, repeats become new problems. At full size that is some 110 rows of the 800 000.

A smaller file is what the same mechanism gives from a space smaller by the same factor, so that
the share of duplicates stays. The English rows are templates of our own and say so in "source".
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

from tools.corpus.grammar import Problem
from tools.corpus.kinds import CHINESE, ENGLISH, UNIQUE, UNIQUE_ENGLISH
from tools.corpus.render import render
from tools.corpus.sample import generate, proportional
from tools.corpus.templates.draw import draw_english
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.progress import progress

# Rows by kind of the whole file.
RAW: Dict[str, int] = {
    **{kind: UNIQUE[kind] for kind in ("add", "subtract", "multiply", "divide")},
    "power": 39_862,
    "root": 40_017,
    "equation": 241_153,
    "function": 20_048,
    "mean": 19_712,
    "area": 20_135,
    "discount": 9_875,
    "sales": 9_851,
    "mass": 20_000,
    "fraction": 20_000,
    ENGLISH: UNIQUE_ENGLISH,
}
FULL = sum(RAW.values())

# How many problems of a kind `sample.generate` draws from.
SPACE: Dict[str, int] = {
    **dict.fromkeys(("add", "subtract", "multiply"), 2_000_001**2),
    "divide": 2_000_001 * 2_000_000,
    "power": 6 * 200_001 - 1,
    "root": 1_000_001,
    "equation": 200 * 201,
    "function": 991 * 100 * 99,
    "mean": 63_360_000,
    **dict.fromkeys(("area", "discount", "sales"), 100 * 100),
    "mass": 10 * 10,
    "fraction": 45,
}

# The one problem whose number of rows is known, and that number.
QUOTED, QUOTED_ROWS = (5, 6), 480

_encode = json.JSONEncoder(ensure_ascii=False).encode


class Share(NamedTuple):
    """How many rows a kind has, how many problems are in them, and from how many they come."""

    rows: int
    unique: int
    space: int


def shares(rows: int = FULL) -> Dict[str, Share]:
    """Divide `rows` over the kinds as the whole file does; a kind without rows is left out.

    Each kind keeps its ratio of unique problems to rows, to the nearest whole problem. Raises
    UserError for more rows than the whole file has, or for none.
    """
    if not 1 <= rows <= FULL:
        raise UserError(f"{rows} rows cannot be generated", "rows", f"ask for 1 to {FULL}")
    result = {}
    for kind, count in proportional(rows, RAW).items():
        if not count:
            continue
        if kind == ENGLISH:
            result[kind] = Share(count, count, count)
            continue
        unique, space = [max(1, _scaled(n, count, RAW[kind])) for n in (UNIQUE[kind], SPACE[kind])]
        result[kind] = Share(count, unique, space)
    return result


def _scaled(number: int, part: int, whole: int) -> int:
    """Give number * part / whole to the nearest, without the rounding of floats."""
    return (2 * number * part + whole) // (2 * whole)


def write_replica(
    output: Union[str, Path], rows: int = FULL, seed: int = 1
) -> Dict[str, Dict[str, int]]:
    """Write the replica as JSON lines, whole or not at all; give rows and unique by kind.

    The Chinese rows come first, kinds and repeats mixed, then the English ones. The same seed
    and size give the same bytes on every machine. Raises UserError as `shares` does.
    """
    plan = shares(rows)
    with (
        atomic_path(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as handle,
        progress("generate corpus", rows, "rows") as bar,
    ):
        for line in _lines(plan, seed):
            handle.write(line)
            bar.advance()
    return {kind: {"rows": share.rows, "unique": share.unique} for kind, share in plan.items()}


def _lines(plan: Dict[str, Share], seed: int) -> Iterator[str]:
    kinds = [kind for kind in CHINESE if kind in plan]
    order = [kind for kind in kinds for _ in range(plan[kind].rows)]
    random.Random(f"{seed}/replica").shuffle(order)
    sources = {
        kind: _kind_lines(kind, plan[kind], random.Random(f"{seed}/replica/{kind}"))
        for kind in kinds
    }
    for kind in order:
        yield next(sources[kind])
    if ENGLISH in plan:
        rng = random.Random(f"{seed}/replica/{ENGLISH}")
        for problem, solution in draw_english(plan[ENGLISH].rows, rng):
            row = {"problem": problem, "solution": solution, "source": "template"}
            yield _encode(row) + "\n"


def _kind_lines(kind: str, share: Share, rng: random.Random) -> Iterator[str]:
    lines: List[Optional[str]] = [None] * share.unique
    seen: Set[Tuple] = set()
    if kind == "fraction":
        labels = _quoted_occupancy(share, rng)
        lines[0] = _line(Problem(kind, QUOTED))
        seen.add(QUOTED)
    else:
        labels = occupancy(share, rng)
    for label in labels:
        line = lines[label]
        if line is None:
            while (problem := generate(kind, rng)).numbers in seen:
                pass
            seen.add(problem.numbers)
            lines[label] = line = _line(problem)
        yield line


def _line(problem: Problem) -> str:
    text, solution = render(problem)
    return _encode({"problem": text, "solution": solution}) + "\n"


def occupancy(share: Share, rng: random.Random) -> List[int]:
    """Draw, for each row, the number of its problem; all of 0 to share.unique - 1 occur.

    Uniform with replacement out of share.space, then corrected as the module says.
    """
    first: Dict[int, int] = {}
    labels = [first.setdefault(rng.randrange(share.space), len(first)) for _ in range(share.rows)]
    if len(first) > share.unique:
        return [n if n < share.unique else rng.randrange(share.unique) for n in labels]
    if len(first) < share.unique:
        newest, repeats = -1, []
        for row, label in enumerate(labels):
            if label > newest:
                newest = label
            else:
                repeats.append(row)
        rng.shuffle(repeats)
        for label, row in zip(range(len(first), share.unique), repeats):
            labels[row] = label
    return labels


def _quoted_occupancy(share: Share, rng: random.Random) -> List[int]:
    """Like `occupancy`, with problem 0 the quoted one and as frequent as in the whole file."""
    if share.unique == 1:
        return [0] * share.rows
    quoted = _scaled(QUOTED_ROWS, share.rows, RAW["fraction"])
    others = Share(share.rows - quoted, share.unique - 1, share.space - 1)
    labels = [0] * quoted + [label + 1 for label in occupancy(others, rng)]
    rng.shuffle(labels)
    return labels
