"""The launch around the training: what is checked before it and kept after it.

Nothing here starts MindSpore: the workers are a function, or a shell script in msrun's place.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools.files.errors import CheckFailed, UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape
from tools.settings.resolve import PACKED_ARCH, read_finetune
from tools.training import launch
from tools.training.launch import count_parameters, finetune

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHAPE = LlamaShape(1, 8, 8, 2, 1, 8, 10000.0, 1e-5, 1, 2, 2)
LORA = LoraConfig(2, 4.0, ".*wq|.*wv")


@pytest.fixture
def run(tmp_path):
    """A run's folder up to the training: 40 rows, batches of 4 for each of 2 workers, 2 epochs."""
    config = yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))
    config["model"]["model_config"].update(SHAPE.to_dict(), seq_length=16)
    config["runner_config"]["epochs"] = 2
    config["parallel_config"]["data_parallel"] = 2
    (tmp_path / "finetune.yaml").write_text(yaml.safe_dump(config))
    pet = {"lora_rank": 2, "lora_alpha": 4, "target_modules": LORA.targets}
    model = {"model_config": SHAPE.to_dict(), "pet_config": pet, "tied": True, "denominator": None}
    (tmp_path / "model.json").write_text(json.dumps(model))
    tensors = [(name, np.ones(dims), "Float32") for name, dims in SHAPE.parameters().items()]
    write_checkpoint(tmp_path / "base.ckpt", tensors)
    (tmp_path / "train.mindrecord").write_bytes(b"rows")
    summary(tmp_path, rows=40)
    return tmp_path


def summary(run, **changed):
    path = run / "train.mindrecord.json"
    path.write_text(json.dumps({"seq_length": 16, "rows": 40, **changed}))


def train(run, checkpoints=5):
    return finetune(
        run / "finetune.yaml",
        run / "model.json",
        run / "base.ckpt",
        run / "train.mindrecord",
        run / "finetune",
        checkpoints,
    )


def alter(path, change):
    # Each by its own reader: YAML takes JSON's 1e-05 for text.
    as_json = path.suffix == ".json"
    read, write = (json.loads, json.dumps) if as_json else (yaml.safe_load, yaml.safe_dump)
    tree = read(path.read_text("utf-8"))
    change(tree)
    path.write_text(write(tree))


def save(folder, epoch, step, value, shape=SHAPE, lora=LORA):
    """An adapter as MindFormers saves it, its number in every element."""
    tensors = [
        (name, np.full(dims, value), "Float32")
        for name, dims in adapter_parameters(shape, lora).items()
    ]
    tensors.append(("global_step", np.int32(value), "Int32"))
    path = folder / f"lora-trainable_params-{epoch}_{step}.ckpt"
    write_checkpoint(path, tensors)
    return path


@pytest.fixture
def workers(monkeypatch):
    """In place of msrun: saves where the config says, keeps as many as it says, as MindFormers."""

    def fake(config, base, work, count, steps):
        native = yaml.safe_load(config.read_text("utf-8"))
        monitor = next(c for c in native["callbacks"] if c["type"] == "CheckpointMonitor")
        folder = Path(monitor["directory"]) / "checkpoint_trainable" / "rank_0"
        per_epoch, kept = steps // native["runner_config"]["epochs"], []
        for step in range(1, steps + 1):
            if step % monitor["save_checkpoint_steps"] == 0 or step == steps:
                epoch, within = divmod(step - 1, per_epoch)
                kept.append(save(folder, epoch + 1, within + 1, step))
            if len(kept) > monitor["keep_checkpoint_max"]:
                kept.pop(0).unlink()
        (work / "loss.csv").write_text("step,loss\n" + "1,1\n" * steps)
        (work / "output").mkdir()
        (work / "logs" / "worker_0.log").write_text("all of it\n")
        calls.append((base, count, steps))
        return 1.25

    calls = []
    monkeypatch.setattr(launch, "_run_workers", fake)
    return calls


