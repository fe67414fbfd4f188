"""MindSpore's writer of MindRecord files, fed with arrays."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple, TypeVar

import numpy as np

from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.records.examples import Examples, layout

FIELDS = ("input_ids", "labels")
# Ids of each field that are laid out at a time: some 30 MB with the copies.
_MOST_IDS = 1 << 20


def import_mindspore() -> None:
    """Import what RecordWriter needs, which takes seconds."""
    import mindspore.mindrecord  # noqa: F401


Writer = TypeVar("Writer", bound="ArrayWriter")


@contextlib.contextmanager
def record_files(output: Path) -> Iterator[Tuple[Path, Path]]:
    """Give temporary paths of a record file and its summary: OUTPUT, OUTPUT.db, OUTPUT.json.

    All appear only on a clean exit, OUTPUT last: its existence means the rest is there.
    """
    with contextlib.ExitStack() as stack:
        # Closed in reverse order, so that the record file is renamed last.
        record, index, summary = (
            stack.enter_context(atomic_path(f"{output}{suffix}")) for suffix in ("", ".db", ".json")
        )
        yield record, summary
        Path(f"{record}.db").replace(index)
        # Killed between two of the renames that follow, we leave no record file at all rather
        # than an old one beside a new index.
        output.unlink(missing_ok=True)


class ArrayWriter:
    """Writes rows of `input_ids` and `labels`, int32 (length,), to one file.

    path     the file; MindSpore puts the index, .db, beside it.
    output   what errors name.

    A context manager: the file is complete after a clean exit. Raises UserError where MindSpore
    cannot write. MindSpore is imported here, unless it has been (`import_mindspore`).
    """

    def __init__(self, path: Path, output: Path, length: int) -> None:
        from mindspore.mindrecord import FileWriter

        self._output = output
        self._writer = FileWriter(str(path), shard_num=1)
        column = {"type": "int32", "shape": [length]}
        self._writer.add_schema(dict.fromkeys(FIELDS, column), "examples")
        self._write_blobs: Optional[Callable[[List[bytes]], None]] = None
        self._written = False

    def __enter__(self: Writer) -> Writer:
        return self

    def write_arrays(self, ids: np.ndarray, labels: np.ndarray) -> None:
        """Write rows, int32 (rows, length) each."""
        if len(ids):
            with self._errors():
                self._write(ids, labels)
            self._written = True

    def _write(self, ids: np.ndarray, labels: np.ndarray) -> None:
        start = 0
        if not self._written:
            # The public call opens the file and holds the schema against the first row.
            self._public(ids[:1], labels[:1])
            self._write_blobs = blob_writer(self._writer, ids[0], labels[0])
            start = 1
        if start == len(ids):
            return
        if self._write_blobs is None:
            self._public(ids[start:], labels[start:])
        else:
            self._write_blobs(blobs(ids[start:], labels[start:]))

    def _public(self, ids: np.ndarray, labels: np.ndarray) -> None:
        self._writer.write_raw_data([dict(zip(FIELDS, row)) for row in zip(ids, labels)])

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None and self._written:
            with self._errors():
                self._writer.commit()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from mindspore.mindrecord.common.exceptions import MindRecordException

        try:
            yield
        except (RuntimeError, MindRecordException) as error:
            reason = " ".join(str(error).split())[:200]
            what = f"MindSpore could not write it ({reason})"
            raise UserError(what, self._output, "free some disk space and try again") from error


class RecordWriter(ArrayWriter):
    """Writes examples, laid out as rows of seq_length + 1, as `ArrayWriter` does."""

    def __init__(self, path: Path, output: Path, seq_length: int, pad_id: int) -> None:
        super().__init__(path, output, seq_length + 1)
        self._seq_length, self._pad_id = seq_length, pad_id

    def write(self, examples: Examples, rows: np.ndarray) -> None:
        """Write examples, `rows` as in `examples.layout`."""
        most = max(1, _MOST_IDS // (self._seq_length + 1))
        count = int(rows[-1]) + 1 if len(rows) else 0
        for start in range(0, count, most):
            first, last = np.searchsorted(rows, [start, start + most])
            part = examples if count <= most else examples.take(np.arange(first, last))
            ids, labels = layout(part, self._seq_length, self._pad_id, rows[first:last] - start)
            self.write_arrays(ids, labels)


def blob_writer(
    writer: Any, ids: np.ndarray, labels: np.ndarray
) -> Optional[Callable[[List[bytes]], None]]:
    """Give the function behind FileWriter.write_raw_data that takes rows as bytes, or None.

    writer        a FileWriter that has been written to.
    ids, labels   a row, to try the form on.

    FileWriter checks each field of each row in Python and puts its bytes together there, which
    takes twice as long as the writing in C++ below. We make the bytes of a whole batch at once
    instead, but only where MindSpore's own function makes the same of a row: a version whose
    insides are others gives None.
    """
    try:
        from mindspore._c_mindrecord import MSRStatus

        shard = writer._writer
        inner = shard._writer.write_raw_data
        row = dict(zip(FIELDS, (ids, labels)))
        own = shard._merge_blob({field: row[field] for field in writer._header.blob_fields})
        if own != blobs(ids[None], labels[None])[0]:
            return None
        success = MSRStatus.SUCCESS
    except (ImportError, AttributeError, TypeError, KeyError, ValueError):
        return None

    def write(rows: List[bytes]) -> None:
        if inner({}, rows, False, False) != success:
            raise RuntimeError("write_raw_data failed")

    return write


def blobs(ids: np.ndarray, labels: np.ndarray) -> List[bytes]:
    """Give each row as MindRecord stores it: bytes of the field in 8 (big-endian), the field."""
    count, length = ids.shape
    form = np.dtype([("a", ">u8"), ("ids", "<i4", length), ("b", ">u8"), ("labels", "<i4", length)])
    rows = np.empty(count, form)
    rows["a"] = rows["b"] = 4 * length
    rows["ids"], rows["labels"] = ids, labels
    data = rows.tobytes()
    return [data[at : at + form.itemsize] for at in range(0, len(data), form.itemsize)]
