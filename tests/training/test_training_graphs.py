"""Which graph is kept under which name, and where. No MindSpore: files stand for graphs."""

from __future__ import annotations

import copy
import os

import pytest

from tools.training import graphs

NATIVE = {
    "seed": 1,
    "output_dir": "/somewhere",
    "model": {"model_config": {"seq_length": 256}, "pet_config": {"lora_rank": 8}},
    "train_dataset": {"batch_size": 4, "data_loader": {"dataset_dir": "/a"}},
    "train_dataset_task": {"dataset_config": {"batch_size": 4}},
    "callbacks": [{"type": "MFLossMonitor"}],
    "lr_schedule": {"learning_rate": 1e-3},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "FOLDER", tmp_path / "kept")
    return tmp_path / "kept"


def made(tmp_path, text="graph"):
    path = tmp_path / "work" / "graphs" / "rank_0"
    path.mkdir(parents=True, exist_ok=True)
    (path / "graph.mindir").write_text(text)
    return tmp_path / "work" / "graphs"


def test_places_and_readers_are_no_part_of_the_name():
    other = copy.deepcopy(NATIVE)
    other["output_dir"] = "/elsewhere"
    other["train_dataset"]["data_loader"]["dataset_dir"] = "/b"
    other["callbacks"] = []
    assert graphs.name_of(other, 10, 1) == graphs.name_of(NATIVE, 10, 1)


@pytest.mark.parametrize(
    "keys", ["seed", "model.model_config.seq_length", "model.pet_config.lora_rank",
             "train_dataset.batch_size", "lr_schedule.learning_rate"]
)  # fmt: skip
def test_all_that_a_graph_is_made_of_is_part_of_its_name(keys):
    other = copy.deepcopy(NATIVE)
    *path, last = keys.split(".")
    tree = other
    for key in path:
        tree = tree[key]
    tree[last] += 1
    assert graphs.name_of(other, 10, 1) != graphs.name_of(NATIVE, 10, 1)


def test_steps_workers_versions_and_sources_are_too(monkeypatch, tmp_path):
    names = {graphs.name_of(NATIVE, 10, 1), graphs.name_of(NATIVE, 11, 1)}
    names.add(graphs.name_of(NATIVE, 10, 2))
    names.add(graphs.name_of(NATIVE, 10, 2, host=1))
    with monkeypatch.context() as patch:
        patch.setattr(graphs, "version_of", lambda package: "other")
        names.add(graphs.name_of(NATIVE, 10, 1))
    monkeypatch.setattr(graphs, "_SOURCES", tmp_path)
    (tmp_path / "cells.py").write_text("x = 1\n")
    names.add(graphs.name_of(NATIVE, 10, 1))
    (tmp_path / "cells.py").write_text("x = 2\n")
    names.add(graphs.name_of(NATIVE, 10, 1))
    # What ours derive from is part of the graph, and chosen in another room.
    monkeypatch.setattr(graphs, "_STACK", tmp_path / "cells.py")
    names.add(graphs.name_of(NATIVE, 10, 1))
    assert len(names) == 8


def test_a_graph_is_found_again_by_the_next_training(tmp_path, folder):
    work = tmp_path / "work"
    assert graphs.place("a", work, started=False) == work / "graphs"
    graphs.keep("a", made(tmp_path))
    assert graphs.place("a", work, started=False) == folder / "a"
    assert (folder / "a" / "rank_0" / "graph.mindir").read_text() == "graph"
    assert graphs.place("b", work, started=False) == work / "graphs"
    # The training that read it has nothing to keep; a second that made it is late.
    graphs.keep("a", folder / "a")
    graphs.keep("a", made(tmp_path, "late"))
    assert [path.name for path in folder.iterdir()] == ["a"]
    assert (folder / "a" / "rank_0" / "graph.mindir").read_text() == "graph"


def test_a_graph_of_a_killed_training_is_read_only_where_a_step_was_made(tmp_path):
    own = made(tmp_path)
    assert graphs.place("a", tmp_path / "work", started=True) == own and own.is_dir()
    assert graphs.place("a", tmp_path / "work", started=False) == own
    assert not own.exists()


def test_those_used_longest_ago_are_removed(tmp_path, folder):
    for number in range(graphs.KEPT):
        graphs.keep(str(number), made(tmp_path))
        os.utime(folder / str(number), (number, number))
    graphs.place("0", tmp_path / "work", started=False)  # used again
    graphs.keep("new", made(tmp_path))
    expected = {"0", "new", *map(str, range(2, graphs.KEPT))}
    assert {path.name for path in folder.iterdir()} == expected


def test_a_graph_that_cannot_be_kept_fails_nothing(tmp_path, folder):
    folder.write_text("a file in its way")
    graphs.keep("a", made(tmp_path))
    assert folder.read_text() == "a file in its way"
