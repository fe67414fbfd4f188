"""A recipe held against the kinds and styles that there are: settings alone cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from tools.corpus.kinds import check_counts
from tools.corpus.worked.styles import read_styles
from tools.files.errors import UserError
from tools.settings.lines import line_at
from tools.settings.profile import Recipe


def recipe_faults(recipe: Recipe, path: Path) -> Iterator[UserError]:
    """Yield an error at file:line for each unknown kind, and each style that a kind lacks."""
    for section, entries, check in (
        ("counts", recipe.counts or {}, check_counts),
        ("styles", recipe.model_dump()["styles"], read_styles),
    ):
        for kind, entry in entries.items():
            try:
                check({kind: entry}, None)
            except UserError as error:
                where = f"{path}:{line_at(path, section, kind)}"
                yield UserError(error.what, where, error.remedy)
