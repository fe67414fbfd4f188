"""Packed rows: examples that share a row do not see each other, and train as if each was alone.

MindSpore runs in processes of their own, since its mode and MindFormers' output folder are global.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape
from tools.settings.native import PACKED_ARCH, PLAIN_ARCH, read_finetune

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "configs" / "tiny" / "finetune.yaml"
pytestmark = pytest.mark.slow
EOS, OTHER_PAD, IGNORED = 2, 3, -100
FIRST = 4  # the first id that an example may hold within
# Prompt and answer of each example of a pack, EOS counted in.
SIZES = [(9, 6), (5, 11), (14, 3)]
STARTS = np.cumsum([0] + [sum(sizes) for sizes in SIZES])
LENGTH = 56  # of which the pack takes 48


def run_script(text: str, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


# --- The mask ----------------------------------------------------------------------------------

_MASKS = """
import sys
import numpy as np
import mindspore as ms
from tools.training.packed_rows import PackedCausalMask
ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
given = np.load(sys.argv[1])
made = {}
for name in given:
    tokens = ms.Tensor(given[name], ms.int32)
    for flash in (False, True):
        cell = PackedCausalMask(tokens.shape[1], int(sys.argv[2]), ms.float32, flash)
        made[f"{name}-{flash}"] = cell(tokens).asnumpy()
np.savez(sys.argv[3], **made)
"""


def visible(row: np.ndarray) -> np.ndarray:
    """Which position (first axis) sees which, cut into examples by a walk over the row."""
    seen = np.zeros((len(row), len(row)), bool)
    start = 0
    for position, token in enumerate(row):
        seen[position, start : position + 1] = True
        if token == EOS:
            start = position + 1
    return seen


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    """(tokens, mask without flash attention, mask with it) of many rows of several lengths."""
    folder = tmp_path_factory.mktemp("masks")
    random = np.random.default_rng(5)
    given = {}
    for length in (1, 2, 3, 8, 37, 130):
        rows = random.integers(FIRST, 99, (60, length))
        # From rows without any EOS to rows of nothing else.
        rows[random.random(rows.shape) < np.linspace(0, 1, 60)[:, None]] = EOS
        for row, end in zip(rows, random.integers(0, length + 1, 60)):
            row[end:] = random.choice([EOS, OTHER_PAD, row[-1]])  # padding, or two tokens equal
        given[str(length)] = np.concatenate([rows, np.full((1, length), EOS)])
    np.savez(folder / "tokens.npz", **given)
    run_script(_MASKS, folder, "tokens.npz", str(EOS), "masks.npz")
    made = np.load(folder / "masks.npz")
    return [(rows, made[f"{name}-False"], made[f"{name}-True"]) for name, rows in given.items()]


def test_masks_of_random_rows(masks):
    rows_without_eos = 0
    for rows, scores, flags in masks:
        expected = np.stack([~visible(row) for row in rows])[:, None]
        assert scores.dtype == np.float32 and flags.dtype == np.uint8
        np.testing.assert_array_equal(scores, np.where(expected, np.float32(-10000), 0))
        np.testing.assert_array_equal(flags, expected)
        # Without EOS it is the causal mask.
        for row, hidden in zip(rows, flags[:, 0]):
            if EOS not in row:
                np.testing.assert_array_equal(hidden, np.triu(np.ones_like(hidden), 1))
                rows_without_eos += 1
    assert rows_without_eos > 10


def test_every_token_sees_itself(masks):
    for _, scores, flags in masks:
        assert not np.diagonal(scores, axis1=2, axis2=3).any()
        assert not np.diagonal(flags, axis1=2, axis2=3).any()


# --- The model ---------------------------------------------------------------------------------

_MODEL = """
import json, sys
import numpy as np
import mindspore as ms
from mindformers import MindFormerConfig
from mindformers.models.llama import LlamaConfig
from mindformers.pet import get_pet_model
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
import tools.training.packed_rows

ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
values = json.load(open("model.json"))
pet = values.pop("pet_config")
weights = ms.load_checkpoint("base.ckpt")
rows = np.load("rows.npz")
made, names = {}, {}


def build(arch, **changed):
    kind = MindFormerRegister.get_cls(MindFormerModuleType.MODELS, arch)
    return kind(LlamaConfig(**{**values, **changed}))


def loaded(arch, pad):
    model = build(arch, pad_token_id=pad)
    missing, extra = ms.load_param_into_net(model, weights, strict_load=True)
    assert not missing and not extra, (missing, extra)
    return model


def tensor(name):
    return ms.Tensor(rows[name], ms.int32)


