"""What a budget buys, in the form that finetune.yaml takes."""

from __future__ import annotations

import pytest

from tools.files.errors import UserError
from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.probing.ranks import describe, rank_plan, table_of_shape
from tools.probing.sources import Weights


@pytest.fixture
def spectra(model):
    source = Weights(model.base, None, model.shape)
    return [(matrix, source.values(matrix)) for matrix in source.matrices]


def test_the_config_that_is_proposed_trains_what_is_said(model, spectra):
    plan = rank_plan(spectra, 1500, 2.0)
    for name in ("pet_config", "all_kinds"):
        said = plan[name]
        lora = LoraConfig.from_pet_config(said, "here")
        assert count(adapter_parameters(model.shape, lora)) == said["parameters"] <= 1500
        assert lora.scaling == 2.0
    costs = {matrix.name: matrix.cost for matrix, _ in spectra}
    ranks = plan["matrices"]["ranks"]
    spent = sum(costs[name] * rank for name, rank in ranks.items())
    assert list(ranks) == list(costs) and spent == plan["matrices"]["parameters"] <= 1500
    kept = [plan[name]["kept"] for name in ("all_kinds", "pet_config", "kinds")]
    # Each is a special case of the next.
    assert 0 < kept[0] < kept[1] < kept[2] < plan["matrices"]["bound"] < 1
    assert plan["kinds"]["parameters"] <= 1500


def test_all_ranks_keep_all(spectra):
    plan = rank_plan(spectra, 10**6, 2.0)
    assert plan["matrices"]["kept"] == pytest.approx(1) == plan["kinds"]["kept"]
    # One rank for all ends where wk has no more directions.
    assert plan["all_kinds"]["lora_rank"] == 16 and plan["all_kinds"]["kept"] < 1


def test_it_is_told_in_lines_that_can_be_copied(spectra):
    plan = rank_plan(spectra, 1500, 2.0)
    text = describe(plan)
    said = plan["pet_config"]
    assert f"lora_rank: {said['lora_rank']}" in text and said["target_modules"] in text
    assert text.startswith("1,500 parameters keep of the energy")
    same = {**plan, "all_kinds": plan["pet_config"]}
    assert len(describe(same).splitlines()) == 4 == len(text.splitlines()) - 1
    assert len(describe({**plan, "all_kinds": None}).splitlines()) == 4


def test_too_small_a_budget_is_refused(model, spectra):
    assert rank_plan(spectra, 96, 2.0)["all_kinds"] is None
    with pytest.raises(UserError, match=r"95 parameters are too few for rank 1.*larger budget"):
        rank_plan(spectra, 95, 2.0)
    with pytest.raises(UserError, match="95 parameters allow no rank 1"):
        table_of_shape(model.shape, 95, model.config)


def test_the_table_of_a_shape(model):
    lines = table_of_shape(model.shape, 500, model.config).splitlines()
    # wq of (32, 32) and wv of (16, 32) in two layers: 2 · (64 + 48) a unit of rank.
    assert lines[2] == "| `.*wq|.*wv` | 2 | 448 |"
    assert lines[-1].endswith("| – | too many at rank 1 |")
