"""Real trainings of two layers: killed and resumed, one worker against two, LoRA+ included."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.merging import merge_one, read_config
from tools.llama.peft import export_adapter
from tools.llama.shape import LlamaShape
from tools.settings.native import read_finetune
from tools.training import graphs

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
LENGTH, ROWS, EPOCHS = 24, 32, 3
# MindDataset is read with its rows shuffled anew each epoch.
_ROWS = """
import numpy as np
from mindspore.mindrecord import FileWriter
rng = np.random.default_rng(3)
ids = rng.integers(4, 60, (32, 25)).astype(np.int32)
labels = np.where(np.arange(25) < 8, -100, ids).astype(np.int32)
writer = FileWriter("train.mindrecord", shard_num=1)
field = {"type": "int32", "shape": [25]}
writer.add_schema({"input_ids": field, "labels": field}, "rows")
writer.write_raw_data([{"input_ids": i, "labels": t} for i, t in zip(ids, labels)])
writer.commit()
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A base of two layers and records of random rows."""
    folder = tmp_path_factory.mktemp("inputs")
    config = read_finetune(ROOT / "configs" / "tiny" / "finetune.yaml")["model"]["model_config"]
    config.update(hidden_size=16, intermediate_size=24, num_heads=2, n_kv_heads=1, vocab_size=64)
    shape = LlamaShape.from_model_config(config, "test")
    rng = np.random.default_rng(1)
    tensors = [
        (name, rng.normal(0, 0.3, dims).astype(np.float32), "Float32")
        for name, dims in shape.parameters().items()
    ]
    write_checkpoint(folder / "base.ckpt", tensors)
    settings = {"model_config": config, "pet_config": config["pet_config"], "tied": False}
    (folder / "model.json").write_text(json.dumps({**settings, "denominator": None}))
    subprocess.run([sys.executable, "-c", _ROWS], cwd=folder, check=True, capture_output=True)
    summary = {"rows": ROWS, "seq_length": LENGTH}
    (folder / "train.mindrecord.json").write_text(json.dumps(summary))
    return folder


def command(inputs, folder, workers, batch, epochs=EPOCHS, name="finetune"):
    """The command line of a training with LoRA+ of `batch` rows a worker."""
    native = read_finetune(ROOT / "configs" / "tiny" / "finetune.yaml")
    model = json.loads((inputs / "model.json").read_text())["model_config"]
    native["model"]["model_config"].update(model, seq_length=LENGTH, batch_size=batch)
    native["runner_config"].update(epochs=epochs, batch_size=batch)
    native["train_dataset"]["batch_size"] = batch
    native["optimizer"].update(type="LoraPlusAdamW", lora_plus_ratio=16.0, weight_decay=0.01)
    native.update(seed=5, use_parallel=workers > 1)
    native["parallel_config"]["data_parallel"] = workers
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(native))
    files = {
        "--config": folder / f"{name}.yaml",
        "--model": inputs / "model.json",
        "--base": inputs / "base.ckpt",
        "--records": inputs / "train.mindrecord",
        "--output": folder / name,
    }
    words = [str(word) for pair in files.items() for word in pair]
    return [sys.executable, "-m", "tools.finetune", *words]


def train(words):
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def losses(output):
    with (output / "loss.csv").open() as handle:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(handle)]


def wait_for_steps(path, steps, process):
    deadline = time.monotonic() + 300
    while not path.is_file() or path.read_text().count("\n") <= steps:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """An undisturbed training of one worker, 24 steps of 4 rows."""
    folder = tmp_path_factory.mktemp("whole")
    train(command(inputs, folder, workers=1, batch=4))
    return folder / "finetune"


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_resumed_it_is_as_if_nothing_had_been(inputs, whole, tmp_path, workers):
    words = command(inputs, tmp_path, workers, 4 // workers)
    work = tmp_path / "finetune.work"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, text=True) as process:
        # In the second epoch.
        wait_for_steps(work / "loss.csv", 13, process)
        process.send_signal(signal.SIGKILL)
    marks = [int(mark.read_text()) for mark in (work / "running").iterdir()]
    assert len(marks) == workers
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in marks):
        assert time.monotonic() < deadline, "a worker outlived the launcher"
        time.sleep(0.1)
    # The newest state is damaged too: the one before it must do.
    newest = max((work / "states").glob("[0-9]*.ckpt"), key=lambda path: int(path.stem))
    os.truncate(newest, newest.stat().st_size // 2)
    told = train(words)
    assert f"{newest.name} is damaged" in told
    result = json.loads((tmp_path / "finetune" / "run.json").read_text())
    assert 0 < result["resumed_at"] < int(newest.stem)
    found, expected = losses(tmp_path / "finetune"), losses(whole)
    assert [row["step"] for row in found] == list(range(1, 25))
    for one, other in zip(found, expected):
        assert one["learning_rate"] == other["learning_rate"]
        assert one["out_learning_rate"] == pytest.approx(16 * one["learning_rate"], rel=1e-6)
        if workers == 1:
            assert abs(one["loss"] - other["loss"]) < 1e-5
    for number in range(1, 6):
        name = f"adapters/{number}.ckpt"
        one, other = Checkpoint(tmp_path / "finetune" / name), Checkpoint(whole / name)
        assert one.names() == other.names()
        tolerance = 1e-6 if workers == 1 else 2e-3
        assert all(np.allclose(one.read(n), other.read(n), atol=tolerance) for n in one.names())


def test_a_stage_begins_with_an_adapter_and_survives_a_kill(inputs, whole, tmp_path):
    """The adapter is PEFT's, in bfloat16, and gone when the training goes on."""
    peft, kept = tmp_path / "peft", tmp_path / "kept"
    shape, lora = read_config(whole / "finetune-as-run.yaml")
    export_adapter(whole / "adapters" / "5.ckpt", shape, lora, peft, type_name="BFloat16")
    words = [*command(inputs, tmp_path, workers=1, batch=4), "--init", str(peft)]
    work = tmp_path / "finetune.work"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL, text=True) as process:
        wait_for_steps(work / "loss.csv", 13, process)
        process.send_signal(signal.SIGKILL)
    peft.rename(kept)
    train(words)
    undisturbed = command(inputs, tmp_path, workers=1, batch=4, name="undisturbed")
    train([*undisturbed, "--init", str(kept)])
    found, expected = losses(tmp_path / "finetune"), losses(tmp_path / "undisturbed")
    assert [row["step"] for row in found] == list(range(1, 25))
    assert np.allclose([r["loss"] for r in found], [r["loss"] for r in expected], atol=1e-5)
    told = json.loads((tmp_path / "finetune" / "run.json").read_text())
    assert told["resumed_at"] > 0 and (told["init"]["path"], told["init"]["init"]) == ("peft", None)
    # A fresh optimiser, and what the base with the adapter merged into it would begin with.
    assert found[0]["learning_rate"] == losses(whole)[0]["learning_rate"]
    merged = shutil.copytree(inputs, tmp_path / "merged")
    merge_one(
        inputs / "base.ckpt", tmp_path / "finetune/init.ckpt", merged / "base.ckpt", shape, lora
    )
    train(command(merged, tmp_path, workers=1, batch=4, name="fresh"))
    fresh = losses(tmp_path / "fresh")
    assert abs(found[0]["loss"] - fresh[0]["loss"]) < 1e-5
    assert found[0]["loss"] < losses(whole)[0]["loss"] - 1e-3


