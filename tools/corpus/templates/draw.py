"""Different English problems, as many as are asked for, from all templates alike."""

from __future__ import annotations

import random
from typing import Iterator, Set

from tools.corpus.english import identity_text
from tools.corpus.templates import algebra, counting, geometry, numbers, words
from tools.corpus.templates.common import Written
from tools.files.errors import UserError

# In this order; another one gives other problems for the same seed.
TEMPLATES = (
    *algebra.TEMPLATES,
    *numbers.TEMPLATES,
    *counting.TEMPLATES,
    *geometry.TEMPLATES,
    *words.TEMPLATES,
)

# A draw that finds nothing new so often in a row has used its templates up.
_MOST_REPEATS = 1000


def draw_english(count: int, rng: random.Random) -> Iterator[Written]:
    """Yield `count` problems with solutions, no two with the same `identity_text`.

    Raises UserError where the templates have fewer.
    """
    seen: Set[str] = set()
    for _ in range(count):
        for _ in range(_MOST_REPEATS):
            problem, solution = rng.choice(TEMPLATES)(rng)
            identity = identity_text(problem)
            if identity not in seen:
                break
        else:
            raise UserError(
                f"the templates have hardly more than {len(seen)} English problems",
                "english",
                "ask for fewer rows",
            )
        seen.add(identity)
        yield problem, solution
