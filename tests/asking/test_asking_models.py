"""What a model was trained on, as its run or a published adapter tells."""

from __future__ import annotations

from pathlib import Path

from tools.asking.models import read_training
from tools.corpus.kinds import CHINESE
from tools.corpus.rounding import Rounding
from tools.corpus.worked.styles import Style
from tools.settings.resolve import resolve


def resolved(folder: Path, recipe: str) -> Path:
    resolve(folder, "smollm2-135m", "quick", recipe, 1, None)
    return folder


def test_a_run_of_columns(tmp_path: Path) -> None:
    told = read_training(resolved(tmp_path, "columns-quick"))
    assert (told.prompt, told.device, told.min_new_tokens) == ("none", "CPU", 1)
    assert told.max_new_tokens == 96 and told.exponents == [0, 1]
    assert set(told.kinds) == set(CHINESE)
    assert told.styles["add"] == Style("columns", Rounding(decimals=2))


def test_a_recipe_without_counts_teaches_all_kinds(tmp_path: Path) -> None:
    told = read_training(resolved(tmp_path, "plain"))
    assert told.kinds == CHINESE and told.exponents is None and told.styles == {}
