"""The kinds of problem, and how many different problems of each the contest's train.json holds."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Tuple

from tools.files.errors import UserError

# Counted after exact deduplication of the 800 000 Chinese rows: the proportions of a corpus
# that is generated where the contest's own file is not at hand.
UNIQUE: Dict[str, int] = {
    "add": 90113,
    "subtract": 89366,
    "multiply": 89902,
    "divide": 89966,
    "power": 39207,
    "root": 39227,
    "equation": 40080,
    "function": 20028,
    "mean": 19709,
    "area": 8665,
    "discount": 6275,
    "sales": 6266,
    "mass": 100,
    "fraction": 45,
}

CHINESE: Tuple[str, ...] = tuple(UNIQUE)
ENGLISH = "english"
KINDS: Tuple[str, ...] = (*CHINESE, ENGLISH)


def in_order(kinds: Iterable[str]) -> List[str]:
    """Return kinds in the contest's order; unknown ones by name, after all others."""
    given = set(kinds)
    return [*(kind for kind in KINDS if kind in given), *sorted(given - set(KINDS))]


def check_counts(counts: Mapping[str, int], where: object) -> None:
    """UserError, naming `where`, for a kind that is unknown."""
    for kind in counts:
        if kind not in KINDS:
            raise UserError(f"unknown kind {kind[:40]!r}", where, f"known: {', '.join(KINDS)}")
