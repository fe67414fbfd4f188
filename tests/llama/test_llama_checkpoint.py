"""The checkpoint file: round trips, damage at every byte, and MindSpore's own reader and writer."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama import checkpoint as module
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.tensors import cast

DTYPES = {
    "Float16": np.float16,
    "Float32": np.float32,
    "Float64": np.float64,
    "Int8": np.int8,
    "UInt8": np.uint8,
    "Int32": np.int32,
    "Int64": np.int64,
    "Bool": np.bool_,
}


def write(path, **tensors):
    write_checkpoint(path, ((name, array, "Float32") for name, array in tensors.items()))
    return path


@pytest.fixture
def small(tmp_path):
    """Two tensors of 4 and 6 numbers."""
    first, second = np.arange(4, dtype=np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
    return write(tmp_path / "small.ckpt", first=first, second=second)


@pytest.mark.parametrize("type_name", DTYPES)
@pytest.mark.parametrize("dims", [(), (1,), (0,), (5,), (2, 3), (2, 1, 3, 2), (3, 0)])
def test_round_trip(tmp_path, type_name, dims):
    array = np.random.default_rng(1).integers(0, 100, dims).astype(DTYPES[type_name])
    path = tmp_path / "x.ckpt"
    write_checkpoint(path, [("名.weight", array, type_name)])
    opened = Checkpoint(path)
    found = opened.read("名.weight")
    assert opened.names() == ["名.weight"] and "名.weight" in opened and "x" not in opened
    assert opened.entries["名.weight"].shape == found.shape == dims
    assert found.dtype == array.dtype and np.array_equal(found, array)


def test_views_are_written_in_their_own_order(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = write(tmp_path / "x.ckpt", turned=array.T, every_other=array[:, ::2])
    assert np.array_equal(Checkpoint(path).read("turned"), array.T)
    assert np.array_equal(Checkpoint(path).read("every_other"), array[:, ::2])


@pytest.mark.parametrize("part", [1, 4, 7, 24, 25])
def test_a_large_tensor_stands_in_parts(tmp_path, monkeypatch, part):
    monkeypatch.setattr(module, "_PART", part)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    opened = Checkpoint(write(tmp_path / "x.ckpt", a=array, b=array + 1))
    assert len(opened.entries["a"].pieces) == -(-24 // part)
    assert np.array_equal(opened.read("a"), array) and np.array_equal(opened.read("b"), array + 1)


def nearest_even_bfloat16(value: float) -> float:
    """Rounded in integers of twice the precision: a reference that shares no line with ours."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    quotient, rest = divmod(bits, 1 << 16)
    quotient += rest > 1 << 15 or (rest == 1 << 15 and quotient % 2 == 1)
    return struct.unpack("<f", struct.pack("<I", quotient << 16))[0]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_bfloat16_rounds_to_nearest_even(values):
    bits = cast(np.array(values, np.float32), "BFloat16")
    found = (bits.astype(np.uint32) << 16).view(np.float32)
    assert found.tolist() == [nearest_even_bfloat16(value) for value in values]


def test_bfloat16_ties_and_extremes(tmp_path):
    # Bits on either side of a tie: 1 + 2^-8 lies half-way between 1 and 1 + 2^-7.
    values = [1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, np.inf, -np.inf, -0.0, 3.4e38]
    path = tmp_path / "x.ckpt"
    write_checkpoint(path, [("x", np.array(values, np.float32), "BFloat16")])
    found = Checkpoint(path).read("x")
    assert found[:3].tolist() == [1.0, 1 + 2**-6, 1 + 2**-7]
    assert found[3:6].tolist() == [np.inf, -np.inf, 0.0] and np.signbit(found[5])
    assert found[6] == np.inf  # above bfloat16's largest number by more than half a unit


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF])
def test_nan_stays_nan(bits):
    stored = cast(np.array([bits], np.uint32).view(np.float32), "BFloat16")
    assert np.isnan((stored.astype(np.uint32) << 16).view(np.float32)).all()


def test_bfloat16_scalar(tmp_path):
    path = tmp_path / "x.ckpt"
    write_checkpoint(path, [("x", np.float32(2.5), "BFloat16")])
    assert Checkpoint(path).read("x").shape == () and Checkpoint(path).read("x") == 2.5


def test_truncated_at_every_byte(tmp_path, small):
    """Refused, except at the end of an entry: there it is a whole file with fewer tensors.

    The format has no count, so such a file is told only by what it lacks: every reader of ours
    checks the names and shapes that it needs.
    """
    data = small.read_bytes()
    cut, accepted = tmp_path / "cut.ckpt", {}
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        try:
            accepted[size] = Checkpoint(cut).names()
        except UserError as error:
            assert error.where == cut and "again" in str(error)
    boundary = data.index(b"\n\x06second") - 2
    assert accepted == {boundary: ["first"]}


@pytest.mark.parametrize("part", [8, 16])
def test_truncated_between_the_parts_of_a_tensor(tmp_path, monkeypatch, part):
    monkeypatch.setattr(module, "_PART", part)
    path = write(tmp_path / "x.ckpt", a=np.zeros(8, np.float32))
    piece = len(path.read_bytes()) // (32 // part)
    path.write_bytes(path.read_bytes()[:piece])
    with pytest.raises(UserError, match=f"takes 32 bytes, but {part} are there"):
        Checkpoint(path)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "random.ckpt"
    path.write_bytes(data)
    try:
        opened = Checkpoint(path)
    except UserError:
        return
    for name in opened.names():
        assert opened.read(name).shape == opened.entries[name].shape


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_altered_bytes_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.ckpt"
    if not whole.exists():
        write(whole, a=np.ones((2, 3), np.float32), b=np.ones(3, np.float32))
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    altered = folder / "altered.ckpt"
    altered.write_bytes(content)
    try:
        opened = Checkpoint(altered)
    except UserError:
        return
    for name in opened.names():
        assert opened.read(name).shape == opened.entries[name].shape


