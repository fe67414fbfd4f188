"""A training that begins with an adapter: what fits, what is refused, and what is written down."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.peft import WEIGHTS, export_adapter
from tools.llama.shape import LlamaShape
from tools.settings.profile import CONFIGS
from tools.training.initial import BEGUN, MATRICES, begin, identify

LORA = LoraConfig(2, 4.0, ".*wq|.*w2")


@pytest.fixture
def native():
    return yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))


@pytest.fixture
def shape(native):
    return LlamaShape.from_model_config(native["model"]["model_config"], "tiny")


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.ckpt"
    path.write_bytes(b"the base weights")
    return path


@pytest.fixture
def trained(tmp_path, shape, base, native):
    """What a training leaves: adapters 2 and 10, its config, run.json."""
    folder = tmp_path / "finetune"
    (folder / "adapters").mkdir(parents=True)
    for number in (2, 10):
        write_adapter(folder / "adapters" / f"{number}.ckpt", shape, number)
    pet = {"lora_rank": 2, "lora_alpha": 4, "target_modules": LORA.targets}
    native["model"]["model_config"]["pet_config"].update(pet)
    (folder / "finetune-as-run.yaml").write_text(yaml.safe_dump(native))
    told = {"base": {"sha256": content_of(base).sha256}, "init": {"sha256": "first"}}
    (folder / "run.json").write_text(json.dumps(told))
    return folder


def write_adapter(path, shape, seed, change=lambda array: array):
    rng = np.random.default_rng(seed)
    tensors = [
        (name, change(rng.normal(size=dims).astype(np.float32)), "Float32")
        for name, dims in adapter_parameters(shape, LORA).items()
    ]
    write_checkpoint(path, tensors)


@pytest.fixture
def beginning(shape, base, tmp_path):
    """Begin with an adapter; return its record and the matrices that were written."""

    def run(source, lora=LORA):
        folder = tmp_path / "begun"
        folder.mkdir()
        told = begin(base, source, shape, lora, folder)
        assert json.loads((folder / BEGUN).read_text()) == told
        return told, Checkpoint(folder / MATRICES) if source else list(folder.iterdir())

    return run


def test_fresh_matrices_are_nobodys(beginning, base, tmp_path):
    told, found = beginning(None)
    assert told == {"base": {"sha256": content_of(base).sha256}, "init": None}
    assert [path.name for path in found] == [BEGUN]


@pytest.mark.parametrize("name", ["", "adapters", "adapters/10.ckpt"])
def test_the_last_adapter_of_a_training_is_taken(beginning, trained, base, tmp_path, name):
    told, found = beginning(trained / name)
    last = trained / "adapters" / "10.ckpt"
    assert told["init"] == {
        "path": (trained / name).name,  # of a path outside of the checkout
        "sha256": content_of(last).sha256,
        "matrices_sha256": content_of(tmp_path / "begun" / MATRICES).sha256,
        "base": content_of(base).sha256,
        "init": {"sha256": "first"},
    }
    ours = Checkpoint(last)
    assert set(found.names()) == set(ours.names())
    assert all(np.array_equal(found.read(each), ours.read(each)) for each in ours.names())


@pytest.mark.parametrize("type_name", ["Float32", "BFloat16"])
def test_a_peft_folder_gives_float32_matrices(beginning, trained, shape, tmp_path, type_name):
    adapter, peft = trained / "adapters" / "2.ckpt", tmp_path / "peft"
    export_adapter(adapter, shape, LORA, peft, type_name=type_name)
    told, found = beginning(peft)
    ours, apart = Checkpoint(adapter), 0 if type_name == "Float32" else 2**-8
    assert set(found.names()) == set(ours.names())
    for name in ours.names():
        assert found.entry(name).type_name == "Float32"
        assert np.allclose(found.read(name), ours.read(name), rtol=apart, atol=0)
    assert told["init"]["sha256"] == content_of(peft / WEIGHTS).sha256
    assert (told["init"]["base"], told["init"]["init"]) == (None, None)


def test_an_optimisers_state_stays_behind(beginning, trained, shape):
    last = Checkpoint(trained / "adapters" / "10.ckpt")
    held = [(name, last.read(name), "Float32") for name in last.names()]
    moments = [(f"adam_m.{name}", array, kind) for name, array, kind in held]
    write_checkpoint(trained / "adapters" / "11.ckpt", [*held, *moments])
    assert beginning(trained)[1].names() == list(adapter_parameters(shape, LORA))


@pytest.mark.parametrize("form", ["ours", "peft"])
@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (replace(LORA, rank=3), "has rank 2, this training 3; give an adapter of this profile"),
        (replace(LORA, alpha=8.0), "has alpha 4, this training 8"),
        (replace(LORA, targets=".*wq"), "adapts w2, wq, this training wq;"),
    ],
)
def test_another_rank_alpha_or_target(beginning, trained, shape, tmp_path, form, lora, message):
    source = trained
    if form == "peft":
        source = tmp_path / "peft"
        export_adapter(trained / "adapters" / "10.ckpt", shape, LORA, source)
    with pytest.raises(UserError, match=message) as caught:
        beginning(source, lora)
    assert caught.value.exit_code == 2 and caught.value.where.is_file()


def test_an_adapter_of_another_base(beginning, trained, shape, base):
    base.write_bytes(b"others")
    with pytest.raises(UserError, match=r"10\.ckpt: was trained on a base of .*, this one has"):
        beginning(trained)
    base.write_bytes(b"the base weights")
    write_adapter(trained / "adapters" / "11.ckpt", replace(shape, intermediate_size=96), 1)
    with pytest.raises(UserError, match=r"does not fit this base: .*w2.* is \(2, 96\), the config"):
        begin(base, trained, shape, LORA, base.parent)


def test_damaged_adapters(trained, shape, base, tmp_path):
    last = trained / "adapters" / "10.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    export_adapter(trained / "adapters" / "2.ckpt", shape, LORA, tmp_path / "peft")
    weights = tmp_path / "peft" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])
    folder = tmp_path / "begun"
    folder.mkdir()
    for source, name in ((trained, "10.ckpt"), (tmp_path / "peft", WEIGHTS)):
        with pytest.raises(UserError, match=f"{name}: not a whole"):
            begin(base, source, shape, LORA, folder)
    write_adapter(last, shape, 1, lambda array: np.where(array > 2, np.nan, array))
    with pytest.raises(UserError, match=r"10\.ckpt: holds NaN or infinity"):
        begin(base, trained, shape, LORA, folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("altered", "message"), [("adapter_model.safetensors", "altered"), ("base", "is another base")]
)
def test_a_published_folder_is_held_against_its_run_json(
    beginning, trained, shape, base, tmp_path, altered, message
):
    peft = tmp_path / "peft"
    export_adapter(trained / "adapters" / "2.ckpt", shape, LORA, peft)
    files = {path.name: vars(content_of(path)) for path in peft.iterdir()}
    told = {"files": files, "init": {"sha256": "first"}}
    told["base"] = {"sha256": content_of(base).sha256, "profile": "tiny"}
    (peft / "run.json").write_text(json.dumps(told))
    record = beginning(peft)[0]["init"]
    assert (record["base"], record["init"]) == (content_of(base).sha256, {"sha256": "first"})
    path = base if altered == "base" else peft / altered
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        begin(base, peft, shape, LORA, tmp_path / "begun")


def test_where_no_adapter_is(beginning, tmp_path):
    with pytest.raises(UserError, match="holds no adapter; give a training's output folder"):
        beginning(tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        identify(tmp_path / "gone", None)


def test_an_adapter_is_known_again_even_when_it_is_gone(trained):
    before = identify(trained, None)
    assert identify(trained, before) == before
    assert identify(trained / "adapters", None) != before
    last = trained / "adapters" / "10.ckpt"
    last.write_bytes(last.read_bytes() + b"more")
    assert identify(trained, before) != before
    for path in (trained / "adapters").iterdir():
        path.unlink()
    assert identify(trained, before) == before
    with pytest.raises(UserError, match="holds no adapter"):
        identify(trained, {**before, "path": "another"})
