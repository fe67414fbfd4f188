"""Recipes held against the kinds and styles that there are, both verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.corpus.recipe_faults import recipe_faults
from tools.settings.profile import CONFIGS, read_recipe, recipe_path

RECIPES = sorted(path.stem for path in CONFIGS.glob("recipes/*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_ours_can_be_made(name: str) -> None:
    assert list(recipe_faults(read_recipe(name), recipe_path(name))) == []


@pytest.mark.parametrize(
    "text, line, fault",
    [
        (
            "styles:\n  add: {style: answer, decimals: 2}\n  root: {style: cubist}",
            4,
            "no style 'cu",
        ),
        # One that there is, but not for this kind.
        ("counts: {add: 1}\nstyles: {fraction: {style: option}}", 3, "for fraction; there are sou"),
        ("counts:\n  add: 1\n  sums: 3", 4, "unknown kind 'sums'; known: add"),
        ("styles: {sums: {style: direct}}", 2, "unknown kind 'sums'"),
        ("styles: {add: {style: direct}}", 2, "add does not say how far its answer is rounded"),
    ],
)
def test_what_the_corpus_lacks_is_told_at_its_line(tmp_path: Path, text, line, fault) -> None:
    path = recipe_path("own", tmp_path)
    path.parent.mkdir()
    path.write_text(f"about: x\n{text}\n")
    (found,) = recipe_faults(read_recipe("own", tmp_path), path)
    assert found.where == f"{path}:{line}" and fault in str(found)
