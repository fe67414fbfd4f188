"""Counted parameters, adapters and merges that do not belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
import yaml
from grading_run import COUNTS, edit, failed
from packaging_run import write

from tools.packaging import layout
from tools.packaging.grading import remade, weights_check
from tools.packaging.grading.unpack import Package
from tools.settings.contest import Contest


def counted(package: Package, rules: Contest) -> Dict[str, int]:
    counts = weights_check.count_all(package, rules)
    return {key: counts[key] for key in COUNTS}


def test_parameters_are_counted(opened: Package, rules: Contest) -> None:
    assert counted(opened, rules) == COUNTS
    claim = json.loads((opened.folder / "training/parameters.json").read_text("utf-8"))
    assert weights_check.count_all(opened, rules) == claim
    # Without the weights the config says whether the output is the embedding.
    linked = opened._replace(weights=None)
    assert counted(linked, rules) == COUNTS
    edit(opened.folder / "configs/model.json", tied=True)
    assert counted(linked, rules)["total"] == 155_968 - 640 * 64
    assert counted(opened, rules) == COUNTS


def test_forged_parameters(opened: Package, rules: Contest) -> None:
    edit(opened.folder / "training/parameters.json", trained=4096, denominator=8_030_000_000)
    made = remade.remake(opened, weights_check.count_all(opened, rules))
    assert failed(remade.claim_rows(opened, made, rules)) == [
        "training/parameters.json: trained",
        "training/parameters.json: denominator",
        f"training/parameters.json: those of its {len(made[layout.PARAMETERS]) + 3} figures "
        "that differ",
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
    total = 155_968 - 640 * 64
    counts = counted(opened._replace(weights=tied), rules)
    assert counts == {"trained": 7168, "total": total, "denominator": total}


def test_an_adapter_of_another_rank(opened: Package) -> None:
    path = opened.folder / layout.FINETUNE
    config = yaml.safe_load(path.read_text())
    config["model"]["model_config"]["pet_config"]["lora_rank"] = 4
    write(path, yaml.safe_dump(config))
    rows = list(weights_check.shape_rows(opened, None))
    assert failed(rows) == ["adapter/adapter.ckpt: the LoRA that finetune.yaml trains"]
    assert "mindpet_delta_lora_a is (8, 64), the config makes it (4, 64)" in rows[0].why


def test_what_the_training_began_with_is_such_an_adapter(opened: Package) -> None:
    first = opened.folder / layout.INIT
    adapter = (opened.folder / layout.ADAPTER).read_bytes()
    for content, wrong in ((b"damaged", True), (adapter, False)):
        first.write_bytes(content)
        (row,) = (row for row in weights_check.shape_rows(opened, None) if row.group == layout.INIT)
        assert row.passed is not wrong


@pytest.mark.parametrize("scaling", [8, 32])
def test_a_merge_with_another_scaling(opened: Package, tmp_path: Path, scaling: int) -> None:
    """The stock merge takes alpha / rank for 1, where it is 2."""
    path = opened.folder / layout.FINETUNE
    config = yaml.safe_load(path.read_text())
    config["model"]["model_config"]["pet_config"]["lora_alpha"] = scaling
    write(path, yaml.safe_dump(config))
    base = weights_check.seeded_base(opened, tmp_path / "base")
    (row,) = (row for row in weights_check.shape_rows(opened, base) if not row.passed)
    assert row.what == "tensors that are not base + alpha/rank · B · A"
    assert row.measured == 8


def test_a_tensor_without_a_delta_is_the_bases_own(opened: Package, tmp_path: Path) -> None:
    from tools.llama.checkpoint import Checkpoint, write_checkpoint
    from tools.llama.shape import EMBEDDING

    whole = Checkpoint(opened.weights)
    tensors = {name: whole.read(name).copy() for name in whole.names()}
    tensors[EMBEDDING][0, 0] = np.nextafter(tensors[EMBEDDING][0, 0], np.float32(1))
    other = tmp_path / "other.ckpt"
    write_checkpoint(other, ((name, array, "Float32") for name, array in tensors.items()))
    base = weights_check.seeded_base(opened, tmp_path / "base")
    rows = weights_check.shape_rows(opened._replace(weights=other), base)
    (row,) = (row for row in rows if not row.passed)
    assert row.why == f"{EMBEDDING}: 1 numbers"


def test_a_base_is_drawn_only_from_a_seed_and_never_a_large_one(
    opened: Package, tmp_path: Path
) -> None:
    path = opened.folder / "configs/model.json"
    settings = json.loads(path.read_text())
    assert weights_check.seeded_base(opened, tmp_path / "a") == tmp_path / "a" / "model.ckpt"
    for change in (
        {"source": "gguf", "file": "../../x.gguf"},
        {"model_config": {**settings["model_config"], "num_layers": 9000}},
    ):
        write(path, {**settings, **change})
        assert weights_check.seeded_base(opened, tmp_path / "b") is None
    assert not (tmp_path / "b").exists()
