"""`python -m tools.merge`: exit codes and lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import adapter_parameters
from tools.llama.merging import read_config
from tools.llama.shape import LlamaShape
from tools.merge import main

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SIZES = {"num_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 2}


@pytest.fixture
def work(tmp_path):
    config = yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))
    config["model"]["model_config"].update(SIZES, n_kv_heads=1, vocab_size=8)
    path = tmp_path / "finetune.yaml"
    path.write_text(yaml.safe_dump(config))
    shape, lora = read_config(path)
    bases = [(name, np.ones(dims), "Float32") for name, dims in shape.parameters().items()]
    adapters = [(n, np.ones(d), "Float32") for n, d in adapter_parameters(shape, lora).items()]
    write_checkpoint(tmp_path / "base" / "model.ckpt", bases)
    (tmp_path / "base" / "model.json").write_text("{}")
    for index in (1, 2):
        write_checkpoint(tmp_path / "adapters" / f"{index}.ckpt", adapters)
    return tmp_path


def run(work, *arguments, base="base/model.ckpt", config="finetune.yaml"):
    fixed = ["--base", str(work / base), "--config", str(work / config)]
    return CliRunner().invoke(main, [*fixed, *map(str, arguments)])


def test_one(work):
    output = work / "merged.ckpt"
    result = run(work, "--adapter", work / "adapters" / "1.ckpt", "--output", output)
    assert (result.exit_code, result.stdout) == (0, f"{output}: merged\n")
    weight = Checkpoint(output).read("model.layers.0.attention.wo.weight")
    assert (weight == 1 + 16 / 8 * 8).all()


def test_all(work):
    result = run(work, "--adapters", work / "adapters", "--output", work / "merged")
    assert (result.exit_code, result.stdout) == (0, f"{work / 'merged'}: 2 merged models\n")
    assert sorted(path.name for path in (work / "merged").iterdir()) == ["1", "2"]


def test_a_config_of_the_model_alone(work):
    words = ["--adapter", work / "adapters" / "1.ckpt", "--output"]
    assert run(work, *words, work / "whole.ckpt").exit_code == 0
    model = yaml.safe_load((work / "finetune.yaml").read_text())["model"]["model_config"]
    read = [*LlamaShape.__dataclass_fields__, "pet_config"]
    short = {"model": {"model_config": {key: model[key] for key in read}}}
    (work / "short.yaml").write_text(yaml.safe_dump(short))
    result = run(work, *words, work / "short.ckpt", config="short.yaml")
    assert result.exit_code == 0, result.output
    assert (work / "short.ckpt").read_bytes() == (work / "whole.ckpt").read_bytes()


@pytest.mark.parametrize("chosen", [(), ("--adapter", "a.ckpt", "--adapters", "a")])
def test_either_one_or_all(work, chosen):
    result = run(work, *chosen, "--output", work / "x")
    assert result.exit_code == 2 and "either --adapter or --adapters" in result.stderr


@pytest.mark.parametrize(
    "changed, adapter, fault",
    [
        ({"base": "nowhere.ckpt"}, "1.ckpt", "nowhere.ckpt: no such file"),
        ({"base": "finetune.yaml"}, "1.ckpt", "not a whole MindSpore checkpoint"),
        ({"base": "adapters/1.ckpt"}, "1.ckpt", "is missing, the config makes it"),
        ({}, "3.ckpt", "3.ckpt: no such file"),
        ({"config": "nowhere.yaml"}, "1.ckpt", "nowhere.yaml: no such file"),
        ({"config": "base/model.ckpt"}, "1.ckpt", "not UTF-8 text; save it as UTF-8"),
        ({"config": "base/model.json"}, "1.ckpt", "lacks model"),
        ({"base": "adapters"}, "1.ckpt", "holds neither model.safetensors nor"),
    ],
)
def test_bad_input_is_one_line(work, changed, adapter, fault):
    output = work / "merged.ckpt"
    result = run(work, "--adapter", work / "adapters" / adapter, "--output", output, **changed)
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert fault in result.stderr and not output.exists()
