"""The merge stage: a folder of adapters into whole model folders, and the script before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools.files.errors import UserError
from tools.llama import merging, tensors
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import adapter_parameters
from tools.llama.merging import merge_all, merge_one, read_config
from tools.llama.safetensors import SafetensorsFile
from tools.llama.tensors import TensorFile

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SIZES = {"num_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 2}
SIZES.update(n_kv_heads=1, vocab_size=8)


@pytest.fixture
def run(tmp_path):
    """A run's folder up to the merge: config, base with its tokenizer, eleven adapters."""
    config = yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))
    config["model"]["model_config"].update(SIZES)
    (tmp_path / "finetune.yaml").write_text(yaml.safe_dump(config))
    shape, lora = read_config(tmp_path / "finetune.yaml")
    (tmp_path / "base").mkdir()
    write_checkpoint(
        tmp_path / "base" / "model.ckpt",
        [(name, np.zeros(dims), "Float32") for name, dims in shape.parameters().items()],
    )
    (tmp_path / "base" / "model.json").write_text(json.dumps(shape.to_dict()))
    (tmp_path / "base" / "tokenizer.model").write_bytes(b"vocabulary")
    for index in range(1, 12):
        tensors = [
            (name, np.full(dims, index), "Float32")
            for name, dims in adapter_parameters(shape, lora).items()
        ]
        write_checkpoint(tmp_path / "adapters" / f"{index}.ckpt", tensors)
    (tmp_path / "adapters" / "steps.json").write_text("{}")
    return tmp_path


def merge(run):
    return merge_all(
        run / "base" / "model.ckpt", run / "adapters", run / "finetune.yaml", run / "merged"
    )


def test_whole_model_folders(run):
    assert merge(run) == 11
    found = {str(p.relative_to(run / "merged")) for p in (run / "merged").rglob("*") if p.is_file()}
    names = ("merge.json", "model.ckpt", "model.json", "tokenizer.model")
    assert found == {f"{index}/{name}" for index in range(1, 12) for name in names}
    for index in (1, 11):
        folder = run / "merged" / str(index)
        weight = Checkpoint(folder / "model.ckpt").read("model.layers.0.attention.wq.weight")
        assert (weight == 2 * 8 * index**2).all()  # scaling 16 / 8, rank 8
        assert (folder / "model.json").read_bytes() == (run / "base" / "model.json").read_bytes()


def test_again_replaces_all(run):
    merge(run)
    for index in range(3, 12):
        (run / "adapters" / f"{index}.ckpt").unlink()
    assert merge(run) == 2
    assert sorted(p.name for p in (run / "merged").iterdir()) == ["1", "2"]


def test_what_is_made_of_the_same_is_left_as_it_is(run):
    merge(run)
    folders = {path.name: path.stat() for path in (run / "merged").iterdir()}
    adapter = run / "adapters" / "2.ckpt"
    adapter.write_bytes((run / "adapters" / "3.ckpt").read_bytes())
    (run / "merged" / "4" / "merge.json").write_text("{")
    assert merge(run) == 11
    again = {path.name: path.stat() for path in (run / "merged").iterdir()}
    changed = [name for name in folders if folders[name].st_ino != again[name].st_ino]
    assert sorted(changed) == ["2", "4"]
    two, three = ((run / "merged" / name / "model.ckpt").read_bytes() for name in "23")
    assert two == three
    # Another base, another scaling: all of them.
    (run / "base" / "model.ckpt").touch()
    merge(run)
    third = {path.name: path.stat() for path in (run / "merged").iterdir()}
    assert all(third[name].st_ino != again[name].st_ino for name in again)


def test_what_is_changed_is_read_once_and_the_rest_is_copied(run, monkeypatch):
    read, copied = [], []
    into, copy = TensorFile._read_into, merging.copy_tensor

    def count(self, room, entry, start, stop):
        read.append((self.path.parent.name, entry.name, start))
        return into(self, room, entry, start, stop)

    def name(source, entry, writers, on_bytes):
        copied.append((entry.name, len(writers)))
        copy(source, entry, writers, on_bytes)

    monkeypatch.setattr(TensorFile, "_read_into", count)
    monkeypatch.setattr(merging, "copy_tensor", name)
    monkeypatch.setattr(tensors, "BLOCK", 64)  # two rows of a square matrix
    merge(run)
    shape, lora = read_config(run / "finetune.yaml")
    changed = {name[: name.index(".mind")] + ".weight" for name in adapter_parameters(shape, lora)}
    from_base = [item[1:] for item in read if item[0] == "base"]
    rows = {name: shape.parameters()[name][0] for name in changed}
    once = [(name, start) for name, many in rows.items() for start in range(0, many, 2)]
    assert sorted(from_base) == sorted(once)
    assert copied == [(name, 11) for name in shape.parameters() if name not in changed]
    merged = Checkpoint(run / "merged" / "3" / "model.ckpt")
    assert (merged.read("model.layers.0.attention.wq.weight") == 2 * 8 * 9).all()


