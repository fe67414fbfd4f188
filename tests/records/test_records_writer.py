"""The writer: the short way to MindSpore's C++ writes the same bytes as its public call."""

from __future__ import annotations

import numpy as np
import pytest

from tools.records import writer as module
from tools.records.examples import gather, layout
from tools.records.writer import FIELDS, RecordWriter, blob_writer


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 15, (300, 2))
    prompts = [rng.integers(10, 128_256, size).tolist() for size in sizes[:, 0]]
    return gather(prompts, [[*rng.integers(10, 128_256, size), 2] for size in sizes[:, 1]])


def write(path, examples, parts):
    path.parent.mkdir()
    with RecordWriter(path, path, 31, 2) as writer:
        for chosen in np.array_split(np.arange(len(examples.sizes)), parts):
            writer.write(examples.take(chosen), np.arange(len(chosen)))
    return writer


@pytest.mark.parametrize("parts", [1, 4, 300])
def test_the_same_bytes_as_the_public_call(examples, tmp_path, monkeypatch, parts):
    fast = tmp_path / "fast" / "x.mindrecord"
    public = tmp_path / "public" / "x.mindrecord"
    by_hand = tmp_path / "by-hand" / "x.mindrecord"
    assert write(fast, examples, parts)._write_blobs is not None
    monkeypatch.setattr(module, "blob_writer", lambda *_: None)
    assert write(public, examples, parts)._write_blobs is None
    # As the documentation of MindSpore has it, without any of our code.
    from mindspore.mindrecord import FileWriter

    by_hand.parent.mkdir()
    ids, labels = layout(examples, 31, 2)
    writer = FileWriter(str(by_hand), shard_num=1)
    column = {"type": "int32", "shape": [32]}
    writer.add_schema(dict.fromkeys(FIELDS, column), "examples")
    writer.write_raw_data([{"input_ids": i, "labels": t} for i, t in zip(ids, labels)])
    writer.commit()
    for suffix in ("", ".db"):
        contents = [
            path.with_name(path.name + suffix).read_bytes() for path in (fast, public, by_hand)
        ]
        assert contents[0] == contents[1] == contents[2]


def test_what_mindformers_reads(examples, tmp_path):
    from mindspore.dataset import MindDataset

    path = tmp_path / "a" / "x.mindrecord"
    write(path, examples, 7)
    found = MindDataset(str(path), columns_list=list(FIELDS), shuffle=False)
    rows = list(found.create_dict_iterator(output_numpy=True, num_epochs=1))
    assert len(rows) == len(examples.sizes)
    for name, expected in zip(FIELDS, layout(examples, 31, 2)):
        assert np.array_equal(np.stack([row[name] for row in rows]), expected)
        assert rows[0][name].dtype == np.int32


def test_large_batches_are_laid_out_in_parts(examples, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole" / "x.mindrecord", tmp_path / "cut" / "x.mindrecord"
    write(whole, examples, 1)
    monkeypatch.setattr(module, "_MOST_IDS", 100)
    write(cut, examples, 1)
    assert whole.read_bytes() == cut.read_bytes()


class _Shard:
    """MindSpore's ShardWriter, as far as we look into it."""

    def __init__(self, status="SUCCESS", merged=None):
        from mindspore._c_mindrecord import MSRStatus

        self._writer, self._status, self._merged = self, getattr(MSRStatus, status), merged

    def write_raw_data(self, *arguments):
        self.arguments = arguments
        return self._status

    def _merge_blob(self, blobs):
        own = b"".join(len(v.tobytes()).to_bytes(8, "big") + v.tobytes() for v in blobs.values())
        return own if self._merged is None else self._merged


def outer(shard, fields=FIELDS):
    header = type("Header", (), {"blob_fields": list(fields)})()
    return type("Writer", (), {"_writer": shard, "_header": header})()


def test_other_insides_are_left_alone():
    ids, labels = np.arange(3, dtype=np.int32), np.arange(3, 6, dtype=np.int32)
    shard = _Shard()
    blob_writer(outer(shard), ids, labels)([b"row"])
    assert shard.arguments == ({}, [b"row"], False, False)
    for writer in (
        object(),
        outer(object()),
        outer(_Shard(merged=b"another form")),
        outer(_Shard(), fields=("labels", "input_ids")),
        outer(_Shard(), fields=("input_ids", "mask")),
    ):
        assert blob_writer(writer, ids, labels) is None
    with pytest.raises(RuntimeError, match="failed"):
        blob_writer(outer(_Shard(status="FAILED")), ids, labels)([b"row"])
