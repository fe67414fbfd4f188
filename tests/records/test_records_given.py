"""Records that somebody else wrote: taken as they are, refused with the reason."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.records.given import take_records

LENGTH, VOCABULARY = 8, 100


def rows_of(count, length=LENGTH + 1):
    """Rows of as many labels as their number, the first without any."""
    ids = np.random.default_rng(1).integers(0, VOCABULARY, (count, length), dtype=np.int32)
    labels = np.where(np.arange(length) < length - np.arange(count)[:, None], -100, ids)
    return ids, labels.astype(np.int32)


def write(path, columns, kind="int32", shape=(-1,), files=1):
    """Row by row, with a schema that leaves the length open: as the organisers' script does."""
    from mindspore.mindrecord import FileWriter

    path.parent.mkdir(exist_ok=True)
    writer = FileWriter(str(path), shard_num=files)
    writer.add_schema({name: {"type": kind, "shape": list(shape)} for name in columns}, "qa")
    for row in zip(*columns.values()):
        writer.write_raw_data([dict(zip(columns, row))])
    writer.commit()
    return path


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    ids, labels = rows_of(5)
    path = tmp_path_factory.mktemp("theirs") / "train-fastchat8.mindrecord"
    return write(path, {"input_ids": ids, "labels": labels})


def take(source, folder, length=LENGTH, vocabulary=VOCABULARY):
    return take_records(source, folder / "train.mindrecord", length, vocabulary)


def test_taken_as_it_is(theirs, tmp_path):
    summary = take(theirs, tmp_path)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir()} == {
        "train.mindrecord",
        "train.mindrecord.json",
        "given/train-fastchat8.mindrecord",
        "given/train-fastchat8.mindrecord.db",
    }
    for suffix in ("", ".db"):
        copy = tmp_path / "given" / (theirs.name + suffix)
        assert copy.read_bytes() == theirs.with_name(copy.name).read_bytes()
    assert (tmp_path / "train.mindrecord").resolve() == tmp_path / "given" / theirs.name
    assert summary == json.loads((tmp_path / "train.mindrecord.json").read_text("utf-8"))
    assert summary == {
        "source": theirs.name,
        "given": {
            "file": theirs.name,
            "bytes": theirs.stat().st_size,
            "sha256": hashlib.sha256(theirs.read_bytes()).hexdigest(),
        },
        "rows": 5,
        "answer_tokens": 10,
        "most_labels": 4,
        "without_labels": 1,
        "examples": 5,
        "left_out": 0,
        "pack": False,
        "seq_length": LENGTH,
        "frame": None,
    }


def test_what_mindformers_reads_through_the_link(theirs, tmp_path):
    from mindspore.dataset import MindDataset

    take(theirs, tmp_path)
    # The launch resolves the link: MindSpore knows a file by the name that it was written under.
    path = (tmp_path / "train.mindrecord").resolve()
    data = MindDataset(str(path), columns_list=["input_ids", "labels"], shuffle=False)
    found = list(data.create_tuple_iterator(num_epochs=1, output_numpy=True))
    for column, expected in zip(zip(*found), rows_of(5)):
        assert np.array_equal(np.stack(column), expected)


def test_in_the_place_of_records_made_here_and_back(theirs, tmp_path, rows_file, tiktoken_file):
    from tools.records.mindrecord import RecordSettings, write_records

    output = tmp_path / "train.mindrecord"
    write_records(rows_file, tiktoken_file, output, RecordSettings(600))
    take(theirs, tmp_path)
    assert output.is_symlink() and not (tmp_path / "train.mindrecord.db").exists()
    write_records(rows_file, tiktoken_file, output, RecordSettings(600))
    assert not output.is_symlink() and (tmp_path / "train.mindrecord.db").is_file()
    assert (tmp_path / "given" / theirs.name).read_bytes() == theirs.read_bytes()


