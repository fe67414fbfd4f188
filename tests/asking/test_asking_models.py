"""What a model was trained on, as its run or a published adapter tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from byte_model import make_model

from tools.asking.models import Pair, Training, read_training
from tools.corpus.grammar import Rounding
from tools.corpus.kinds import CHINESE
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


@pytest.mark.parametrize("longest", [6, 96])
def test_problems_of_all_usual_lengths_share_the_graphs(tmp_path: Path, longest: int) -> None:
    pytest.importorskip("mindspore")
    training = Training("none", {}, CHINESE, None, "CPU", longest, longest)
    folders = [make_model(tmp_path / name, seed) for seed, name in enumerate(("base", "model"))]
    pair = Pair(*folders, training)
    compiled = []
    for problem in ("1 + 1", "1" * 40, "1" * 64):
        pair.answer(problem, pair.prompts(problem, "Q"))
        decoders = [model._engine._decoder for model in pair._models]
        layers = [layers for decoder in decoders for layers in decoder._layers.values()]
        compiled.append(sum(len(one.compile_cache) for one in layers))
    assert compiled[0] == compiled[1] == compiled[2] > 0