def test_a_whole_training(run, workers, capsys):
    result = train(run)
    assert workers == [(run / "base.ckpt", 2, 10)]
    total = SHAPE.count() - 8 * 8  # tied
    trained = 2 * (2 * 8 + 8 * 2) - 2 * 4  # wq is 8 x 8, wv 4 x 8
    assert result["parameters"] == {"trained": trained, "total": total, "denominator": total}
    assert (result["steps"], result["checkpoints"]) == (10, [2, 4, 6, 8, 10])
    assert result["training_seconds"] == 1.2 and result["workers"] == 2
    output = run / "finetune"
    assert json.loads((output / "run.json").read_text()) == result
    assert json.loads((output / "parameters.json").read_text()) == result["parameters"]
    found = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert found == {
        *(f"adapters/{index}.ckpt" for index in range(1, 6)),
        "adapters/steps.json",
        "finetune-as-run.yaml",
        "logs/worker_0.log",
        "loss.csv",
        "parameters.json",
        "run.json",
    }
    steps = json.loads((output / "adapters" / "steps.json").read_text())["steps"]
    assert steps == [2, 4, 6, 8, 10]
    for index, step in enumerate(steps, 1):
        adapter = Checkpoint(output / "adapters" / f"{index}.ckpt")
        assert all((adapter.read(name) == step).all() for name in adapter.names())
    shown = capsys.readouterr().err
    assert f"{trained} of {total:,} parameters" in shown and "10 steps, 2 workers" in shown


@pytest.mark.parametrize("checkpoints", [1, 2, 3, 5, 10, 20])
@pytest.mark.parametrize("batches", [1, 3, 9, 10, 13, 20])
def test_as_many_checkpoints_as_asked_for(run, workers, batches, checkpoints):
    """9 steps in fives: one is saved at each, more than the config keeps, and the first counts."""
    summary(run, rows=8 * batches)
    alter(run / "finetune.yaml", lambda tree: tree["runner_config"].update(epochs=1))
    if batches < checkpoints:
        with pytest.raises(UserError, match="fewer than the"):
            train(run, checkpoints)
        assert workers == []
        return
    kept = train(run, checkpoints)["checkpoints"]
    assert len(kept) == checkpoints and kept[-1] == batches
    gaps = np.diff([0, *kept[:-1]])
    assert len({*gaps}) <= 1 and kept == sorted(set(kept))
    assert len(list((run / "finetune" / "adapters").glob("*.ckpt"))) == checkpoints


def test_steps_run_over_the_epochs(run, workers):
    """Three epochs of five steps: files are numbered within an epoch, steps over all."""
    alter(run / "finetune.yaml", lambda tree: tree["runner_config"].update(epochs=3))
    assert train(run, 4)["checkpoints"] == [3, 6, 9, 15]
    second = Checkpoint(run / "finetune" / "adapters" / "2.ckpt")
    assert second.read("global_step") == 6


def test_an_earlier_training_is_replaced_whole(run, workers):
    train(run)
    (run / "finetune" / "stale").write_text("x")
    assert train(run, 2)["checkpoints"] == [5, 10]
    assert not (run / "finetune" / "stale").exists()
    assert len(list((run / "finetune" / "adapters").glob("*.ckpt"))) == 2


def test_a_failed_training_leaves_no_output(run, monkeypatch):
    def fail(*_):
        raise CheckFailed("worker_1 failed")

    monkeypatch.setattr(launch, "_run_workers", fail)
    before = {path.name for path in run.iterdir()}
    with pytest.raises(CheckFailed):
        train(run)
    assert {path.name for path in run.iterdir()} == before


def packed_model(run):
    alter(run / "finetune.yaml", lambda tree: tree["model"]["arch"].update(type=PACKED_ARCH))


def test_packed_rows_and_their_model_are_trained(run, workers):
    packed_model(run)
    summary(run, pack=True)
    assert train(run)["steps"] == 10


