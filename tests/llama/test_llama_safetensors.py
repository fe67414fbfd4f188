"""The safetensors format: beside the reference package, round trips, damage at every byte."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from tools.files.errors import UserError
from tools.llama.opening import open_folder, open_tensors
from tools.llama.safetensors import SafetensorsFile, SafetensorsWriter
from tools.llama.tensors import DTYPES, Entry, cast


def write(path, tensors):
    """(name, array, type) triples."""
    stored = [(name, cast(array, type_name), type_name) for name, array, type_name in tensors]
    entries = [Entry(name, array.shape, type_name) for name, array, type_name in stored]
    with path.open("wb") as handle:
        writer = SafetensorsWriter(handle, entries)
        for entry, (_, array, _) in zip(entries, stored):
            writer.begin(entry)
            writer.write(array)
        writer.end()
    return path


@pytest.fixture
def small(tmp_path):
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    return write(
        tmp_path / "small.safetensors",
        [("first", numbers, "BFloat16"), ("second", numbers[0], "Float32")],
    )


@pytest.mark.parametrize("type_name", [name for name in DTYPES if name != "BFloat16"])
@pytest.mark.parametrize("dims", [(), (0,), (5,), (2, 3), (2, 1, 3)])
def test_the_reference_package_reads_what_we_write_and_we_what_it_writes(tmp_path, type_name, dims):
    array = np.random.default_rng(1).integers(0, 2, dims).astype(DTYPES[type_name])
    triples = [(name, array, type_name) for name in ("名.b", "a")]
    ours = write(tmp_path / "ours.safetensors", triples)
    found = load_file(ours)
    assert sorted(found) == ["a", "名.b"]
    save_file({"名.b": array, "a": array}, tmp_path / "theirs.safetensors")
    read = SafetensorsFile(tmp_path / "theirs.safetensors")
    for name in ("a", "名.b"):
        for tensor in (found[name], read.read(name)):
            assert tensor.dtype == array.dtype and tensor.shape == dims
            assert np.array_equal(tensor, array)


def test_bfloat16(small):
    opened = SafetensorsFile(small)
    assert opened.metadata == {"format": "pt"}
    assert opened.entries["first"].type_name == "BFloat16"
    assert opened.read("first").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert opened.read_rows("first", 1, 2).tolist() == [[0x4040, 0x4080, 0x40A0]]


@given(st.data())
def test_damage_is_told(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = write(folder / "x.safetensors", [("a", numbers, "Float32"), ("b", numbers, "Int32")])
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:at])
        with pytest.raises(UserError):
            SafetensorsFile(path)
    else:  # a byte changed: told, or another header that is whole, never another error
        path.write_bytes(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :])
        try:
            opened = SafetensorsFile(path)
            assert all(opened.read(name) is not None for name in opened.names())
        except UserError as error:
            assert str(path) in str(error.where)


def header(**tensors):
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text


def tensor(low, high, dtype="U8", shape=None):
    shape = [high - low] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [low, high]}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "its header is not JSON"),
        (b"\xff" * 8, "longer than the file"),
        ((2).to_bytes(8, "little") + b"[]", "no object"),
        (header(), "holds no tensor"),
        (header(a=tensor(0, 4), b=tensor(2, 6)) + bytes(6), "overlap or leave gaps"),
        (header(a=tensor(0, 4), b=tensor(5, 6)) + bytes(6), "overlap or leave gaps"),
        (header(a=tensor(1, 4)) + bytes(4), "overlap or leave gaps"),
        (header(a=tensor(0, 4)) + bytes(5), "its header says"),
        (header(a=tensor(0, 4)) + bytes(3), "its header says"),
        (header(a=tensor(0, 4, shape=[5])) + bytes(4), "misdescribed"),
        (header(a=tensor(0, 4, shape=[-4])) + bytes(4), "misdescribed"),
        (header(a=tensor(0, 4, shape=[4.0])) + bytes(4), "misdescribed"),
        (header(a=tensor(0, 1, shape=[1] * 9)) + bytes(1), "misdescribed"),
        (header(a=tensor(0, 4, dtype=4)) + bytes(4), "misdescribed"),
        (header(a=tensor(0, 4, "F8_E4M3")) + bytes(4), "'a' is of type F8_E4M3, .*to BF16, F16"),
        (header(a=[1, 2]), "misdescribed"),
        (header(a=tensor(0, 0, shape=[2, 0, 1 << 47, 1 << 47])), "misdescribed"),
        ((25).to_bytes(8, "little") + b'{"a": {"x":1}, "a": {}  }', "names one twice"),
        (b"\x10\x27\x00\x00\x00\x00\x00\x00" + b"[" * 10000, "not JSON"),
    ],
)
def test_what_is_no_safetensors_file(tmp_path, content, fault):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=fault):
        SafetensorsFile(path)


def test_the_writer_keeps_to_its_header(tmp_path):
    entries = [Entry("a", (2,), "UInt8"), Entry("b", (1,), "UInt8")]
    with (tmp_path / "x").open("wb") as handle:
        writer = SafetensorsWriter(handle, entries)
        with pytest.raises(ValueError, match="not the next"):
            writer.begin(entries[1])
        writer = SafetensorsWriter(handle, entries)
        writer.begin(entries[0])
        writer.write(np.zeros(1, np.uint8))
        with pytest.raises(ValueError, match="1 bytes of a tensor are missing"):
            writer.begin(entries[1])
        with pytest.raises(ValueError, match="2 bytes where 1"):
            writer.write(np.zeros(2, np.uint8))


def test_shards(tmp_path, small):
    more = write(tmp_path / "more.safetensors", [("third", np.ones(2), "Float16")])
    places = {"third": more.name, "first": small.name}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    opened = open_folder(tmp_path)
    assert opened.names() == ["third", "first"]
    assert opened.read("third").tolist() == [1, 1]
    assert opened.read("first").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(UserError, match="has no tensor second"):
        opened.read("second")
    more.unlink()
    with pytest.raises(UserError, match="the shard is missing"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    "places",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": {"a": "../x"}}',
        '{"weight_map": {"a": 1}}',
    ],
)
def test_an_index_that_is_none(tmp_path, places):
    (tmp_path / "model.safetensors.index.json").write_text(places)
    with pytest.raises(UserError, match="no index of shards"):
        open_folder(tmp_path)


def test_an_index_that_names_what_is_not_there(tmp_path, small):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"fourth": small.name}}))
    with pytest.raises(UserError, match="has no tensor fourth"):
        open_folder(tmp_path)


def test_opened_by_what_it_is(tmp_path, small):
    assert open_tensors(small).names() == ["first", "second"]
    small.rename(tmp_path / "model.safetensors")
    assert open_tensors(tmp_path).names() == ["first", "second"]
    with pytest.raises(UserError, match="no such file"):
        open_tensors(tmp_path / "nothing.ckpt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds neither"):
        open_tensors(tmp_path / "empty")
