"""The launch around the training: what is checked before it and kept after it.

Nothing here starts MindSpore: the workers are a function, or a shell script in msrun's place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools.files.errors import CheckFailed, UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape
from tools.settings.native import PACKED_ARCH, read_finetune
from tools.settings.stacks import CONTEST, PYPI
from tools.training import launch
from tools.training.launch import finetune
from tools.training.losses import HEADER

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


def train(run, checkpoints=5, go_on=True, bfloat16=False):
    return finetune(
        run / "finetune.yaml",
        run / "model.json",
        run / "base.ckpt",
        run / "train.mindrecord",
        run / "finetune",
        checkpoints,
        go_on=go_on,
        bfloat16=bfloat16,
    )


def alter(path, change):
    # Each by its own reader: YAML takes JSON's 1e-05 for text.
    as_json = path.suffix == ".json"
    read, write = (json.loads, json.dumps) if as_json else (yaml.safe_load, yaml.safe_dump)
    tree = read(path.read_text("utf-8"))
    change(tree)
    path.write_text(write(tree))


def save(path, value, shape=SHAPE, lora=LORA):
    """An adapter, its number in every element."""
    tensors = [
        (name, np.full(dims, value), "Float32")
        for name, dims in adapter_parameters(shape, lora).items()
    ]
    write_checkpoint(path, tensors)


@pytest.fixture
def workers(monkeypatch):
    """In place of msrun: saves what the job says, from the step on at which it begins."""

    def fake(job, work, count, hosts, steps, precision):
        saver, first = job["saver"], job["recorder"]["first"]
        assert first == saver["first"]
        with Path(job["recorder"]["path"]).open("a") as losses:
            if not first:
                losses.write(HEADER)
            for step in range(first + 1, steps + 1):
                losses.write(f"{step},1,0,0,1\n")
                if step in saver["steps"]:
                    save(Path(saver["adapters"]) / f"{saver['steps'].index(step) + 1}.ckpt", step)
        (work / "logs" / "worker_0.log").write_text("all of it\n")
        calls.append((job["checkpoint"], count, first, steps))
        return 1.25

    calls = []
    monkeypatch.setattr(launch, "run_workers", fake)
    return calls


def test_a_whole_training(run, workers, capsys):
    result = train(run)
    assert workers == [(str(run / "base.ckpt"), 2, 0, 10)]
    total = SHAPE.count() - 8 * 8  # tied
    trained = 2 * (2 * 8 + 8 * 2) - 2 * 4  # wq is 8 x 8, wv 4 x 8
    assert result["parameters"] == {
        **{"trained": trained, "total": total, "denominator": total},
        "by_module": {"attention.wq": 2 * (8 + 8), "attention.wv": 2 * (8 + 4)},
    }
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
        "loss.png",
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
    assert "finetune: compiling the graph, a minute or two" in shown


def test_a_kept_graph_is_not_said_to_be_compiled(run, workers, monkeypatch, capsys):
    monkeypatch.setattr(launch.graphs, "place", lambda *_: run)
    monkeypatch.setattr(launch.graphs, "keep", lambda *_: None)
    train(run)
    shown = capsys.readouterr().err
    assert "finetune: reading the graph" in shown and "compiling" not in shown


@pytest.mark.parametrize("checkpoints", [1, 2, 3, 5, 10, 20])
@pytest.mark.parametrize("batches", [1, 3, 9, 10, 13, 20])
def test_as_many_checkpoints_as_asked_for(run, workers, batches, checkpoints):
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
    """Three epochs of five steps."""
    alter(run / "finetune.yaml", lambda tree: tree["runner_config"].update(epochs=3))
    assert train(run, 4)["checkpoints"] == [3, 6, 9, 15]


def test_an_earlier_training_is_replaced_whole(run, workers):
    train(run)
    (run / "finetune" / "stale").write_text("x")
    assert train(run, 2)["checkpoints"] == [5, 10]
    assert not (run / "finetune" / "stale").exists()
    assert len(list((run / "finetune" / "adapters").glob("*.ckpt"))) == 2


def test_a_failed_training_leaves_the_earlier_one(run, workers, monkeypatch):
    train(run)
    before = (run / "finetune" / "run.json").read_bytes()

    def fail(*_):
        raise CheckFailed("worker_1 failed")

    monkeypatch.setattr(launch, "run_workers", fail)
    with pytest.raises(CheckFailed):
        train(run)
    assert (run / "finetune" / "run.json").read_bytes() == before
    assert (run / "finetune.work" / "logs").is_dir()


def cut_short(run, monkeypatch, at, states):
    """A training killed after step `at`, states of some steps saved."""

    def killed(job, work, *_):
        first = job["recorder"]["first"]
        lines = [f"{step},1,0,0,1\n" for step in range(first + 1, at + 1)]
        with (work / "loss.csv").open("a") as losses:
            losses.write("".join([HEADER] * (not first) + lines))
        for step in states:
            save_state(work / "states" / f"{step}.ckpt", step)
        for number, step in enumerate(job["saver"]["steps"], 1):
            if step <= at:
                save(work / "adapters" / f"{number}.ckpt", step)
        (work / "logs" / "worker_0.log").write_text("cut\n")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(launch, "run_workers", killed)
        with pytest.raises(KeyboardInterrupt):
            train(run)


def save_state(path, step):
    write_checkpoint(
        path, [("a", np.full(3, step), "Float32"), ("step_num", np.int32(step), "Int32")]
    )


def test_a_training_goes_on_from_its_newest_state(run, workers, monkeypatch, capsys):
    cut_short(run, monkeypatch, at=7, states=[5, 6])
    result = train(run)
    folder = run / "finetune.work" / "resume"
    assert workers == [(str(folder), 2, 6, 10)]
    assert result["resumed_at"] == 6
    output = run / "finetune"
    steps = [line.split(",")[0] for line in (output / "loss.csv").read_text().splitlines()]
    assert steps == ["step", *map(str, range(1, 11))]
    assert (output / "logs" / "worker_0.until_7.log").read_text() == "cut\n"
    assert (output / "logs" / "worker_0.log").read_text() == "all of it\n"
    assert len(list((output / "adapters").glob("*.ckpt"))) == 5
    assert "10 steps from step 6 on" in capsys.readouterr().err
    assert not (run / "finetune.work").exists()


def test_each_rank_finds_weights_and_state_together(run, workers, monkeypatch):
    cut_short(run, monkeypatch, at=7, states=[6])
    seen = {}

    def look(job, work, *_):
        for rank in (0, 1):
            found = Checkpoint(Path(job["checkpoint"]) / f"rank_{rank}" / "resume.ckpt")
            seen[rank] = set(found.names())
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "run_workers", look)
    with pytest.raises(KeyboardInterrupt):
        train(run)
    assert seen[0] == seen[1] == {*SHAPE.parameters(), "a", "step_num"}


def test_a_damaged_state_is_named_and_the_one_before_is_taken(run, workers, monkeypatch, capsys):
    cut_short(run, monkeypatch, at=9, states=[7, 8])
    path = run / "finetune.work" / "states" / "8.ckpt"
    os.truncate(path, path.stat().st_size - 3)
    assert train(run)["resumed_at"] == 7
    assert "8.ckpt is damaged" in capsys.readouterr().err


CHANGES = {
    "config": "config.optimizer.weight_decay was 0.0, is 0.1",
    "records": "another records file",
    "base": "another base file",
    "checkpoints": "checkpoints was 5, is 4",
    "precision": "matmul_precision was float32, is bfloat16",
}


@pytest.mark.parametrize("what", CHANGES)
def test_steps_of_other_inputs_are_kept_until_they_are_given_up(
    run, workers, monkeypatch, capsys, what
):
    cut_short(run, monkeypatch, at=7, states=[6])
    changed = {"checkpoints": 4} if what == "checkpoints" else {}
    if what == "config":
        alter(run / "finetune.yaml", lambda tree: tree["optimizer"].update(weight_decay=0.1))
    elif what in ("records", "base"):
        os.utime(run / {"records": "train.mindrecord", "base": "base.ckpt"}[what], (5, 5))
    elif what == "precision":
        monkeypatch.setattr(launch, "matmul_precision", lambda wanted: "bfloat16")
    with pytest.raises(UserError) as caught:
        train(run, **changed)
    told = f"holds 7 steps of a training with other inputs: {CHANGES[what]}; go back"
    assert caught.value.exit_code == 2 and told in str(caught.value) and not workers
    assert (run / "finetune.work" / "states" / "6.ckpt").is_file()
    capsys.readouterr()
    result = train(run, **changed, go_on=False)
    assert result["resumed_at"] is None and workers[0][2] == 0
    assert "7 steps of an unfinished training are thrown away" in capsys.readouterr().err


def test_the_same_inputs_begin_anew_where_that_is_asked(run, workers, monkeypatch, capsys):
    cut_short(run, monkeypatch, at=7, states=[6])
    assert train(run, go_on=False)["resumed_at"] is None and workers[0][2] == 0
    assert "7 steps of an unfinished training are thrown away" in capsys.readouterr().err


def test_a_folder_without_a_step_is_nothing_to_keep(run, workers, monkeypatch, capsys):
    cut_short(run, monkeypatch, at=0, states=[])
    assert train(run, checkpoints=4)["steps"] == 10
    assert "thrown away" not in capsys.readouterr().err


@pytest.mark.parametrize("found", ["bfloat16", "float32"])
def test_the_precision_is_the_profiles_where_the_processor_has_it(run, workers, monkeypatch, found):
    asked, given = [], []
    monkeypatch.setattr(launch, "matmul_precision", lambda wanted: asked.append(wanted) or found)
    whole = launch.run_workers
    monkeypatch.setattr(launch, "run_workers", lambda *a: given.append(a[-1]) or whole(*a))
    assert train(run, bfloat16=True)["matmul_precision"] == found
    assert asked == [True] and given == [found]


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
        "too few rows": (lambda run: summary(run, rows=22), "4 steps, fewer than the 5"),
        "cut base": (lambda run: os.truncate(run / "base.ckpt", 100), "not a whole"),
        "other base": (
            model(lambda tree: tree["model_config"].update(vocab_size=9)),
            r"embedding_weight is \(8, 8\), finetune.yaml makes it \(9, 8\)",
        ),
        "no model.json keys": (lambda run: (run / "model.json").write_text("{}"), "lacks model_c"),
        "no LoRA": (model(lambda tree: tree.update(pet_config=None)), "not a LoRA config"),
        "no module": (
            model(lambda tree: tree["pet_config"].update(target_modules="q_proj")),
            "matches no module",
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


@pytest.mark.parametrize("release", [CONTEST, PYPI])
def test_workers_are_told_in_the_words_of_their_release(run, workers, monkeypatch, release):
    """Nobody saves whole models: that callback is left out; ObsMonitor is the contest's alone."""

    def more(tree):
        names = ("ObsMonitor", "CheckpointMointor", "CheckpointMonitor")
        tree["callbacks"] += [{"type": name} for name in names]

    alter(run / "finetune.yaml", more)
    monkeypatch.setattr(launch, "release_on_path", lambda: release)
    train(run)
    text = (run / "finetune" / "finetune-as-run.yaml").read_text("utf-8")
    told = [callback["type"] for callback in yaml.safe_load(text)["callbacks"]]
    assert told == ["MFLossMonitor", *(["ObsMonitor"] if release == CONTEST else [])]


