"""Counted parameters, adapters and merges that do not belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import pytest
import yaml
from grading_run import COUNTS, edit, failed
from packaging_run import write

from tools.packaging import layout
from tools.packaging.grading import weights
from tools.packaging.grading.figures import Counts
from tools.packaging.grading.unpack import Package
from tools.settings.contest import Contest


def test_parameters_are_counted_in_the_checkpoints(opened: Package, rules: Contest) -> None:
    assert weights.count_all(opened, rules) == COUNTS
    # Without the weights their shape is counted, with whether the output is the embedding.
    linked = opened._replace(weights=None)
    assert weights.count_all(linked, rules) == COUNTS
    edit(opened.folder / "configs/model.json", tied=True)
    assert weights.count_all(linked, rules).total == 155_968 - 640 * 64
    assert failed(weights.parameter_rows(opened, COUNTS)) == []
    edit(opened.folder / "training/parameters.json", trained=4096, denominator=8_030_000_000)
    assert failed(weights.parameter_rows(opened, COUNTS)) == [
        "training/parameters.json: trained",
        "training/parameters.json: denominator",
    ]


def test_an_output_that_is_the_embedding_counts_once(
    honest: Dict[str, Path], opened: Package, rules: Contest, tmp_path: Path
) -> None:
    from tools.llama.checkpoint import Checkpoint, write_checkpoint
    from tools.llama.shape import EMBEDDING, OUTPUT

    whole = Checkpoint(opened.weights)
    tied = tmp_path / "tied.ckpt"
    write_checkpoint(
        tied,
        (
            (name, whole.read(EMBEDDING if name == OUTPUT else name), "Float32")
            for name in whole.names()
        ),
    )
    counts = weights.count_all(opened._replace(weights=tied), rules)
    assert counts == Counts(7168, 155_968 - 640 * 64, 155_968 - 640 * 64)


def test_an_adapter_of_another_rank(opened: Package) -> None:
    path = opened.folder / layout.FINETUNE
    config = yaml.safe_load(path.read_text())
    config["model"]["model_config"]["pet_config"]["lora_rank"] = 4
    write(path, yaml.safe_dump(config))
    rows = list(weights.shape_rows(opened, None))
    assert failed(rows) == ["adapter/adapter.ckpt: the LoRA that finetune.yaml trains"]
    assert "mindpet_delta_lora_a is (8, 64), the config makes it (4, 64)" in rows[0].why


def test_what_the_training_began_with_is_such_an_adapter(opened: Package) -> None:
    first = opened.folder / layout.INIT
    adapter = (opened.folder / layout.ADAPTER).read_bytes()
    for content, wrong in ((b"damaged", True), (adapter, False)):
        first.write_bytes(content)
        (row,) = (row for row in weights.shape_rows(opened, None) if row.group == layout.INIT)
        assert row.passed is not wrong


@pytest.mark.parametrize("scaling", [8, 32])
def test_a_merge_with_another_scaling(opened: Package, tmp_path: Path, scaling: int) -> None:
    """The stock merge takes alpha / rank for 1, where it is 2."""
    path = opened.folder / layout.FINETUNE
    config = yaml.safe_load(path.read_text())
    config["model"]["model_config"]["pet_config"]["lora_alpha"] = scaling
    write(path, yaml.safe_dump(config))
    base = weights.seeded_base(opened, tmp_path / "base")
    (row,) = (row for row in weights.shape_rows(opened, base) if not row.passed)
    assert row.what == "tensors that are not base + alpha/rank · B · A"
    assert row.measured == 8


def test_a_base_is_drawn_only_from_a_seed_and_never_a_large_one(
    opened: Package, tmp_path: Path
) -> None:
    path = opened.folder / "configs/model.json"
    settings = json.loads(path.read_text())
    assert weights.seeded_base(opened, tmp_path / "a") == tmp_path / "a" / "model.ckpt"
    for change in (
        {"source": "gguf", "file": "../../x.gguf"},
        {"seed": "1"},
        {"seed": -1},
        {"model_config": {**settings["model_config"], "num_layers": 9000}},
    ):
        write(path, {**settings, **change})
        assert weights.seeded_base(opened, tmp_path / "b") is None
    assert not (tmp_path / "b").exists()