def breakages():
    def config(change):
        return lambda run: alter(run / "finetune.yaml", change)

    def model(change):
        return lambda run: alter(run / "model.json", change)

    return {
        "no records": (lambda run: (run / "train.mindrecord").unlink(), "no such MindRecord"),
        "no summary": (lambda run: (run / "train.mindrecord.json").unlink(), "no such MindRecord"),
        "summary is no JSON": (
            lambda run: (run / "train.mindrecord.json").write_text("{"),
            "not JSON",
        ),
        "summary without rows": (
            lambda run: (run / "train.mindrecord.json").write_text('{"seq_length": 16}'),
            "lacks rows",
        ),
        "other length": (lambda run: summary(run, seq_length=17), "records were made with 17"),
        "packed rows for the plain model": (
            lambda run: summary(run, pack=True),
            "are packed, and LlamaForCausalLM would let their examples see each other",
        ),
        "the model of packed rows for others": (packed_model, "but the records are not packed"),
        "the same, and the summary says so": (
            lambda run: (packed_model(run), summary(run, pack=False)),
            "but the records are not packed",
        ),
        "too few rows": (lambda run: summary(run, rows=23), "4 steps, fewer than the 5"),
        "cut base": (lambda run: os.truncate(run / "base.ckpt", 100), "not a whole"),
        "other base": (
            model(lambda tree: tree["model_config"].update(vocab_size=9)),
            r"embedding_weight is not of shape \(9, 8\)",
        ),
        "no model.json keys": (lambda run: (run / "model.json").write_text("{}"), "lacks model_c"),
        "no LoRA": (model(lambda tree: tree.update(pet_config=None)), "not a LoRA config"),
        "no module": (
            model(lambda tree: tree["pet_config"].update(target_modules="q_proj")),
            "matches no module",
        ),
        "no saving": (
            config(lambda tree: tree["callbacks"].pop(1)),
            "no callback saves checkpoints",
        ),
        "no callbacks": (config(lambda tree: tree.pop("callbacks")), "lacks callbacks"),
        "batch of 0": (
            config(lambda tree: tree["train_dataset"].update(batch_size=0)),
            "batch_size is 0",
        ),
        "config is no YAML": (lambda run: (run / "finetune.yaml").write_text("a: b: c"), "YAML"),
    }


@pytest.mark.parametrize("name", breakages())
def test_what_does_not_fit_is_told_before_anything_starts(run, workers, name):
    damage, fault = breakages()[name]
    damage(run)
    before = {path.name for path in run.iterdir()}
    with pytest.raises(UserError, match=fault) as caught:
        train(run)
    assert caught.value.exit_code == 2 and workers == []
    assert {path.name for path in run.iterdir()} == before


@pytest.mark.parametrize("tied, denominator", [(False, None), (True, None), (True, 8030000000)])
def test_count_parameters(tied, denominator):
    found = count_parameters(SHAPE, LORA, tied, denominator)
    total = SHAPE.count() - (64 if tied else 0)
    assert found == {"trained": 56, "total": total, "denominator": denominator or total}


def test_the_config_as_run(run, monkeypatch):
    native = read_finetune(run / "finetune.yaml")
    before = json.dumps(native)
    monkeypatch.chdir(run)  # the workers run elsewhere: paths must be whole
    path = launch._native_config(native, run, Path("train.mindrecord"), 7, 9)
    assert json.dumps(native) == before
    made = yaml.safe_load(path.read_text("utf-8"))
    records = str(run / "train.mindrecord")
    assert made["train_dataset"]["data_loader"]["dataset_dir"] == records
    assert made["train_dataset_task"]["dataset_config"] == made["train_dataset"]
    monitor = made["callbacks"][1]
    assert (monitor["save_checkpoint_steps"], monitor["keep_checkpoint_max"]) == (7, 9)
    assert "&id" not in path.read_text()  # MindFormers reads it; people do too
    path = launch._native_config(native, run, Path("train.mindrecord"), 7, 2)
    monitor = yaml.safe_load(path.read_text("utf-8"))["callbacks"][1]
    assert monitor["keep_checkpoint_max"] == 8  # what the config keeps already


def keep(work, saved, steps, interval, checkpoints, **other):
    shutil.rmtree(work / "adapters", ignore_errors=True)
    folder = work / "mindformers" / "checkpoint_trainable" / "rank_0"
    folder.mkdir(parents=True, exist_ok=True)
    for epoch, step in saved:
        save(folder, epoch, step, step, **other)
    return launch._keep_adapters(work, steps, interval, checkpoints, SHAPE, LORA)


def test_kept_adapters(tmp_path):
    assert keep(tmp_path, [(1, 2), (1, 4), (1, 5)], 5, 2, 2) == [2, 5]
    assert not (tmp_path / "mindformers").exists()


def test_a_step_that_was_not_saved(tmp_path):
    with pytest.raises(CheckFailed, match=r"step 4 was not saved \(found \[2, 5\]\)"):
        keep(tmp_path, [(1, 2), (1, 5)], 5, 2, 3)
    shutil.rmtree(tmp_path / "mindformers")
    with pytest.raises(CheckFailed, match=r"found \[\]"):
        keep(tmp_path, [], 5, 5, 1)