def altered(column, row, place, value):
    columns = dict(zip(("input_ids", "labels"), rows_of(5)))
    columns[column][row, place] = value
    return columns


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (altered("input_ids", 3, 8, VOCABULARY), "row 4: input_ids has 100, the model's"),
        (altered("input_ids", 0, 0, -1), "row 1: input_ids has -1, the model's"),
        (altered("labels", 2, 5, VOCABULARY), "row 3: labels has 100, the model's"),
        (altered("labels", 2, 5, -1), "row 3: labels has -1, the model's"),
        ({"input_ids": rows_of(2)[0]}, "has no column labels, but input_ids"),
        (
            dict(zip(("input_ids", "labels"), rows_of(5, 8))),
            "have 8 tokens, seq_length 8 needs 9",
        ),
        (
            {"input_ids": rows_of(2)[0], "labels": np.full((2, 9), -100, np.int32)},
            "none of its 2 rows has a label",
        ),
        # The first token has nothing before it that it could be the output of.
        (
            {"input_ids": rows_of(1)[0], "labels": np.array([[5] + [-100] * 8], np.int32)},
            "none of its 1 rows has a label",
        ),
        (
            {"input_ids": [np.arange(n, dtype=np.int32) for n in (9, 8)]}
            | {"labels": rows_of(2)[1]},
            "MindSpore cannot read it (Cannot batch tensors with different shapes",
        ),
    ],
)
def test_rows_that_cannot_be_trained_on(tmp_path, columns, fault):
    source = write(tmp_path / "in" / "x.mindrecord", columns)
    with pytest.raises(UserError, match=re.escape(fault)):
        take(source, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "shape", "told"), [("int64", [-1], "int64 of shape [-1]"), ("int32", [3, 3], "[3, 3]")]
)
def test_columns_of_another_type(tmp_path, kind, shape, told):
    ids, labels = (part.astype(kind).reshape(5, *shape) for part in rows_of(5))
    source = write(
        tmp_path / "in" / "x.mindrecord", {"input_ids": ids, "labels": labels}, kind, shape
    )
    with pytest.raises(UserError, match=re.escape(told)):
        take(source, tmp_path / "out")


def test_a_file_that_is_not_whole(theirs, tmp_path):
    for name in (theirs.name, "renamed.mindrecord", "without.mindrecord", "short.mindrecord"):
        shutil.copy(theirs, tmp_path / name)
        shutil.copy(f"{theirs}.db", tmp_path / f"{name}.db")
    with pytest.raises(UserError, match="do not rename the mindrecord file"):
        take(tmp_path / "renamed.mindrecord", tmp_path / "out")
    (tmp_path / "without.mindrecord.db").unlink()
    with pytest.raises(UserError, match=r"without\.mindrecord\.db: no such file"):
        take(tmp_path / "without.mindrecord", tmp_path / "out")
    short = tmp_path / theirs.name
    short.write_bytes(short.read_bytes()[:100_000])
    with pytest.raises(UserError, match="MindSpore cannot read it"):
        take(short, tmp_path / "out")
    short.write_bytes(b"\xff" * 100_000)
    with pytest.raises(UserError, match="MindSpore cannot read it"):
        take(short, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_one_file_of_several(tmp_path):
    ids, labels = rows_of(5)
    write(tmp_path / "in" / "x.mindrecord", {"input_ids": ids, "labels": labels}, files=3)
    for name in ("x.mindrecord0", "x.mindrecord2"):
        with pytest.raises(UserError, match=f"{name}: is one of the 3 files of a data set"):
            take(tmp_path / "in" / name, tmp_path / "out")


def test_a_failed_check_leaves_what_was_there(theirs, tmp_path):
    before = take(theirs, tmp_path)
    with pytest.raises(UserError, match="needs 8"):
        take(theirs, tmp_path, length=7)
    assert json.loads((tmp_path / "train.mindrecord.json").read_text("utf-8")) == before
    assert (tmp_path / "train.mindrecord").resolve().read_bytes() == theirs.read_bytes()
