"""`python -m tools.convert weights`: every form, and what is asked for wrongly."""

from __future__ import annotations

import codecs
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.convert import main
from tools.settings.resolve import resolve

sys.path.insert(0, str(Path(__file__).parent / "llama"))
import exported_model as made


def run(*words):
    return CliRunner().invoke(main, ["weights", *map(str, words)])


@pytest.fixture
def work(tmp_path):
    made.write_model(tmp_path / "model")
    made.write_adapter(tmp_path / "adapter.ckpt")
    made.write_config(tmp_path / "finetune.yaml")
    return tmp_path


def test_a_profile_s_base_needs_no_material_where_it_comes_from_a_seed(tmp_path):
    resolve(tmp_path / "config", "tiny", "quick", "plain", 3, 1)
    output = tmp_path / "base" / "model.ckpt"
    config = "--config", tmp_path / "config" / "model.json"
    result = run(*config, "--material", tmp_path / "nowhere", "--output", output)
    assert result.exit_code == 0 and "from seed" in result.stdout and output.is_file()


def test_a_model_there_and_back(work):
    result = run("--model", work / "model", "--to", "huggingface", "--output", work / "hf")
    assert (result.exit_code, result.stdout) == (0, f"{work / 'hf'}: 21 tensors\n")
    for name in ("config.json", "tokenizer.json"):  # as Windows' editors save them
        path = work / "hf" / name
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    result = run("--model", work / "hf", "--to", "mindformers", "--output", work / "back")
    assert result.exit_code == 0, result.output
    before, after = ((work / name / "model.ckpt").read_bytes() for name in ("model", "back"))
    assert after == before


def test_an_adapter_there_and_back(work):
    words = "--adapter", work / "adapter.ckpt", "--config", work / "finetune.yaml", "--to", "peft"
    result = run(*words, "--base-name", "org/base", "--output", work / "peft")
    assert (result.exit_code, result.stdout) == (0, f"{work / 'peft'}: 6 matrices\n")
    config = json.loads((work / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/base"
    words = "--adapter", work / "peft", "--model", work / "model", "--to", "mindformers"
    result = run(*words, "--output", work / "back")
    assert result.exit_code == 0 and "rank 2, alpha 4, target_modules w2$|wq$|wv$" in result.stdout
    assert (work / "back" / "adapter.ckpt").read_bytes() == (work / "adapter.ckpt").read_bytes()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "give --config and --material"),
        (["--config", "finetune.yaml"], "give --config and --material"),
        (["--model", "model"], "give --config and --material"),
        (["--model", "model", "--to", "peft"], "--to peft needs --adapter"),
        (["--to", "huggingface"], "the others --model"),
        (["--adapter", "adapter.ckpt", "--to", "peft"], "needs the finetune.yaml"),
        (["--adapter", "adapter.ckpt", "--to", "mindformers"], "with its --model"),
        (["--adapter", "adapter.ckpt", "--to", "huggingface"], "an adapter goes --to peft"),
        (["--model", "nowhere", "--to", "huggingface"], "does not exist"),
        (["--model", "model", "--to", "mindformers"], "config.json: no such file"),
    ],
)
def test_what_is_asked_for_wrongly(work, words, fault):
    here = [work / w if (work / w).exists() or w == "nowhere" else w for w in words]
    result = run(*here, "--output", work / "out")
    assert result.exit_code == 2 and fault in result.stderr.replace("\n", " ")
    assert not (work / "out").exists()