def test_an_adapter_of_another_config(tmp_path):
    with pytest.raises(UserError, match="the config makes it"):
        keep(tmp_path, [(1, 5)], 5, 5, 1, lora=LoraConfig(4, 8.0, LORA.targets))


def write_log(work, name, text, age):
    path = work / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text)
    os.utime(path, (1000 - age, 1000 - age))


def test_why_it_failed(tmp_path):
    (tmp_path / "logs").mkdir()
    assert launch._why_it_failed(tmp_path) == "the training ended before its last step"
    write_log(tmp_path, "worker_0.log", b"RuntimeError: connection lost\n", age=1)
    write_log(
        tmp_path,
        "worker_1.log",
        b"ERROR in passing\nErrorless words\nMatMulError: a first one\n\xff\xfe\nTraceback:\n"
        b"mindspore.common.FooError: \n--------\nFor 'MatMul', shapes\n  do not fit\n",
        age=5,
    )
    told = launch._why_it_failed(tmp_path)
    # Worker 1 was the first to stop writing; of its errors the last is what ended it.
    assert told == "worker_1 failed: mindspore.common.FooError: For 'MatMul', shapes do not fit"
    write_log(tmp_path, "worker_1.log", b"ValueError: " + b"x" * 999, age=5)
    assert len(launch._why_it_failed(tmp_path)) < 330


MSRUN = """#!/bin/bash
echo "$@" > {record}
csv="${{@: -1}}"
echo step,loss > "$csv"
{body}
"""


@pytest.fixture
def msrun(tmp_path, monkeypatch):
    """A shell script in msrun's place; call it with the script's last lines."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(launch, "_POLL_SECONDS", 0.01)
    (tmp_path / "bin").mkdir()
    work = tmp_path / "holder" / "work"
    (work / "logs").mkdir(parents=True)

    def call(body, steps=2, workers=1):
        script = tmp_path / "bin" / "msrun"
        script.write_text(MSRUN.format(record=tmp_path / "arguments", body=body))
        script.chmod(0o755)
        return launch._run_workers(tmp_path / "x.yaml", tmp_path / "b.ckpt", work, workers, steps)

    return call


def test_workers_are_started_by_msrun(msrun, tmp_path):
    body = 'echo 1,9 >> "$csv"; echo 2,8 >> "$csv"; env > "$(dirname "$csv")/environment"'
    assert msrun(body, workers=2) >= 0
    arguments = (tmp_path / "arguments").read_text().split()
    assert {"--worker_num=2", "--local_worker_num=2", "--join=True"} <= {*arguments}
    worker, config, base, csv = arguments[-4:]
    assert Path(worker).is_file() and worker.endswith("tools/training/worker.py")
    assert (config, base) == (str(tmp_path / "x.yaml"), str(tmp_path / "b.ckpt"))
    environment = (Path(csv).parent / "environment").read_text()
    assert f"PATH={tmp_path / 'bin'}:" in environment and "PYTHONPATH=" in environment


@pytest.mark.parametrize(
    "body, told",
    [
        ("echo 'ValueError: no' > logs/worker_0.log; exit 1", "worker_0 failed: ValueError: no"),
        ("exit 3", "the training ended before its last step"),
        # msrun ends with 0 though a worker was killed: the steps tell.
        ('echo 1,9 >> "$csv"', "the training ended before its last step"),
    ],
)
def test_a_failure_is_told_and_its_logs_are_kept(msrun, tmp_path, body, told):
    with pytest.raises(CheckFailed) as caught:
        msrun(body)
    kept = tmp_path / "finetune-failed-logs"
    assert str(caught.value) == f"{told}; the whole logs are in {kept}"
    assert caught.value.exit_code == 1 and (kept / "msrun.log").is_file()


def test_an_interrupt_ends_the_workers(msrun, tmp_path, monkeypatch):
    def interrupt(process, *_):
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().endswith("\n"):
            assert process.poll() is None
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "_watch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        msrun(f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait")
    state = Path("/proc") / (tmp_path / "pid").read_text().strip() / "stat"
    # Gone, or a zombie that its new parent has yet to bury.
    assert not state.exists() or state.read_text().split()[2] == "Z"
