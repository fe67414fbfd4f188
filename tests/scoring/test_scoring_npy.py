"""The organisers' files: both forms, and every way to hide something in a pickle."""

from __future__ import annotations

import ast
import os
import pickle
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.scoring.npy import KEY, read_predictions_file

np = pytest.importorskip("numpy")


def rows(*texts):
    return [{KEY: [text]} for text in texts]


def save(tmp_path, values):
    path = tmp_path / "predictions.npy"
    np.save(path, np.array(values, dtype=object), allow_pickle=True)
    return path


def npy(tmp_path, stream, shape=b"(1,)", descr=b"'|O'"):
    """A .npy file whose body is `stream`."""
    header = b"{'descr': " + descr + b", 'fortran_order': False, 'shape': " + shape + b", }\n"
    path = tmp_path / "predictions.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + stream)
    return path


@pytest.mark.shared
def test_real_files(shared):
    texts = read_predictions_file(shared / "contest" / "base-predictions-200.npy")
    assert texts == read_predictions_file(shared / "contest" / "base-predictions-200.txt")
    raw = (shared / "contest" / "base-predictions-200.txt").read_text(encoding="utf-8")
    assert texts == [row[KEY][0] for row in ast.literal_eval(raw)]
    assert len(texts) == 200


TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=5)


@settings(deadline=None)
@given(TEXTS)
def test_npy_round_trip(tmp_path_factory, texts):
    assert read_predictions_file(save(tmp_path_factory.mktemp("npy"), rows(*texts))) == texts


@settings(deadline=None)
@given(TEXTS)
def test_text_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("txt") / "predictions.txt"
    path.write_text(str(rows(*texts)), encoding="utf-8")
    assert read_predictions_file(path) == texts


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_protocol_that_numpy_writes(tmp_path, protocol):
    array = np.array(rows("一", "二"), dtype=object)
    body = pickle.dumps(array, protocol=protocol)
    path = npy(tmp_path, body, shape=b"(2,)")
    assert read_predictions_file(path) == ["一", "二"]


def test_repeated_text_is_memoised(tmp_path):
    text = "the same object"
    assert read_predictions_file(save(tmp_path, rows(text, text))) == [text, text]


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

    def __str__(self):
        # Without an address: workers of one run have to name a test alike.
        return f"{self.call[0].__name__}{self.call[1]}"


@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "touch {path}"),
        Evil(eval, "1"),
        Evil(np.ndarray, (10**12,)),
        Evil(np.dtype, "f8"),
        Evil(bytearray, 10**12),
        {1, 2},
        1.5,
        object,
        np.zeros(3),
        np.array([["a"]], dtype=object),
        np.array(["a"]),
    ],
    ids=str,
)
def test_anything_else_in_the_array_is_refused(tmp_path, evil):
    witness = tmp_path / "witness"
    if isinstance(evil, Evil) and evil.call[0] is os.system:
        evil = Evil(os.system, f"touch {witness}")
    for value in ([evil], [{KEY: [evil]}], [{KEY: evil}]):
        array = np.empty(1, dtype=object)
        array[0] = value[0]
        path = tmp_path / "predictions.npy"
        np.save(path, array, allow_pickle=True)
        with pytest.raises(UserError):
            read_predictions_file(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "stream",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02cnumpy\nndarray\n(I5\nt\x81.",
        b"\x80\x02cnumpy\nndarray\n.",
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00\x7f\x85C\x01b\x87R.",
        b"\x80\x02]q\x00h\x05.",
        b"\x80\x02e.",
        b"\x80\x02(((",
        b"\x80\x02]\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\x7fab.",
        b"\xff\xff",
        b"",
        b".",
        b"0.",
        b"\x82\x01.",
        b"Pid\n.",
        b"\x80\x02]q\x00h\x00a.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02]p9999999999999999999\n.",
        b"\x80\x05\x96\x00\x00\x00\x00\xff\x00\x00\x00.",
        b"\x80\x04\x8e\x00\x00\x00\x00\xff\x00\x00\x00.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f]..",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}X\x01\x00\x00\x00ai\x01b.",
        b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tR.",
        b"(" * 100_000 + b"]" * 100_000,
    ],
)
def test_hand_made_streams_are_refused(tmp_path, stream):
    with pytest.raises(UserError) as caught:
        read_predictions_file(npy(tmp_path, stream))
    assert str(caught.value.where).endswith("predictions.npy")


def test_refusal_names_what_was_wanted(tmp_path):
    with pytest.raises(UserError, match="it names 'os system'"):
        read_predictions_file(
            npy(tmp_path, b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.")
        )


def test_an_array_larger_than_its_list_is_refused(tmp_path):
    """numpy would clear eight bytes for each item that the shape promises."""
    body = pickle.dumps(np.array(rows("a", "b"), dtype=object), protocol=3)
    assert body.count(b"K\x02\x85") == 1
    body = body.replace(b"K\x02\x85", b"J\xff\xff\xff\x7f\x85")
    with pytest.raises(UserError, match="not a flat one"):
        read_predictions_file(npy(tmp_path, body, shape=b"(2,)"))


def test_every_truncation_is_refused(tmp_path):
    path = save(tmp_path, rows("abc", "def"))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError):
            read_predictions_file(path)


@settings(deadline=None)
@given(st.data())
def test_no_altered_byte_leads_to_anything_but_text_or_refusal(tmp_path_factory, data):
    path = save(tmp_path_factory.mktemp("npy"), rows("abc", "def"))
    content = bytearray(path.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        texts = read_predictions_file(path)
    except UserError:
        return
    assert all(isinstance(text, str) for text in texts)


@pytest.mark.parametrize("descr", [b"'<f8'", b"'<U5'", b"__import__('os').getcwd()"])
def test_other_arrays(tmp_path, descr):
    with pytest.raises(UserError, match="not a one-dimensional"):
        read_predictions_file(npy(tmp_path, b"", descr=descr))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[{'text_generation_text': ['a']}",
        "[{'text_generation_text': ['a']}] + []",
        "[{'text_generation_text': [a]}]",
        "[{'text_generation_text': ['a', 'b']}]",
        "[{'other': ['a']}]",
        "[{'text_generation_text': [__import__('os').system('true')]}]",
        "[" * 100_000,
        "[{'text_generation_text': ['\\U00ffffff']}]",
        "[{'text_generation_text': ['" + "x" * 30_000 + "']}]",
    ],
    ids=range(11),
)
def test_other_text(tmp_path, text):
    path = tmp_path / "predictions.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError):
        read_predictions_file(path)
