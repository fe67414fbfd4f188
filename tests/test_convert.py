"""The script: each subcommand on small input, usage errors, one line for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.convert import main

ROOT = Path(__file__).resolve().parents[1]
READING = ROOT / "material" / "embedded" / "reading.json"
SUBCOMMANDS = ("math", "describe", "records", "squad", "prompts", "tokenizer", "weights")


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "train.json"
    rows = [
        {"problem": f"计算 {i}.00 + 1.00 等于多少？", "solution": f"{i}.00 + 1.00 = {i + 1}.00"}
        for i in range(60)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("arguments", [(), *((name,) for name in SUBCOMMANDS)])
def test_help_has_an_example(arguments):
    assert "Example:" in run(*arguments, "--help")


def test_help_loads_nothing_heavy():
    code = (
        "import sys, tools.convert; "
        "print({'numpy', 'mindspore', 'tokenizers', 'tiktoken', 'sentencepiece'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_from_train_json_to_records_and_prompts(source, tmp_path):
    rows, model = tmp_path / "rows.jsonl", tmp_path / "tokenizer.model"
    assert "60 rows read, 0 misfits" in run("math", "--input", source, "--output", rows)
    trained = run(
        *("tokenizer", "--train", rows, "--text", READING),
        *("--vocab-size", 400, "--output", model),
    )
    assert "400 pieces from 108 texts" in trained
    record = tmp_path / "train.mindrecord"
    options = ("--input", rows, "--tokenizer", model, "--output", record)
    done = run("records", *options, "--seq-length", 128, "--pad-id", 2)
    assert f"{record}: 60 examples in 60 rows, 0 over-long left out, " in done
    summary = json.loads((tmp_path / "train.mindrecord.json").read_text("utf-8"))
    assert summary["tokenizer"]["pad"] == 2
    assert "60 prompts" in run("prompts", "--input", rows, "--output", tmp_path / "math.jsonl")


def test_a_corpus_in_a_folder(source, tmp_path):
    sizes = ("--train", 40, "--valid", 5, "--test", 10)
    done = run("math", "--input", source, "--folder", tmp_path / "corpus", *sizes)
    assert "40 train, 5 valid, 10 test" in done
    done = run("math", "--folder", tmp_path / "made", *sizes, "--seed", 3)
    assert "40 train, 5 valid, 10 test" in done


def test_a_mix_by_weights_and_from_a_config(tmp_path):
    sizes = ("--train", 30, "--valid", 0, "--test", 0)
    run("math", "--folder", tmp_path / "a", *sizes, "--weights", "add=2,root=1", "--seed", 5)
    config = tmp_path / "corpus.json"
    values = {"train": 30, "valid": 0, "test": 0, "seed": 5, "weights": {"add": 2, "root": 1}}
    config.write_text(json.dumps(values))
    run("math", "--folder", tmp_path / "b", "--config", config)
    found = [(tmp_path / name / "train.jsonl").read_text("utf-8") for name in "ab"]
    assert found[0] == found[1]
    kinds = [json.loads(line)["kind"] for line in found[0].splitlines()]
    assert (kinds.count("add"), kinds.count("root")) == (20, 10)
    config.write_text(json.dumps({**values, "weights": None}))
    run("math", "--folder", tmp_path / "c", "--config", config)


@pytest.mark.parametrize("weights", ["", "add", "add=x", "add=-1", "sum=3", "add=²"])
def test_weights_that_are_none(tmp_path, weights):
    done = run("math", "--folder", tmp_path / "a", "--train", 3, "--weights", weights, code=2)
    assert "is no" in done


def test_styles_and_repeats(tmp_path):
    sizes = ("--train", 200, "--valid", 0, "--test", 0, "--weights", "fraction=1,function=1")
    styles = ("--styles", "fraction=direct,function=direct:3s")
    done = run("math", "--folder", tmp_path / "a", *sizes, "--repeat", 4, *styles)
    assert "200 train" in done
    rows = [
        json.loads(line)
        for line in (tmp_path / "a" / "train.jsonl").read_text("utf-8").splitlines()
    ]
    fractions = [row for row in rows if row["kind"] == "fraction"]
    assert len(fractions) == 100 and len({row["problem"] for row in fractions}) <= 45
    assert all(row["solution"].splitlines()[-1].startswith("#### ") for row in rows)
    assert len({row["id"] for row in rows}) == 200


@pytest.mark.parametrize(
    "styles, fault",
    [
        ("sum=direct:2", "sum"),
        ("add=slowly:2", "slowly"),
        ("add=direct:x", "'x' is no number of places; write 4, or 6s for digits"),
        ("add=direct:²", "is no number of places"),
        ("add=direct:99", "is no number of places"),
        ("add=direct", "add"),
        ("add", "add"),
        ("", ""),
    ],
)
def test_styles_that_are_none(tmp_path, styles, fault):
    folder = tmp_path / "a"
    sizes = ("--train", 5, "--valid", 0, "--test", 0)
    run("math", "--folder", folder, *sizes)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run("math", "--folder", folder, *sizes, "--styles", styles, code=2)
    assert fault in done and "Traceback" not in done
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_describe(source, tmp_path):
    folder, model = tmp_path / "corpus", tmp_path / "tokenizer.model"
    run("math", "--input", source, "--folder", folder, "--train", 50, "--valid", 0, "--test", 0)
    train = folder / "train.jsonl"
    run("tokenizer", "--train", train, "--text", READING, "--vocab-size", 400, "--output", model)
    options = ("--folder", folder, "--tokenizer", model, "--seq-length", 64)
    assert "tokens a row, half below" in run("describe", *options)
    assert (folder / "corpus.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "tokens.json").read_text("utf-8"))["rows_measured"] == 50
    fault = run("describe", "--folder", folder, "--tokenizer", source, "--seq-length", 64, code=2)
    assert fault.count("\n") == 1 and "train.json" in fault
    run("describe", "--folder", tmp_path, "--tokenizer", model, "--seq-length", 64, code=2)


def test_options_from_a_config(source, tmp_path):
    rows, config = tmp_path / "rows.jsonl", tmp_path / "config.json"
    run("math", "--input", source, "--output", rows)
    config.write_text(json.dumps({"prompt": "none", "vocab_size": 350, "seq_length": 64}))
    model = tmp_path / "tokenizer.model"
    trained = run(
        *("tokenizer", "--config", config, "--train", rows, "--text", READING),
        *("--output", model),
    )
    assert "350 pieces" in trained
    record = tmp_path / "x.mindrecord"
    options = ("--input", rows, "--tokenizer", model, "--output", record)
    run("records", "--config", config, *options)
    summary = json.loads((tmp_path / "x.mindrecord.json").read_text("utf-8"))
    assert (summary["frame"], summary["seq_length"]) == ("none", 64)
    config.write_text(json.dumps({"limit": 2, "prompt": "alpaca"}))
    output = tmp_path / "squad.jsonl"
    assert "2 prompts" in run("squad", "--config", config, "--input", READING, "--output", output)
    config.write_text(json.dumps({"limit": None}))
    assert "48 prompts" in run("squad", "--config", config, "--input", READING, "--output", output)


def test_squad(tmp_path):
    output = tmp_path / "squad.jsonl"
    assert run("squad", "--input", READING, "--output", output, "--limit", 3).endswith(
        "3 prompts\n"
    )
    assert len(output.read_text("utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("math",),
        ("math", "--output", "rows.jsonl"),
        ("math", "--output", "rows.jsonl", "--folder", "corpus"),
        ("tokenizer", "--output", "t.model"),
        ("tokenizer", "--output", "t.model", "--gguf", READING, "--train", READING),
        ("tokenizer", "--output", "t.model", "--train", READING),
        ("tokenizer", "--output", "t.model", "--whole", READING, "--train", READING),
        ("records", "--input", READING),
        ("squad", "--input", "nowhere.json", "--output", "x.jsonl"),
        ("prompts", "--input", READING, "--output", "x.jsonl", "--prompt", "squad"),
    ],
)
def test_usage_errors(arguments):
    assert "Usage:" in run(*arguments, code=2)


def test_bad_input_is_one_line(source, tmp_path):
    output = tmp_path / "out"
    for arguments, fault in [
        (("squad", "--input", source), "train.json:2: not valid JSON"),
        (("prompts", "--input", source), 'train.json:1: "id" is missing'),
        (("tokenizer", "--gguf", source), "not a whole GGUF file"),
        (
            ("records", "--input", source, "--tokenizer", source, "--seq-length", 9),
            "not a tokenizer.json",
        ),
    ]:
        done = run(*arguments, "--output", output, code=2)
        assert done.startswith("error: ")
        assert done.count("\n") == 1
        assert fault in done
        assert not output.exists()
