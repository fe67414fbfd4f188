"""What corpus.json says: counts by kind, duplicates, misfits."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Dict, Set

from tools.corpus import english
from tools.corpus.kinds import ENGLISH, in_order
from tools.corpus.rows import Entry, Misfit

# All misfits are kept in their own file; the summary shows the first ones.
_SHOWN = 20


class Tally:
    """Counts the rows that are read, and knows which problems it has seen."""

    def __init__(self) -> None:
        self.rows: Counter = Counter()
        self.unique: Counter = Counter()
        self._reasons: Counter = Counter()
        self._shown: list = []
        self._differing = 0
        self._english_numbers = 0
        self._seen: Set[bytes] = set()

    def add(self, entry: Entry) -> bool:
        """Count a row; tell whether its problem is new."""
        kind = entry.row.kind
        self.rows[kind] += 1
        self._differing += entry.differs
        # Eight bytes a problem: the whole train.json in 40 MB. Not hash(), which differs from
        # run to run.
        key = hashlib.blake2b(entry.identity().encode(), digest_size=8).digest()
        if key in self._seen:
            return False
        self._seen.add(key)
        self.unique[kind] += 1
        if kind == ENGLISH and english.numeric(entry.row.answer) is not None:
            self._english_numbers += 1
        return True

    def misfit(self, misfit: Misfit) -> None:
        """Count a row that fits no kind."""
        self._reasons[misfit.reason] += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(f"{misfit.where}: {misfit.reason}")

    def as_dict(self) -> Dict[str, Any]:
        """Give the counts for corpus.json.

        rows, unique, duplicates; kinds: the same by kind; differing: rows whose solution is
        not in the source's own words or digits; english_numeric: unique English problems whose
        answer is a number; misfits: count, by reason, the first ones with file:line.
        """
        kinds = {
            kind: {
                "rows": self.rows[kind],
                "unique": self.unique[kind],
                "duplicates": self.rows[kind] - self.unique[kind],
            }
            for kind in in_order(self.rows)
        }
        rows, unique = sum(self.rows.values()), sum(self.unique.values())
        return {
            "rows": rows,
            "unique": unique,
            "duplicates": rows - unique,
            "differing": self._differing,
            "english_numeric": self._english_numbers,
            "kinds": kinds,
            "misfits": {
                "count": sum(self._reasons.values()),
                "reasons": dict(self._reasons.most_common()),
                "first": self._shown,
            },
        }