for arch in sys.argv[2:]:
    for pad in (2, 3):
        model = loaded(arch, pad)
        for name in ("packed", "changed", "alone"):
            model.set_train(False)
            logits = model(tensor(f"{name}-ids-{pad}")[:, :-1])[0]
            made[f"{arch}-{pad}-{name}-logits"] = logits.asnumpy()
        model.set_train(True)
        for name in ("packed", "changed", "alone", "later"):
            # Row by row, and all rows in one batch.
            ids, labels = tensor(f"{name}-ids-{pad}"), tensor(f"{name}-labels-{pad}")
            losses = [model(ids[i : i + 1], labels[i : i + 1]).asnumpy() for i in range(len(ids))]
            made[f"{arch}-{pad}-{name}-losses"] = np.array(losses).reshape(-1)
            made[f"{arch}-{pad}-{name}-loss"] = model(ids, labels).asnumpy()
    lora = get_pet_model(loaded(arch, 2), MindFormerConfig(**pet))
    random = np.random.default_rng(9)
    for parameter in lora.trainable_params():
        if "delta_lora" in parameter.name:
            noise = random.normal(0, 0.1, parameter.shape).astype(np.float32)
            parameter.set_data(ms.Tensor(noise))
    adapters = [p for p in lora.trainable_params() if "delta_lora" in p.name]
    names[arch] = {
        "all": [p.name for p in lora.get_parameters()],
        "adapters": {p.name: list(p.shape) for p in adapters},
    }
    lora.set_train(True)
    gradient = ms.value_and_grad(lora, None, adapters)
    for name in ("packed", "alone"):
        _, found = gradient(tensor(f"{name}-ids-2"), tensor(f"{name}-labels-2"))
        for parameter, value in zip(adapters, found):
            made[f"{arch}-{name}-gradient-{parameter.name}"] = value.asnumpy()

refused = {}
for key in ("use_past", "use_attn_mask_compression", "use_eod_attn_mask_compression",
            "use_ring_attention", "eos_token_id"):
    try:
        build(sys.argv[2], **{key: [2, 5] if key == "eos_token_id" else True})
    except ValueError as error:
        refused[key] = str(error)
np.savez(sys.argv[1], **made)
json.dump({"names": names, "refused": refused}, open("found.json", "w"))
"""


def examples(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    drawn = [random.integers(FIRST, 640, sum(sizes)) for sizes in SIZES]
    for example in drawn:
        example[-1] = EOS
    return [(drawn[i][:prompt], drawn[i][prompt:]) for i, (prompt, _) in enumerate(SIZES)]


def pack(chosen, pad: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """One row of `length` + 1 ids and its labels: one example after the other, then padding."""
    ids = np.full(length + 1, pad, np.int32)
    labels = np.full(length + 1, IGNORED, np.int32)
    end = 0
    for prompt, answer in chosen:
        start, end = end + len(prompt), end + len(prompt) + len(answer)
        ids[start - len(prompt) : start] = prompt
        ids[start:end] = labels[start:end] = answer
    return ids, labels


def write_base(folder: Path, model_config: dict) -> Path:
    """Weights large enough for attention to matter; those of a fresh model are almost zero."""
    shape = LlamaShape.from_model_config(model_config, "finetune.yaml")
    random = np.random.default_rng(4)
    tensors = [
        (name, random.normal(1.0 if "norm" in name else 0.0, 0.15, dims), "Float32")
        for name, dims in shape.parameters().items()
    ]
    write_checkpoint(folder / "base.ckpt", tensors)
    return folder / "base.ckpt"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """What both architectures make of packs and of the same examples alone.

    packed    one row of all examples; changed: the same with another first example
    alone     a row for each example
    later     `packed` and `changed`, labels of the first example removed
    """
    folder = tmp_path_factory.mktemp("model")
    config = read_finetune(TINY)["model"]["model_config"]
    values = {k: v for k, v in config.items() if k != "type"}
    (folder / "model.json").write_text(
        json.dumps({**values, "batch_size": 1, "seq_length": LENGTH})
    )
    write_base(folder, config)
    chosen, other = examples(1), examples(2)
    rows = {}
    for pad in (EOS, OTHER_PAD):
        made = {
            "packed": [pack(chosen, pad, LENGTH)],
            "changed": [pack([other[0], *chosen[1:]], pad, LENGTH)],
            "alone": [pack([example], pad, LENGTH) for example in chosen],
        }
        made["later"] = [
            (ids, np.where(np.arange(LENGTH + 1) < STARTS[1], IGNORED, labels))
            for ids, labels in made["packed"] + made["changed"]
        ]
        for name, pairs in made.items():
            rows[f"{name}-ids-{pad}"] = np.stack([ids for ids, _ in pairs])
            rows[f"{name}-labels-{pad}"] = np.stack([labels for _, labels in pairs])
    np.savez(folder / "rows.npz", **rows)
    run_script(_MODEL, folder, "out.npz", PACKED_ARCH, PLAIN_ARCH)
    found = json.loads((folder / "found.json").read_text())
    return {**np.load(folder / "out.npz"), **found, "config": config}


PADS = pytest.mark.parametrize("pad", [EOS, OTHER_PAD])


@PADS
def test_an_earlier_example_changes_nothing_in_a_later_one(model, pad):
    packed, changed = (
        model[f"{PACKED_ARCH}-{pad}-{name}-logits"][0] for name in ("packed", "changed")
    )
    assert np.abs(packed - changed)[: STARTS[1]].max() > 0.1
    np.testing.assert_array_equal(packed[STARTS[1] :], changed[STARTS[1] :])
    first, second = model[f"{PACKED_ARCH}-{pad}-later-losses"]
    assert first == second
    assert model[f"{PACKED_ARCH}-{pad}-packed-loss"] != model[f"{PACKED_ARCH}-{pad}-changed-loss"]


@PADS
def test_without_the_mask_it_does(model, pad):
    """What the test above tests can fail: MindFormers' own mask lets examples see each other."""
    packed, changed = (
        model[f"{PLAIN_ARCH}-{pad}-{name}-logits"][0] for name in ("packed", "changed")
    )
    assert np.abs(packed - changed)[STARTS[1] : STARTS[3]].max() > 0.1
    first, second = model[f"{PLAIN_ARCH}-{pad}-later-losses"]
    assert abs(first - second) > 1e-3


