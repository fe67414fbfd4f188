"""The trained parameters of all twenty winning entries, from the ranks and targets that they name.

entries.json holds what the entries' own READMEs and YAML files say, each with its place; the ratios
are the published ones, in configs/contest.yaml.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tools.llama.lora import LoraConfig, adapter_parameters, count
from tools.llama.shape import LlamaShape
from tools.planning.load import profile_load
from tools.settings.contest import read_contest

ENTRIES = json.loads(Path(__file__).with_name("entries.json").read_text("utf-8"))["entries"]
RULES = read_contest()
PUBLISHED = {entry.team: entry.ratio for entry in RULES.leaderboard}


@pytest.fixture(scope="module")
def shape() -> LlamaShape:
    return profile_load("llama3-8b").shape


def trained(shape: LlamaShape, rank: int, targets: str) -> int:
    return count(adapter_parameters(shape, LoraConfig(rank, 2.0 * rank, targets)))


def as_published(number: int) -> str:
    return f"{number / RULES.denominator:.6g}"


def test_every_entry_of_the_leaderboard_is_there_once() -> None:
    assert sorted(entry["team"] for entry in ENTRIES) == sorted(PUBLISHED)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["team"])
def test_the_published_ratio_to_its_last_digit(shape: LlamaShape, entry: dict) -> None:
    number = trained(shape, entry["rank"], entry["targets"])
    published = f"{PUBLISHED[entry['team']]:.6g}"
    if entry.get("contradicts"):
        assert as_published(number) != published
    else:
        assert as_published(number) == published
    if "parameters" in entry:
        assert number == entry["parameters"]


def test_one_entry_contradicts_its_ratio_which_others_would_give(
    shape: LlamaShape,
) -> None:
    (entry,) = [entry for entry in ENTRIES if entry.get("contradicts")]
    assert entry["team"] == "慢调细磨"
    stated = trained(shape, entry["rank"], entry["targets"])
    assert as_published(stated) == "0.00169757"
    published = f"{PUBLISHED[entry['team']]:.6g}"
    names = ("wq", "wk", "wv", "wo")
    sets = [chosen for size in range(1, 5) for chosen in itertools.combinations(names, size)]
    a_rank = {chosen: trained(shape, 1, "|".join(f".*{n}" for n in chosen)) for chosen in sets}
    found = {
        (rank, chosen)
        for rank, chosen in itertools.product(range(1, 65), sets)
        if as_published(rank * a_rank[chosen]) == published
    }
    # wq and wo are of one size, wk and wv of another: one of each counts the same. One large one at
    # rank 13 happens to count the same, too.
    pairs = {(8, (large, small)) for large, small in itertools.product(("wq", "wo"), ("wk", "wv"))}
    pairs = {(rank, tuple(sorted(chosen, key=names.index))) for rank, chosen in pairs}
    assert found == pairs | {(4, names), (13, ("wq",)), (13, ("wo",))}


def test_the_whole_model(shape: LlamaShape) -> None:
    assert shape.count() == RULES.model_parameters == 8_030_261_248
