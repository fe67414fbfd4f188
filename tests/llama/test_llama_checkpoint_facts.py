"""tools.check weights: both verdicts of every rule, and the exit code."""

from __future__ import annotations

import hashlib
import json

import exported_model as made
import numpy as np
import pytest
from click.testing import CliRunner

from tools.check import main
from tools.llama.checkpoint import write_checkpoint
from tools.llama.huggingface import export_model


def run(*words):
    return CliRunner().invoke(main, ["weights", *map(str, words)])


@pytest.fixture
def model(tmp_path):
    return made.write_model(tmp_path / "model", "BFloat16")


def test_a_good_model(model):
    path = model / "model.ckpt"
    result = run(path, "--model", model / "model.json")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{path}: 21 tensors, {made.SHAPE.count():,} numbers, BFloat16",
        f"{digest}  model.ckpt",
    ]
    found = json.loads(run(path, "--json").stdout)
    assert found["faults"] == [] and found["parameters"] == made.SHAPE.count()
    assert found["hashes"] == {"model.ckpt": digest}


def test_an_adapter_and_an_exported_folder(tmp_path, model):
    config = made.write_config(tmp_path / "finetune.yaml")
    adapter = made.write_adapter(tmp_path / "adapter.ckpt")
    assert run(adapter, "--config", config).exit_code == 0
    assert run(model / "model.ckpt", "--config", config).exit_code == 1
    export_model(model, tmp_path / "exported")
    result = run(tmp_path / "exported")
    assert result.exit_code == 0 and "21 tensors" in result.stdout
    assert run(model / "model.ckpt", "--profile", "tiny").exit_code == 1


def damage(tensors, kind):
    q = "model.layers.1.attention.wq.weight"
    if kind == "missing":
        del tensors[q]
    elif kind == "extra":
        tensors["model.layers.9.attention.wq.weight"] = tensors[q]
    elif kind == "turned":
        tensors["model.layers.1.feed_forward.w1.weight"] = np.ones((32, 48), np.float32)
    elif kind == "nan":
        tensors[q][3, 4] = tensors[q][5, 6] = np.nan
        tensors[q][0, 0] = np.inf
    return tensors


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("missing", "model.layers.1.attention.wq.weight: missing, it should be 32 x 32"),
        ("extra", "model.layers.9.attention.wq.weight: no parameter of this model"),
        ("turned", "model.layers.1.feed_forward.w1.weight: is 32 x 48, it should be 48 x 32"),
        ("nan", "model.layers.1.attention.wq.weight: 2 NaN, 1 infinite of 1024 numbers"),
    ],
)
@pytest.mark.parametrize("type_name", ["Float32", "Float16", "BFloat16"])
def test_every_fault_is_named(tmp_path, model, kind, line, type_name):
    tensors = {name: array.copy() for name, array, _ in made.tensors(made.SHAPE.parameters())}
    path = tmp_path / "bad.ckpt"
    triples = [(name, array, type_name) for name, array in damage(tensors, kind).items()]
    write_checkpoint(path, triples)
    result = run(path, "--model", model / "model.json")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [line, "1 fault"] and result.stdout == ""


def test_a_step_beside_the_weights_is_no_fault(tmp_path, model):
    tensors = [*made.tensors(made.SHAPE.parameters()), ("step_num", np.int32(7), "Int32")]
    write_checkpoint(tmp_path / "x.ckpt", tensors)
    assert run(tmp_path / "x.ckpt", "--model", model / "model.json").exit_code == 0


@pytest.mark.parametrize("name", ["model.json", "tokenizer.json"])
def test_what_is_no_checkpoint(model, name):
    result = run(model / name)
    assert result.exit_code == 2 and result.stderr.startswith(f"error: {model / name}: ")


def test_one_measure_at_a_time(model):
    result = run(model / "model.ckpt", "--profile", "tiny", "--model", model / "model.json")
    assert result.exit_code == 2