def test_the_config_as_run(run, monkeypatch):
    native = read_finetune(run / "finetune.yaml")
    native["callbacks"] += [{"type": "CheckpointMonitor"}, {"type": "CheckpointMointor"}]
    before = json.dumps(native)
    monkeypatch.chdir(run)  # the workers run elsewhere: paths must be whole
    path = launch._native_config(native, run, Path("train.mindrecord"))
    assert json.dumps(native) == before
    made = yaml.safe_load(path.read_text("utf-8"))
    records = str(run / "train.mindrecord")
    assert made["train_dataset"]["data_loader"]["dataset_dir"] == records
    assert made["train_dataset_task"]["dataset_config"] == made["train_dataset"]
    assert [callback["type"] for callback in made["callbacks"]] == ["MFLossMonitor"]
    assert "&id" not in path.read_text()  # MindFormers reads it; people do too


@pytest.mark.parametrize("missing", [True, False])
def test_an_adapter_that_is_not_there_or_of_another_config(run, workers, monkeypatch, missing):
    whole = launch.run_workers

    def spoil(job, work, *others):
        seconds = whole(job, work, *others)
        path = work / "adapters" / "3.ckpt"
        path.unlink() if missing else save(path, 1, lora=LoraConfig(4, 8.0, LORA.targets))
        return seconds

    monkeypatch.setattr(launch, "run_workers", spoil)
    fault = "checkpoint 3 was not saved" if missing else "the config makes it"
    with pytest.raises((CheckFailed, UserError), match=fault):
        train(run)
    assert not (run / "finetune").exists()