def test_two_workers_are_one_with_the_same_batch(inputs, tmp_path):
    """Twenty steps of all the rows, so that it does not matter who has which of them."""
    found = {}
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        train(command(inputs, folder, workers, ROWS // workers, epochs=20))
        rows = losses(folder / "finetune")
        adapter = Checkpoint(folder / "finetune" / "adapters" / "5.ckpt")
        found[workers] = ([row["loss"] for row in rows], adapter)
    assert len(found[1][0]) == len(found[2][0]) == 20
    assert np.abs(np.subtract(found[1][0], found[2][0])).max() < 1e-4
    assert found[1][0][-1] < found[1][0][0] - 1e-3
    for name in found[1][1].names():
        assert np.allclose(found[1][1].read(name), found[2][1].read(name), atol=1e-4)


def test_rows_that_workers_cannot_share_evenly(inputs, tmp_path):
    """31 rows: 16 for each of two workers, one of them twice, in four steps and not three."""
    odd = shutil.copytree(inputs, tmp_path / "odd")
    for path in odd.glob("train.mindrecord*"):
        path.unlink()
    rows = _ROWS.replace("(32, 25)", "(31, 25)")
    subprocess.run([sys.executable, "-c", rows], cwd=odd, check=True, capture_output=True)
    summary = {"rows": 31, "seq_length": LENGTH}
    (odd / "train.mindrecord.json").write_text(json.dumps(summary))
    train(command(odd, tmp_path, workers=2, batch=4))
    assert len(losses(tmp_path / "finetune")) == 4 * EPOCHS


def test_a_graph_is_read_back_and_a_damaged_one_is_compiled_anew(inputs, whole, tmp_path):
    native = read_finetune(whole / "finetune-as-run.yaml")
    name = graphs.name_of(native, 24, 1)
    files = [path for path in (graphs.FOLDER / name).rglob("*.mindir") if path.is_file()]
    assert files
    words = command(inputs, tmp_path, workers=1, batch=4)
    for damaged in (False, True):
        if damaged:
            for path in files:
                os.truncate(path, path.stat().st_size // 2)
        train(words)
        log = (tmp_path / "finetune" / "logs" / "worker_0.log").read_text(errors="replace")
        assert ("Use the compilation cache" in log) is not damaged
        for one, other in zip(losses(tmp_path / "finetune"), losses(whole)):
            assert abs(one["loss"] - other["loss"]) < 1e-5


def is_alive(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def test_a_killed_worker_ends_the_run_and_is_named(inputs, tmp_path):
    words = command(inputs, tmp_path, 2, 2)
    work = tmp_path / "finetune.work"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_for_steps(work / "loss.csv", 2, process)
        os.kill(int((work / "running" / "1").read_text()), signal.SIGKILL)
        began = time.monotonic()
        told = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < 30
    assert process.returncode == 1
    assert "worker" in told.splitlines()[-1] and str(work / "logs") in told
    assert not (tmp_path / "finetune").exists()


def test_a_loss_that_is_no_number_ends_it_and_keeps_what_was_saved(inputs, tmp_path):
    words = command(inputs, tmp_path, 1, 4)
    path = tmp_path / "finetune.yaml"
    native = yaml.safe_load(path.read_text())
    native["lr_schedule"].update(learning_rate=1.0e30)
    path.write_text(yaml.safe_dump(native))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "FloatingPointError: the loss" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "finetune.work" / "states").glob("*.ckpt"))


def test_events_for_tensorboard(whole):
    (events,) = (whole / "tensorboard" / "rank_0").iterdir()
    content = events.read_bytes()
    assert b"loss" in content and b"learning-rate" in content
