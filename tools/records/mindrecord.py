"""Rows of the corpus → a MindRecord file of training examples, in the order of the rows."""

from __future__ import annotations

import contextlib
import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Union

from tools.corpus.rows import Row, read_rows
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.hashing import content_of, read_chunks
from tools.files.progress import progress
from tools.records.examples import Example, encode_examples, fits, layout
from tools.records.prompts import PROBLEM_FRAMES, render_answer, render_prompt
from tools.records.tokenizers import SpecialIds, Tokenizer, open_tokenizer, read_model_ids

PathLike = Union[str, Path]

# Rows at a time: enough to keep tokenizer threads and writer busy, and at most some 50 MB.
_BATCH_ROWS = 4096
_BATCH_IDS = 4_000_000


class RecordSettings(NamedTuple):
    """How rows become examples.

    seq_length   tokens the model sees at a time; a row of the file has one more.
    frame        one of prompts.PROBLEM_FRAMES.
    ids          special ids; where None, those of `model`, else those of the tokenizer file.
    model        a model.json to take ids from.
    strict       an over-long row is an error instead of being counted and left out.
    """

    seq_length: int
    frame: str = "alpaca"
    ids: SpecialIds = SpecialIds()
    model: Optional[PathLike] = None
    strict: bool = False


def write_records(
    rows: PathLike, tokenizer: PathLike, output: PathLike, settings: RecordSettings
) -> Dict[str, Any]:
    """Convert a corpus file; return the summary, which is also written to OUTPUT.json.

    `input_ids` and `labels` are as in `examples.layout`. Rows keep their order, over-long ones
    are left out whole, none is cut. Memory does not grow with the file. OUTPUT, OUTPUT.db and
    OUTPUT.json appear only when all is done, OUTPUT last: its existence means the rest is
    there. The same input gives the same bytes.

    Raises UserError for bad rows, a tokenizer of another kind or without EOS and pad ids, and
    where no row fits.
    """
    output = Path(output)
    _check(rows, output, settings)
    opened, ids = _open(tokenizer, settings)
    total = _count_lines(rows)
    tally = {"rows": 0, "left_out": 0, "tokens": 0, "answer_tokens": 0, "longest": 0}
    with contextlib.ExitStack() as stack:
        # Closed in reverse order, so that the record file is renamed last.
        record, index, summary_path = (
            stack.enter_context(atomic_path(f"{output}{suffix}")) for suffix in ("", ".db", ".json")
        )
        with (
            _Writer(record, output, settings.seq_length) as writer,
            progress("convert records", total, "rows") as bar,
        ):
            for batch in _batches(rows, settings.seq_length):
                examples = _examples(batch, rows, opened, settings)
                writer.write(_fitting(examples, batch, rows, settings, tally), ids.pad)
                bar.advance(len(batch))
        if not tally["rows"]:
            what = f"none of its {tally['left_out']} rows fits into {settings.seq_length} tokens"
            raise UserError(what, rows, "choose a greater --seq-length")
        summary = _summary(rows, tokenizer, opened, ids, settings, tally)
        summary_path.write_text(
            json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        Path(f"{record}.db").replace(index)
        # Killed between two of the renames that follow, we leave no record file at all rather
        # than an old one beside a new index.
        output.unlink(missing_ok=True)
    return summary


def _check(rows: PathLike, output: Path, settings: RecordSettings) -> None:
    if settings.seq_length < 1:
        raise UserError(f"{settings.seq_length} is no length", "--seq-length", "give 1 or more")
    if settings.frame not in PROBLEM_FRAMES:
        choices = ", ".join(PROBLEM_FRAMES)
        raise UserError(f"{settings.frame[:40]!r} is unknown", "--prompt", f"choose of {choices}")
    if output.exists() and output.samefile(rows):
        raise UserError("the output is the input", output, "name another output")


def _open(path: PathLike, settings: RecordSettings) -> tuple[Tokenizer, SpecialIds]:
    given = settings.ids
    tokenizer = open_tokenizer(path, *given)
    if settings.model is not None:
        given = given.over(read_model_ids(settings.model, tokenizer.vocab_size))
        tokenizer = open_tokenizer(path, *given)
    if tokenizer.eos_id is None or tokenizer.pad_id is None:
        raise UserError(
            "says nothing of its end and padding ids", path, "give --eos-id, --pad-id or --model"
        )
    return tokenizer, SpecialIds(tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)


def _count_lines(path: PathLike) -> Optional[int]:
    """Rows to expect, for the time left; None where it cannot be known beforehand."""
    if not Path(path).is_file():  # a pipe can be read only once
        return None
    count = sum(chunk.count(b"\n") for chunk in read_chunks(path))
    return count or None


def _batches(path: PathLike, seq_length: int) -> Iterator[List[Row]]:
    size = max(1, min(_BATCH_ROWS, _BATCH_IDS // (seq_length + 1)))
    rows = read_rows(path)
    while batch := list(islice(rows, size)):
        yield batch


def _examples(
    batch: List[Row], path: PathLike, tokenizer: Tokenizer, settings: RecordSettings
) -> List[Example]:
    frame = settings.frame
    places = [f"{path}, row {row.id[:40]}" for row in batch]
    prompts = [render_prompt(frame, row.problem, where=w) for row, w in zip(batch, places)]
    answers = [render_answer(frame, row.solution, where=w) for row, w in zip(batch, places)]
    return encode_examples(prompts, answers, tokenizer)


def _fitting(
    examples: List[Example],
    batch: List[Row],
    path: PathLike,
    settings: RecordSettings,
    tally: Dict[str, int],
) -> List[Example]:
    kept = []
    for example, row in zip(examples, batch):
        tally["longest"] = max(tally["longest"], example.size)
        if fits(example, settings.seq_length):
            kept.append(example)
            tally["tokens"] += example.size
            tally["answer_tokens"] += len(example.answer)
        elif settings.strict:
            raise UserError(
                f"has {example.size} tokens, {settings.seq_length + 1} fit",
                f"{path}, row {row.id[:40]}",
                "choose a greater --seq-length, or leave out --strict",
            )
        else:
            tally["left_out"] += 1
    tally["rows"] += len(kept)
    return kept


def _summary(
    rows: PathLike,
    path: PathLike,
    tokenizer: Tokenizer,
    ids: SpecialIds,
    settings: RecordSettings,
    tally: Dict[str, int],
) -> Dict[str, Any]:
    return {
        "source": Path(rows).name,
        **tally,
        "used": round(tally["tokens"] / (tally["rows"] * (settings.seq_length + 1)), 6),
        "seq_length": settings.seq_length,
        "frame": settings.frame,
        "tokenizer": {
            "file": Path(path).name,
            "kind": tokenizer.kind,
            "vocab_size": tokenizer.vocab_size,
            "sha256": content_of(path).sha256,
            **ids._asdict(),
        },
    }


class _Writer:
    """MindSpore's FileWriter, with our errors; `output` is what they name."""

    def __init__(self, path: Path, output: Path, seq_length: int) -> None:
        from mindspore.mindrecord import FileWriter

        self._output, self._seq_length = output, seq_length
        self._writer = FileWriter(str(path), shard_num=1)
        column = {"type": "int32", "shape": [seq_length + 1]}
        self._writer.add_schema({"input_ids": column, "labels": column}, "examples")
        self._written = False

    def __enter__(self) -> _Writer:
        return self

    def write(self, examples: List[Example], pad_id: int) -> None:
        if not examples:
            return
        ids, labels = layout(examples, self._seq_length, pad_id)
        rows = [{"input_ids": i, "labels": t} for i, t in zip(ids, labels)]
        with self._errors():
            self._writer.write_raw_data(rows)
        self._written = True

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