@PADS
def test_an_example_has_the_logits_that_it_has_alone(model, pad):
    packed = model[f"{PACKED_ARCH}-{pad}-packed-logits"][0]
    alone = model[f"{PACKED_ARCH}-{pad}-alone-logits"]
    for row, start, end in zip(alone, STARTS, STARTS[1:]):
        np.testing.assert_allclose(packed[start:end], row[: end - start], atol=1e-4)


@PADS
def test_alone_both_architectures_are_the_same(model, pad):
    """MindFormers hides pads, which with pad == EOS concerns the EOS alone, without loss."""
    packed, plain = (model[f"{arch}-{pad}-alone-logits"] for arch in (PACKED_ARCH, PLAIN_ARCH))
    for one, other, (prompt, answer) in zip(packed, plain, SIZES):
        end = prompt + answer - 1
        np.testing.assert_allclose(one[:end], other[:end], atol=1e-5)
    losses = [model[f"{arch}-{pad}-alone-losses"] for arch in (PACKED_ARCH, PLAIN_ARCH)]
    np.testing.assert_allclose(*losses, atol=1e-6)


@PADS
def test_the_loss_of_a_pack_is_the_mean_over_its_examples_tokens(model, pad):
    losses = model[f"{PACKED_ARCH}-{pad}-alone-losses"]
    answers = [answer for _, answer in SIZES]
    expected = np.average(losses, weights=answers)
    assert model[f"{PACKED_ARCH}-{pad}-packed-loss"] == pytest.approx(expected, abs=1e-5)
    assert model[f"{PACKED_ARCH}-{pad}-alone-loss"] == pytest.approx(expected, abs=1e-5)
    # Lengths differ, so that a mean over examples would be another number; so is the plain model's.
    assert abs(expected - np.mean(losses)) > 1e-2
    assert abs(expected - model[f"{PLAIN_ARCH}-{pad}-packed-loss"]) > 1e-2


def test_the_loss_of_a_pack_from_its_logits(model):
    """Every answer token of every example counts, EOS included, and nothing else."""
    logits = model[f"{PACKED_ARCH}-{EOS}-packed-logits"][0]
    ids, labels = pack(examples(1), EOS, LENGTH)
    counted = np.flatnonzero(labels[1:] != IGNORED)
    assert len(counted) == sum(answer for _, answer in SIZES)
    losses = cross_entropy(logits[counted], ids[1:][counted])
    assert model[f"{PACKED_ARCH}-{EOS}-packed-loss"] == pytest.approx(losses.mean(), abs=1e-5)


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(targets)), targets]


def test_gradients_of_the_adapters_are_those_of_the_examples_alone(model):
    def gradients(arch, rows):
        lead = f"{arch}-{rows}-gradient-"
        return {name[len(lead) :]: value for name, value in model.items() if name.startswith(lead)}

    packed, alone = (gradients(PACKED_ARCH, rows) for rows in ("packed", "alone"))
    assert {*packed} == {*alone} == {*model["names"][PACKED_ARCH]["adapters"]}
    for name, value in packed.items():
        assert np.abs(value).max() > 1e-4
        np.testing.assert_allclose(value, alone[name], atol=1e-5)
    plain = gradients(PLAIN_ARCH, "packed")
    assert max(np.abs(plain[name] - alone[name]).max() for name in alone) > 1e-2


