"""A MindRecord file that somebody else wrote, taken into a run as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Tuple, Union

import numpy as np

from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.files.progress import progress
from tools.records.examples import IGNORED
from tools.records.writer import FIELDS

PathLike = Union[str, Path]

# Where the file goes, beside OUTPUT; its name stands in its own header and must be kept.
FOLDER = "given"
# Rows read at a time: a few MB.
_TOGETHER = 1024
# Bytes of a header, as MindSpore sets it.
_LONGEST_HEADER = 16 << 20


class _Found(NamedTuple):
    rows: int
    answer_tokens: int
    most_labels: int
    without_labels: int


def take_records(
    source: PathLike, output: PathLike, seq_length: int, vocab_size: int
) -> Dict[str, Any]:
    """Copy a record file to OUTPUT's folder; return the summary, also written to OUTPUT.json.

    source       the file, with its index beside it (FILE.db)
    seq_length   that of the model; rows have one token more, since MindFormers shifts
    vocab_size   that of the model

    OUTPUT becomes a link to given/NAME: MindSpore refuses a file under another name than that it
    was written under. It appears last: its existence means the rest is there.

    Raises UserError for one file of several, and, naming the row, unless each has `input_ids` and
    `labels`, int32 of seq_length + 1, its ids in the vocabulary, its labels there or IGNORED, and
    unless some row has a label that is trained on.
    """
    source, output = Path(source), Path(output)
    index = source.with_name(source.name + ".db")
    if not index.is_file():
        raise UserError("no such file", index, "put the index of the records beside them")
    count = _file_count(source)
    if count > 1:
        what = f"is one of the {count} files of a data set, which cannot be taken"
        raise UserError(what, source, "write its rows into one file (FileWriter's shard_num=1)")
    with atomic_path(output.parent / FOLDER) as folder:
        folder.mkdir()
        for path in (source, index):
            # Not linked: what a run was made of must not change under it.
            shutil.copyfile(path, folder / path.name)
        found = _check(folder / source.name, source, seq_length, vocab_size)
        content = content_of(folder / source.name)
        # Killed between the renames that follow, we leave no records at all.
        output.unlink(missing_ok=True)
    summary = {
        "source": source.name,
        "given": {"file": source.name, "bytes": content.bytes, "sha256": content.sha256},
        **found._asdict(),
        "examples": found.rows,
        "left_out": 0,
        "pack": False,
        "seq_length": seq_length,
        # Nothing in a record file tells.
        "frame": None,
    }
    with atomic_path(output) as link, atomic_path(f"{output}.json") as path:
        path.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", "utf-8")
        link.symlink_to(Path(FOLDER) / source.name)
        # Of records made here before.
        Path(f"{output}.db").unlink(missing_ok=True)
    return summary


def _file_count(source: Path) -> int:
    """Return how many files the data set of `source` has, 1 where its header is damaged."""
    with source.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        try:
            return len(json.loads(handle.read(min(size, _LONGEST_HEADER)))["shard_addresses"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return 1  # MindSpore says what is wrong


def _check(path: Path, source: Path, seq_length: int, vocab_size: int) -> _Found:
    rows = answer_tokens = most = without = 0
    with progress("check records", None, "rows") as bar:
        for ids, labels in _batches(path, source, seq_length + 1):
            trained = labels != IGNORED
            for name, values, known in (
                ("input_ids", ids, np.ones_like(trained)),
                ("labels", labels, trained),
            ):
                outside = ((values < 0) | (values >= vocab_size)) & known
                if outside.any():
                    row = int(np.argmax(outside.any(axis=1)))
                    value = values[row][outside[row]][0]
                    what = f"{name} has {value}, the model's vocabulary {vocab_size} ids"
                    remedy = "take the records of this model's tokenizer"
                    raise UserError(what, f"{source}, row {rows + row + 1}", remedy)
            # The first position is never compared with an output.
            counts = trained[:, 1:].sum(axis=1)
            rows += len(ids)
            answer_tokens += int(counts.sum())
            most = max(most, int(counts.max()))
            without += int((counts == 0).sum())
            bar.advance(len(ids))
    if not answer_tokens:
        raise UserError(
            f"none of its {rows} rows has a label to train on", source, "convert them again"
        )
    return _Found(rows, answer_tokens, most, without)


def _batches(path: Path, source: Path, length: int) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Yield `input_ids` and `labels` of some rows at a time, int32 (rows, length)."""
    from mindspore.dataset import MindDataset
    from mindspore.mindrecord import FileReader
    from mindspore.mindrecord.common.exceptions import MindRecordException

    try:
        reader = FileReader(str(path))
        _check_columns(reader.schema(), source)
        reader.close()
        data = MindDataset(str(path), columns_list=list(FIELDS), shuffle=False).batch(_TOGETHER)
        for ids, labels in data.create_tuple_iterator(num_epochs=1, output_numpy=True):
            for name, found in zip(FIELDS, (ids, labels)):
                if found.shape[1] != length:
                    what = f"its {name} have {found.shape[1]} tokens, seq_length {length - 1}"
                    remedy = "take records of that length, or set seq_length in finetune.yaml"
                    raise UserError(f"{what} needs {length}", source, remedy)
            yield ids, labels
    except (RuntimeError, MindRecordException) as error:
        told = [line for line in str(error).splitlines() if line.startswith("[ERROR]")]
        reason = " ".join((told or [str(error)])[0].replace("[ERROR]", "").split())
        # MindSpore names the copy.
        reason = reason.replace(str(path.parent), str(source.parent))[:300]
        raise UserError(f"MindSpore cannot read it ({reason})", source, _REMEDY) from error


_REMEDY = "take the whole file under the name it was written under, with its own index (.db)"


def _check_columns(columns: Any, source: Path) -> None:
    for name in FIELDS:
        column = columns.get(name)
        if not column:
            what = f"has no column {name}, but {', '.join(sorted(columns))[:100]}"
            raise UserError(what, source, "convert the rows again")
        if column.get("type") != "int32" or len(column.get("shape", ())) != 1:
            found = f"{column.get('type')} of shape {column.get('shape', [])}"
            what = f"its column {name} is {found}, not int32 of one dimension"
            raise UserError(what, source, "convert the rows again")
