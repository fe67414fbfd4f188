"""Checkpoints, differences and adapters as spectra, beside numpy on the whole matrices."""

from __future__ import annotations

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig
from tools.llama.names import hf_name
from tools.llama.writing import copy_renamed
from tools.probing.sources import KINDS, Deltas, Weights, last_adapter, matrices_of


def svd(matrix):
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)


def test_every_matrix_of_every_layer_and_no_other(model):
    found = matrices_of(model.shape)
    assert len(found) == 2 * 7 and {(m.kind, m.layer) for m in found} == {
        (kind, layer) for kind in KINDS for layer in (0, 1)
    }
    shapes = model.shape.parameters()
    assert all(shapes[matrix.name] == matrix.shape for matrix in found)


def test_weights_in_either_type_and_name(model):
    renamed = {hf_name(name): name for name in model.shape.parameters()}
    copy_renamed(Checkpoint(model.tuned), renamed, model.folder / "model.safetensors")
    for path in (model.tuned, model.folder / "model.safetensors"):
        source = Weights(path, None, model.shape)
        assert source.what == "weights" and source.origin["weights"]["name"] == path.name
        for matrix in source.matrices:
            expected = svd(Checkpoint(model.tuned).read(matrix.name))
            np.testing.assert_allclose(source.values(matrix), expected, atol=1e-6)
            assert source.baseline(matrix).shape == expected.shape


def test_a_folder_of_hugging_face_is_a_checkpoint(model):
    folder = model.folder / "hf"
    folder.mkdir()
    renamed = {hf_name(name): name for name in model.shape.parameters()}
    copy_renamed(Checkpoint(model.base), renamed, folder / "model.safetensors")
    ours, theirs = (Weights(path, None, model.shape) for path in (model.base, folder))
    assert theirs.origin["weights"]["bytes"] == (folder / "model.safetensors").stat().st_size
    for matrix in ours.matrices:
        assert (ours.values(matrix) == theirs.values(matrix)).all()


def test_a_difference_between_types(model):
    source = Weights(model.tuned, model.base, model.shape)
    assert source.what == "difference" and set(source.origin) == {"weights", "minus"}
    tuned, base = Checkpoint(model.tuned), Checkpoint(model.base)
    for matrix in source.matrices:
        expected = svd(tuned.read(matrix.name) - base.read(matrix.name))
        np.testing.assert_allclose(source.values(matrix), expected, atol=1e-5)


def test_an_adapter_s_delta_is_scaled_and_of_its_rank(model):
    source = Deltas(model.adapters / "2.ckpt", model.shape, model.lora)
    assert {matrix.kind for matrix in source.matrices} == {"wq", "wv", "w2"}
    tensors = Checkpoint(model.adapters / "2.ckpt")
    for matrix in source.matrices:
        module = matrix.name[: -len(".weight")]
        a, b = (tensors.read(f"{module}.mindpet_delta_lora_{side}") for side in "ab")
        found = source.values(matrix)
        assert found.shape == source.baseline(matrix).shape == (model.lora.rank,)
        np.testing.assert_allclose(found, svd(2.0 * b @ a)[:2], rtol=1e-5)


def test_the_last_adapter_by_number(model):
    (model.adapters / "10.ckpt").write_bytes((model.adapters / "1.ckpt").read_bytes())
    assert last_adapter(model.adapters).name == "10.ckpt"
    assert last_adapter(model.adapters / "1.ckpt").name == "1.ckpt"
    (model.folder / "empty").mkdir()
    with pytest.raises(UserError, match="holds no adapter"):
        last_adapter(model.folder / "empty")


def test_what_does_not_fit_is_refused_before_hours_are_spent(model):
    names = list(model.shape.parameters().items())
    tensors = [(name, np.zeros(dims), "Float32") for name, dims in names]
    lacking = [each for each in tensors if not each[0].endswith("1.feed_forward.w2.weight")]
    integers = [(n, a, "Int32" if n.endswith("wk.weight") else "Float32") for n, a, _ in tensors]
    for bad, fault in (
        (lacking, "down_proj.weight is missing"),
        (integers, "wk.weight is of Int32"),
    ):
        write_checkpoint(model.folder / "bad.ckpt", bad)
        with pytest.raises(UserError, match=fault):
            Weights(model.folder / "bad.ckpt", None, model.shape)
        with pytest.raises(UserError, match=fault):
            Weights(model.base, model.folder / "bad.ckpt", model.shape)
    with pytest.raises(UserError, match="no such file"):
        Weights(model.folder / "none.ckpt", None, model.shape)
    with pytest.raises(UserError, match="the config makes it"):
        Deltas(model.adapters / "1.ckpt", model.shape, LoraConfig(3, 6.0, model.lora.targets))
