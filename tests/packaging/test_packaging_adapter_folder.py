"""A run published, and measured again from what was published: random weights, real files."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from grading_run import math_answers
from packaging_run import write

from tools.llama.safetensors import SafetensorsFile
from tools.packaging import adapter_folder
from tools.publish import main
from tools.records.vocabulary import train_tokenizer
from tools.scoring.prediction_rows import read_predictions

pytest.importorskip("mindspore")


def publish(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def trained(honest, tmp_path_factory) -> Path:
    """A run that can be asked: a vocabulary, prompts, and what a real training leaves."""
    run = Path(shutil.copytree(honest["run"], tmp_path_factory.mktemp("publish") / "night-2"))
    prompts = math_answers(0)  # what is answered there is not read
    write(run / "prompts/test.jsonl", prompts)
    shutil.copy(run / "baseline/squad.jsonl", run / "prompts/squad.jsonl")
    taught = [{"problem": row["prompt"], "solution": row["reference"]} for row in prompts]
    rows = [{"id": str(n), "kind": "add", "answer": "1", **row} for n, row in enumerate(taught)]
    reading = Path(__file__).resolve().parents[2] / "material/embedded/reading.json"
    corpus = write(run / "corpus/train.jsonl", rows)
    train_tokenizer(corpus, run / "base/tokenizer.model", 640, "alpaca", reading)
    told = {**read(run / "finetune/run.json"), "matmul_precision": "float32"}
    write(run / "finetune/run.json", told)
    records = {**read(run / "records/train.mindrecord.json"), "tokens": 12_345}
    write(run / "records/train.mindrecord.json", records)
    return run


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "tiny"
    done = publish("write", "--run", trained, "--output", folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"{folder}: written"
    return folder


def test_what_is_in_the_folder(trained, published):
    found = {path.relative_to(published).as_posix() for path in published.rglob("*.*")}
    told = read(published / "run.json")
    assert found == {*told["files"], "README.md", "run.json"}
    assert {"losses.csv", "recipes/1-plain.yaml", "base/test.jsonl", "finetune.yaml"} <= found
    for name, said in told["files"].items():
        data = (published / name).read_bytes()
        assert said == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    weights = SafetensorsFile(published / "adapter_model.safetensors")
    assert {entry.type_name for entry in weights.entries.values()} == {"BFloat16"}
    assert told["trained"]["checkpoint"] == 3 and told["profile"] == "tiny"
    base = (trained / "base/model.ckpt").read_bytes()
    assert told["base"]["sha256"] == hashlib.sha256(base).hexdigest()
    (stage,) = told["stages"]
    assert (stage["recipe"], stage["steps"], stage["tokens"]) == ("plain", 10, 12_345)
    assert stage["seconds"] == 0.45 and stage["init"] is None  # nine of ten steps, 0.05 s each
    assert stage["commands"][0]["command"] == ["x"]
    with (published / "losses.csv").open() as handle:
        (loss,) = csv.DictReader(handle)
    assert (loss["stage"], loss["step"]) == ("1", "10") and float(loss["loss"]) == 6.4


def test_the_figures_are_those_of_the_published_file(trained, published):
    """The run's answers were made up; those published are what its weights really write."""
    scores = read(published / "scores.json")
    assert scores["math"]["count"] == 8 and scores["math"]["split"] == "test"
    assert scores["math"]["correct"] != read(trained / "evaluate/scores.json")["math"]["correct"]
    asked = [row.id for row in read_predictions(trained / "prompts/test.jsonl")]
    assert [row.id for row in read_predictions(published / "model/test.jsonl")] == asked
    base = (trained / "baseline/test.jsonl").read_bytes()
    assert (published / "base/test.jsonl").read_bytes() == base
    assert read(published / "base/scores.json")["math"]["correct"] == 1
    text = (published / "README.md").read_text("utf-8")
    assert "| all | 8 | 1 |" in text and "adapter is checkpoint 3 of the last" in text
    assert "make convert PROFILE=tiny" in text and "GGUF" not in text
    assert "make evaluate ADAPTER=material/embedded/adapters/tiny\n" in text


def measure(trained, folder, output, *more) -> Result:
    words = ["--adapter", folder, "--base", trained / "base", "--output", output, *more]
    return publish("measure", *words)


def test_it_is_measured_again(trained, published, tmp_path):
    done = measure(trained, published, tmp_path / "again")
    assert done.exit_code == 0, done.output
    again = read(tmp_path / "again/model/scores.json")
    assert again == read(published / "scores.json")
    assert done.stdout.splitlines()[-2:] == [
        "model/squad.jsonl: 8 of 8 answers are the published ones",
        "model/test.jsonl: 8 of 8 answers are the published ones",
    ]
    # The base's answers were made up, too: asked again it writes others.
    done = measure(trained, published, tmp_path / "again", "--baseline")
    lines = done.stdout.splitlines()
    assert (
        "base/test.jsonl: 0 of 8 answers are the published ones; the first that is not: "
        in (lines[-1])
    )
    compared = read(tmp_path / "again/compared.json")
    assert compared["model/test.jsonl"] == {"same": 8, "count": 8, "differing": []}
    assert len(compared["base/test.jsonl"]["differing"]) == 8


def test_an_altered_file_is_one_line(trained, published, tmp_path):
    folder = Path(shutil.copytree(published, tmp_path / "tiny"))
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    done = measure(trained, folder, tmp_path / "again")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "adapter_model.safetensors: truncated: its sha256 is" in done.stderr


def test_what_cannot_be_published(trained, tmp_path, monkeypatch):
    run, output = Path(shutil.copytree(trained, tmp_path / "run")), tmp_path / "out"
    corpus = read(run / "config/corpus.json")
    write(run / "config/corpus.json", {**corpus, "repeat": 77})
    done = publish("write", "--run", run, "--output", output)
    assert done.exit_code == 2 and "plain.yaml: is not what run was trained on" in done.stderr
    write(run / "config/corpus.json", corpus)
    monkeypatch.setattr(adapter_folder, "MOST_BYTES", 1000)
    done = publish("write", "--run", run, "--output", output)
    assert done.exit_code == 2 and "bytes, 1000 may be published; train a lower" in done.stderr
    (run / "evaluate/best.json").unlink()
    done = publish("write", "--run", run, "--output", output)
    assert done.exit_code == 2 and "best.json: no such file" in done.stderr
    assert not output.exists()