def test_between_formats(run):
    base, config = run / "base" / "model.ckpt", run / "finetune.yaml"
    adapter = run / "adapters" / "2.ckpt"
    merge_one(base, adapter, run / "merged.ckpt", *read_config(config))
    merge_one(base, adapter, run / "merged.safetensors", *read_config(config))
    one, other = Checkpoint(run / "merged.ckpt"), SafetensorsFile(run / "merged.safetensors")
    assert one.names() == other.names()
    for name in one.names():
        assert np.array_equal(one.read(name), other.read(name))
    # A base of the other format gives the same.
    nothing = [
        (name, np.zeros(dims), "Float32")
        for name, dims in adapter_parameters(*read_config(config)).items()
    ]
    write_checkpoint(run / "zero.ckpt", nothing)
    merge_one(
        run / "merged.safetensors", run / "zero.ckpt", run / "again.ckpt", *read_config(config)
    )
    assert (run / "again.ckpt").read_bytes() == (run / "merged.ckpt").read_bytes()


def test_one_bad_adapter_leaves_nothing(run):
    path = run / "adapters" / "7.ckpt"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="not a whole MindSpore checkpoint"):
        merge(run)
    assert not [p.name for p in run.iterdir() if "merged" in p.name]


def test_no_adapters(run):
    for path in (run / "adapters").glob("*.ckpt"):
        path.unlink()
    with pytest.raises(UserError, match="holds no adapter checkpoint"):
        merge(run)


def test_too_little_disk(run, monkeypatch):
    def refuse(folder, needed):
        assert folder == run and needed == 11 * 4 * read_config(run / "finetune.yaml")[0].count()
        raise UserError("needs more")

    monkeypatch.setattr(merging, "require_space", refuse)
    with pytest.raises(UserError, match="needs more"):
        merge(run)
    assert not (run / "merged").exists()


def test_one(run):
    merge(run)
    base, config = run / "base" / "model.ckpt", run / "finetune.yaml"
    merge_one(base, run / "adapters" / "5.ckpt", run / "5.ckpt", *read_config(config))
    assert (run / "5.ckpt").read_bytes() == (run / "merged" / "5" / "model.ckpt").read_bytes()


def test_config_without_lora(run):
    config = yaml.safe_load((run / "finetune.yaml").read_text())
    del config["model"]["model_config"]["pet_config"]
    (run / "finetune.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match="pet_config is not a LoRA config"):
        merge(run)


def everything(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("damage", ["truncated", "other shape", "no checkpoint", "base"])
def test_what_was_there_is_untouched_by_a_failure(run, damage):
    merge(run)
    one = run / "5.ckpt"
    base, config = run / "base" / "model.ckpt", run / "finetune.yaml"
    adapter = run / "adapters" / "5.ckpt"
    merge_one(base, adapter, one, *read_config(config))
    before = {**everything(run / "merged"), "one": one.read_bytes()}
    path = base if damage == "base" else adapter
    if damage == "other shape":
        tensors = [(f"{m}.mindpet_delta_lora_a", np.ones((3, 8)), "Float32") for m in ("x", "y")]
        write_checkpoint(path, tensors)
    elif damage == "no checkpoint":
        path.write_text("text")
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError):
        merge(run)
    with pytest.raises(UserError):
        merge_one(base, adapter, one, *read_config(config))
    assert {**everything(run / "merged"), "one": one.read_bytes()} == before
    assert not list(run.rglob("*partial*"))


def test_killed_and_begun_again(run):
    """SIGKILL in the middle of writing: no output, and the next one sweeps up and makes it."""
    config = yaml.safe_load((run / "finetune.yaml").read_text())
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "vocab_size": 9000}
    config["model"]["model_config"].update(sizes)
    (run / "finetune.yaml").write_text(yaml.safe_dump(config))
    shape, lora = read_config(run / "finetune.yaml")
    base, adapter, output = run / "base" / "large.ckpt", run / "one.ckpt", run / "out" / "m.ckpt"
    zeros = ((name, np.zeros(dims), "Float32") for name, dims in shape.parameters().items())
    write_checkpoint(base, zeros)
    ones = ((n, np.ones(dims), "Float32") for n, dims in adapter_parameters(shape, lora).items())
    write_checkpoint(adapter, ones)
    command = [sys.executable, "-m", "tools.merge", "--base", base, "--adapter", adapter]
    command += ["--config", run / "finetune.yaml", "--output", output]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    while not any(p.stat().st_size > 1 << 20 for p in run.glob("out/.*/m.ckpt")):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not output.exists() and list((run / "out").iterdir())
    assert subprocess.run([str(word) for word in command], capture_output=True).returncode == 0
    assert list((run / "out").iterdir()) == [output]
    assert (Checkpoint(output).read("model.layers.0.attention.wq.weight") == 16).all()


