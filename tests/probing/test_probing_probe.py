"""A probe as a whole: which files it leaves, and that they agree with one another."""

from __future__ import annotations

import json

import pytest
import yaml

from tools.files.errors import UserError
from tools.probing import probe
from tools.probing.probe import probe_adapter, probe_weights, ranks_of_shape

WITH_RANKS = {"spectra.jsonl", "probe.json", "probe.png", "ranks.json"}


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take most of a second: an empty file for each."""
    monkeypatch.setattr(probe, "draw_probe", lambda *words: words[-1].touch())


def names(folder):
    return {path.name for path in folder.iterdir()}


def without_lora(model):
    config = yaml.safe_load(model.config.read_text())
    del config["model"]["model_config"]["pet_config"]
    path = model.folder / "full.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_weights_with_the_config_s_own_budget(model):
    output = model.folder / "new" / "probe"
    text = probe_weights(model.config, model.base, None, output, None)
    assert names(output) == WITH_RANKS
    # wq 64, wv 48 and w2 80 a unit of rank, rank 2, two layers.
    assert json.loads((output / "ranks.json").read_text())["parameters"] == 768
    summary = json.loads((output / "probe.json").read_text())
    assert summary["what"] == "weights" and len(summary["matrices"]) == 14
    assert "768 parameters keep" in text and text.startswith("| kind |")
    before = {name: (output / name).read_bytes() for name in WITH_RANKS}
    assert probe_weights(model.config, model.base, None, output, None) == text
    assert {name: (output / name).read_bytes() for name in WITH_RANKS} == before


def test_a_config_without_lora_has_no_budget(model, undrawn):
    output = model.folder / "probe"
    probe_weights(without_lora(model), model.tuned, model.base, output, None)
    assert names(output) == WITH_RANKS - {"ranks.json"}
    assert json.loads((output / "probe.json").read_text())["what"] == "difference"
    probe_weights(without_lora(model), model.tuned, model.base, output, 1000)
    said = json.loads((output / "ranks.json").read_text())["pet_config"]
    assert names(output) == WITH_RANKS and said["lora_alpha"] == 2 * said["lora_rank"]


def test_an_adapter_says_that_its_rank_is_its_bound(model, undrawn):
    output = model.folder / "probe"
    text = probe_adapter(model.config, model.adapters, output, None)
    assert names(output) == WITH_RANKS - {"ranks.json"}
    assert text.endswith("of rank 2: no rank above can exceed that")
    summary = json.loads((output / "probe.json").read_text())
    assert summary["origin"]["adapter"]["name"] == "2.ckpt"
    assert {entry["side"] for entry in summary["matrices"]} == {2}
    probe_adapter(model.config, model.adapters, output, 200)
    assert names(output) == WITH_RANKS


@pytest.mark.parametrize("budget", [0, -3, 95])
def test_no_budget_leaves_no_summary(model, undrawn, budget):
    with pytest.raises(UserError, match="budget"):
        probe_weights(model.config, model.base, None, model.folder / "probe", budget)
    assert not (model.folder / "probe" / "probe.json").exists()


def test_ranks_from_the_shape_alone(model):
    assert "| `.*wq|.*wv` | 2 | 448 |" in ranks_of_shape(model.config, 500)


@pytest.mark.parametrize("budget", [-5, 0])
def test_no_budget_buys_no_ranks(model, budget):
    with pytest.raises(UserError, match=f"{budget} is no budget"):
        ranks_of_shape(model.config, budget)


def test_ranks_of_another_probe_do_not_stay(model, undrawn):
    folder = model.folder / "probe"
    probe_weights(model.config, model.base, None, folder, 900)
    assert (folder / "ranks.json").is_file()
    probe_adapter(model.config, model.adapters, folder, None)
    assert (folder / "probe.json").is_file() and not (folder / "ranks.json").exists()