def entry(dims, content: bytes, type_name=b"Float32") -> bytes:
    """One entry, put together by hand; `dims` are ready varints."""
    tensor = b"".join(b"\x08" + dim for dim in dims)
    tensor += b"\x12" + bytes([len(type_name)]) + type_name
    tensor += b"\x1a" + bytes([len(content)]) + content
    value = b"\x0a\x01x\x12" + bytes([len(tensor)]) + tensor
    return b"\x0a" + bytes([len(value)]) + value


HUGE = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"  # 2^63 - 1
MINUS_ONE = b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    "data, fault",
    [
        (b"", "no tensor"),
        (b"PK\x03\x04" * 9, "not a whole MindSpore checkpoint"),
        (b"\x80\x04\x95" + b"." * 30, "not a whole MindSpore checkpoint"),  # a pickle
        (entry([b"\x02"], bytes(4)), "takes 8 bytes, but 4 are there"),
        (entry([b"\x01"], bytes(4), b"Float31"), "unknown element type 'Float31'"),
        (entry([b"\x01"], bytes(4), b"\xff\xfe"), "not a whole MindSpore checkpoint"),
        (entry([b"\x00", HUGE], b""), "impossible shape"),
        (entry([MINUS_ONE, MINUS_ONE], bytes(4)), "impossible shape"),
        (entry([b"\x01"] * 9, bytes(4)), "impossible shape"),
        (entry([b"\x01"], bytes(4)) * 2, "takes 4 bytes, but 8 are there"),
        (b"\x0a\x02\x12\x80\x0a\x00", "not a whole MindSpore checkpoint"),
        (b"\x0a\x02\x0a\x00", "no tensor"),
    ],
)
def test_hostile_files(tmp_path, data, fault):
    path = tmp_path / "x.ckpt"
    path.write_bytes(data)
    with pytest.raises(UserError, match=fault) as caught:
        Checkpoint(path)
    assert caught.value.exit_code == 2 and str(path) in str(caught.value)


def test_a_number_that_reaches_over_its_field_is_refused(tmp_path):
    """A length that ends inside a dimension: protobuf refuses it too."""
    tensor = b"\x08\x81\x00" + b"\x12\x07Float32" + b"\x1a\x04" + bytes(4)
    value = b"\x0a\x01x\x12\x02" + tensor
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"\x0a" + bytes([len(value)]) + value)
    with pytest.raises(UserError, match="reaches over"):
        Checkpoint(path)


def test_packed_dimensions_are_read(tmp_path):
    tensor = b"\x0a\x02\x02\x01" + b"\x12\x07Float32" + b"\x1a\x08" + bytes(8)
    value = b"\x0a\x01x\x12" + bytes([len(tensor)]) + tensor
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"\x0a" + bytes([len(value)]) + value)
    assert Checkpoint(path).read("x").shape == (2, 1)


def test_missing_tensor_and_missing_file(small, tmp_path):
    with pytest.raises(UserError, match="has no tensor third"):
        Checkpoint(small).read("third")
    with pytest.raises(FileNotFoundError):
        Checkpoint(tmp_path / "nowhere.ckpt")


def test_nothing_is_written_when_the_tensors_fail(tmp_path):
    def tensors():
        yield "a", np.zeros(3, np.float32), "Float32"
        raise UserError("no second tensor")

    with pytest.raises(UserError):
        write_checkpoint(tmp_path / "x.ckpt", tensors())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_mindspore_reads_ours_and_ours_reads_mindspore(tmp_path, monkeypatch):
    mindspore = pytest.importorskip("mindspore")
    random = np.random.default_rng(2)
    arrays = {
        name: random.integers(0, 2 if name == "Bool" else 99, (2, 3)).astype(dtype)
        for name, dtype in DTYPES.items()
    }
    arrays["Float32"] = random.standard_normal((2, 3), dtype=np.float32)
    ours, theirs = tmp_path / "ours.ckpt", tmp_path / "theirs.ckpt"
    tensors = [(name, array, name) for name, array in arrays.items()]
    tensors += [
        ("scalar", np.float32(1.5), "Float32"),
        ("BFloat16", arrays["Float32"], "BFloat16"),
    ]
    write_checkpoint(ours, tensors)
    loaded = mindspore.load_checkpoint(str(ours))
    for name, array in arrays.items():
        assert np.array_equal(loaded[name].asnumpy(), array), name
    assert loaded["scalar"].shape == () and float(loaded["scalar"].asnumpy()) == 1.5
    widened = loaded["BFloat16"].astype(mindspore.float32).asnumpy()
    assert np.array_equal(widened, Checkpoint(ours).read("BFloat16"))

    saved = [{"name": name, "data": mindspore.Tensor(array)} for name, array in arrays.items()]
    saved.append({"name": "scalar", "data": mindspore.Tensor(1.5, mindspore.float32)})
    half = mindspore.Tensor(arrays["Float32"]).astype(mindspore.bfloat16)
    saved.append({"name": "BFloat16", "data": half})
    mindspore.save_checkpoint(saved, str(theirs))
    opened = Checkpoint(theirs)
    for name, array in arrays.items():
        found = opened.read(name)
        assert found.dtype == array.dtype and np.array_equal(found, array), name
    assert opened.read("scalar").shape == () and opened.read("scalar") == 1.5
    assert np.array_equal(opened.read("BFloat16"), Checkpoint(ours).read("BFloat16"))