_STRICTLY = """
import json, sys
import mindspore as ms
from mindformers.models.llama import LlamaConfig, LlamaForCausalLM
model = LlamaForCausalLM(LlamaConfig(**json.loads(sys.argv[2])))
parameters = ms.load_checkpoint(sys.argv[1])
missing, extra = ms.load_param_into_net(model, parameters, strict_load=True)
assert not missing and not extra, (missing, extra)
"""


@pytest.mark.slow
def test_mindspore_loads_it_strictly(run):
    merge(run)
    config = yaml.safe_load((run / "finetune.yaml").read_text())["model"]["model_config"]
    values = {key: value for key, value in config.items() if key not in ("type", "pet_config")}
    path = run / "merged" / "2" / "model.ckpt"
    command = [sys.executable, "-c", _STRICTLY, str(path), json.dumps(values)]
    done = subprocess.run(command, cwd=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_nothing_of_others_is_removed_or_replaced(run):
    merge(run)
    (run / "merged" / "notes").mkdir()
    (run / "merged" / "notes" / "mine.txt").write_text("kept")
    (run / "adapters" / "11.ckpt").unlink()
    assert merge(run) == 10
    names = {path.name for path in (run / "merged").iterdir()}
    assert names == {*map(str, range(1, 11)), "notes"}
    base, config = run / "base" / "model.ckpt", run / "finetune.yaml"
    before = everything(run)
    for output in (base, run / "base", run / "adapters" / "1.ckpt"):
        with pytest.raises(UserError, match="would replace what it is made of"):
            merge_one(base, run / "adapters" / "1.ckpt", output, *read_config(config))
    for output in (run, run / "base", run / "adapters"):
        with pytest.raises(UserError, match="would replace what it is made of"):
            merge_all(base, run / "adapters", config, output)
    assert everything(run) == before


def test_a_disk_that_fills_leaves_no_short_file(run):
    """A file that takes fewer bytes than it was given; the last tensor is one that changes."""
    config = yaml.safe_load((run / "finetune.yaml").read_text())
    config["model"]["model_config"]["pet_config"]["target_modules"] = "lm_head"
    (run / "finetune.yaml").write_text(yaml.safe_dump(config))
    shape, lora = read_config(run / "finetune.yaml")
    ones = ((n, np.ones(dims), "Float32") for n, dims in adapter_parameters(shape, lora).items())
    write_checkpoint(run / "one.ckpt", ones)
    base = run / "base" / "model.ckpt"
    limit = base.stat().st_size - 100
    script = "import resource, signal, sys; from tools.merge import main\n"
    script += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    script += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\nmain()"
    for name in ("out.ckpt", "out.safetensors"):
        words = ["--base", base, "--adapter", run / "one.ckpt", "--output", run / name]
        command = [sys.executable, "-c", script, *words, "--config", run / "finetune.yaml"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert not (run / name).exists()


@pytest.mark.parametrize("type_name", ["Float16", "Int8"])
def test_sums_that_the_type_cannot_hold(run, type_name):
    shape, lora = read_config(run / "finetune.yaml")
    large = [(n, np.full(dims, 100), type_name) for n, dims in shape.parameters().items()]
    write_checkpoint(run / "base" / "model.ckpt", large)
    most = ((n, np.full(d, 100), "Float32") for n, d in adapter_parameters(shape, lora).items())
    write_checkpoint(run / "one.ckpt", most)
    base, config = run / "base" / "model.ckpt", run / "finetune.yaml"
    with pytest.raises(UserError, match=r"NaN or infinity|no floating-point"):
        merge_one(base, run / "one.ckpt", run / "out.ckpt", *read_config(config))
    assert not (run / "out.ckpt").exists()


def test_a_model_that_is_no_more_is_made_again(run):
    merge(run)
    (run / "merged" / "1" / "model.ckpt").unlink()
    (run / "merged" / "2" / "tokenizer.model").write_bytes(b"other")
    before = everything(run / "merged" / "3")
    merge(run)
    assert everything(run / "merged" / "1").keys() == before.keys()
    assert (run / "merged" / "2" / "tokenizer.model").read_bytes() == b"vocabulary"