def test_parameters_have_the_same_names(model):
    assert model["names"][PACKED_ARCH] == model["names"][PLAIN_ARCH]
    lora = LoraConfig.from_pet_config(model["config"]["pet_config"], "finetune.yaml")
    shape = LlamaShape.from_model_config(model["config"], "finetune.yaml")
    expected = {name: list(dims) for name, dims in adapter_parameters(shape, lora).items()}
    assert model["names"][PACKED_ARCH]["adapters"] == expected


def test_other_masks_are_refused(model):
    assert {*model["refused"]} == {
        "use_past",
        "use_attn_mask_compression",
        "use_eod_attn_mask_compression",
        "use_ring_attention",
        "eos_token_id",
    }
    for key, told in model["refused"].items():
        assert told.startswith(key)


# --- The whole way: msrun, MindFormers' Trainer ------------------------------------------------

_ROWS = """
import sys
import numpy as np
from mindspore.mindrecord import FileWriter
given = np.load(sys.argv[1])
writer = FileWriter(sys.argv[2], shard_num=1)
column = {"type": "int32", "shape": [given["ids"].shape[1]]}
writer.add_schema({"input_ids": column, "labels": column}, "examples")
rows = zip(given["ids"], given["labels"])
writer.write_raw_data([{"input_ids": ids, "labels": labels} for ids, labels in rows])
writer.commit()
"""


def losses_alone(base: Path, config: dict, chosen) -> np.ndarray:
    """The loss of every answer token, by our own decoder, each example by itself."""
    from tools.llama.decoder import Decoder

    decoder = Decoder(LlamaShape.from_model_config(config, "finetune.yaml"), 1)
    decoder.load(Checkpoint(base))
    found = []
    for prompt, answer in chosen:
        ids = np.concatenate([prompt, answer])
        decoder.reserve(64)
        steps = [decoder.step(ids[i : i + 1], np.array([i]))[1] for i in range(len(ids) - 1)]
        logits = np.concatenate([step.asnumpy().reshape(1, -1) for step in steps])
        found.append(cross_entropy(logits[len(prompt) - 1 :], answer))
    return np.concatenate(found)


def test_fine_tuning_on_packed_rows(tmp_path):
    """Every row is the same pack, so the first step's loss is known: that of the examples alone."""
    from tools.training.launch import finetune

    native = read_finetune(TINY)
    config = native["model"]["model_config"]
    native.update(seed=3, use_parallel=True)
    native["parallel_config"]["data_parallel"] = 2
    native["model"]["arch"]["type"] = PACKED_ARCH
    (tmp_path / "finetune.yaml").write_text(yaml.safe_dump(native))
    settings = {"model_config": config, "pet_config": config["pet_config"]}
    settings.update(tied=False, denominator=None)
    (tmp_path / "model.json").write_text(json.dumps(settings))
    base = write_base(tmp_path, config)
    chosen = examples(1)
    length, steps = config["seq_length"], 4
    count = steps * native["train_dataset"]["batch_size"] * 2
    ids, labels = pack(chosen, EOS, length)
    np.savez(tmp_path / "rows.npz", ids=np.stack([ids] * count), labels=np.stack([labels] * count))
    run_script(_ROWS, tmp_path, "rows.npz", "train.mindrecord")
    summary = {"rows": count, "seq_length": length, "pack": True}
    (tmp_path / "train.mindrecord.json").write_text(json.dumps(summary))

    result = finetune(
        tmp_path / "finetune.yaml",
        tmp_path / "model.json",
        base,
        tmp_path / "train.mindrecord",
        tmp_path / "finetune",
        2,
    )
    assert (result["steps"], result["checkpoints"], result["workers"]) == (4, [2, 4], 2)
    as_run = yaml.safe_load((tmp_path / "finetune" / "finetune-as-run.yaml").read_text())
    assert as_run["model"]["arch"]["type"] == PACKED_ARCH
    with (tmp_path / "finetune" / "loss.csv").open() as handle:
        losses = [float(row["loss"]) for row in csv.DictReader(handle)]
    expected = losses_alone(base, config, chosen)
    assert losses[0] == pytest.approx(expected.mean(), abs=1e-4)
    assert losses[-1] < losses[0]
    adapter = Checkpoint(tmp_path / "finetune" / "adapters" / "2.ckpt")
    changed = [np.abs(adapter.read(name)).max() for name in adapter.names() if "lora_b" in name]
    assert len(changed) == 8 and min(changed) > 0
