"""Rows of the corpus → a MindRecord file of training examples, in the order of the rows."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from tools.corpus.kinds import CHINESE, in_order
from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.hashing import read_chunks
from tools.files.json_lines import no_rows
from tools.files.outputs import keep_apart
from tools.files.progress import Bar, progress
from tools.records.encoding import Encoded, Job, encode_block, encode_reading, prepare, spread
from tools.records.examples import Examples
from tools.records.lengths import Lengths
from tools.records.packing import pack
from tools.records.tokenizers import SpecialIds, Tokenizer, open_complete, tokenizer_facts
from tools.records.writer import RecordWriter, import_mindspore, record_files
from tools.settings.lines import line_at

PathLike = Union[str, Path]
# Four of the embedded set's titles, which are never asked.
READING = Path(__file__).resolve().parents[2] / "material" / "embedded" / "reading-train.json"


class RecordSettings(NamedTuple):
    """How rows become examples.

    seq_length   tokens the model sees at a time; a row of the file has one more.
    frame        one of prompts.PROBLEM_FRAMES.
    ids          special ids; where None, those of `model`, else those of the tokenizer file.
    model        a model.json to take ids from.
    pack         several whole examples a row; for training that tells them apart by their EOS.
    recipe       the recipe's file: what our writer worked out must fit, or it is at fault.
    most_new     tokens that inference writes at most; such an answer must fit them as well.
    reading      so many copies of the embedded questions that are for training go in as well.
    """

    seq_length: int
    frame: str = "alpaca"
    ids: SpecialIds = SpecialIds()
    model: Optional[PathLike] = None
    pack: bool = False
    recipe: Optional[Path] = None
    most_new: Optional[int] = None
    reading: int = 0


class _Tally:
    """What has been read and written."""

    def __init__(self, room: int) -> None:
        self.rows = self.examples = self.left_out = self.tokens = self.answer_tokens = 0
        self.longest = self.most_labels = 0
        self.lengths = Lengths(room)
        # By kind, tokens of the longest example and, without EOS, of the longest answer.
        self.longest_of: Dict[str, int] = {}
        self.longest_answer_of: Dict[str, int] = {}
        self._room = room

    def add(self, encoded: Encoded) -> None:
        examples = encoded.examples
        fitting = encoded.kinds[encoded.sizes <= self._room]
        self.examples += len(examples.prompts)
        self.left_out += len(encoded.sizes) - len(examples.prompts)
        self.tokens += len(examples.ids)
        self.answer_tokens += int(examples.answers.sum(dtype=np.int64))
        self.longest = max(self.longest, int(encoded.sizes.max(initial=0)))
        for index in np.unique(encoded.kinds):
            name, sizes = encoded.names[index], encoded.sizes[encoded.kinds == index]
            answers = examples.answers[fitting == index] - 1
            self.lengths.add(name, sizes)
            _raise_to(self.longest_of, name, sizes)
            _raise_to(self.longest_answer_of, name, answers)

    def place(self, examples: Examples, rows: np.ndarray) -> None:
        if len(rows):
            self.rows += int(rows[-1]) + 1
            labels = np.bincount(rows, weights=examples.answers)
            self.most_labels = max(self.most_labels, int(labels.max()))


def _raise_to(longest: Dict[str, int], kind: str, sizes: np.ndarray) -> None:
    longest[kind] = max(longest.get(kind, 0), int(sizes.max(initial=0)))


def write_records(
    rows: PathLike, tokenizer: PathLike, output: PathLike, settings: RecordSettings
) -> Dict[str, Any]:
    """Convert a corpus file; return the summary, which is also written to OUTPUT.json.

    `input_ids` and `labels` are as in `examples.layout`. Rows keep their order, with `pack` but
    for `packing.pack`'s; over-long ones are left out whole, none is cut. Memory does not grow with
    the file. OUTPUT, OUTPUT.db and OUTPUT.json appear only when all is done, OUTPUT last: its
    existence means the rest is there. The same input gives the same bytes on any machine.

    In the summary, `rows` are those of OUTPUT, `examples` the rows of the corpus in them, `used`
    the share of positions that hold a token, `most_labels` the labels of the row that has most of
    them; `lengths` and `over` are those of `lengths.Lengths`.

    With `reading`, questions on passages, in the frame `squad`, stand behind the corpus' rows;
    training shuffles them.

    Raises UserError for bad rows, a tokenizer of another kind or without EOS and pad ids, where no
    row fits, and with a recipe where the longest solution of a kind does not. A script that calls
    this needs `if __name__ == "__main__"`, since a long file is encoded in several processes.
    """
    output = Path(output)
    keep_apart(output, Path(rows))
    opened = open_complete(tokenizer, settings.ids, settings.model)
    ids = SpecialIds(opened.bos_id, opened.eos_id, opened.pad_id)
    tally = _Tally(settings.seq_length + 1)
    job = Job(rows, tokenizer, ids, settings.frame, settings.seq_length, settings.pack)
    with (
        record_files(output) as (record, summary_path),
        progress("convert records", _count_lines(rows), "rows") as bar,
        contextlib.closing(spread(rows, encode_block, prepare, job, import_mindspore)) as encoded,
    ):
        # Before the import of MindSpore, which takes longer than finding a fault here.
        head = list(itertools.islice(encoded, 1))
        more: List[Encoded] = []
        if settings.reading:
            more = [encode_reading(READING, opened, settings.seq_length)] * settings.reading
        examples = _tallied(itertools.chain(head, encoded, more), tally, bar)
        with RecordWriter(record, output, settings.seq_length, ids.pad) as writer:
            for part, places in _placed(examples, settings):
                writer.write(part, places)
                tally.place(part, places)
            if settings.recipe is not None:
                _check_fit(tally, settings)
            if not tally.rows:
                raise _nothing(rows, tally, settings)
        summary = _summary(rows, tokenizer, opened, settings, tally)
        write_json(summary_path, summary)
    return summary


def _tallied(blocks: Iterable[Encoded], tally: _Tally, bar: Bar) -> Iterator[Examples]:
    for encoded in blocks:
        tally.add(encoded)
        yield encoded.examples
        bar.advance(len(encoded.sizes))


def _placed(
    batches: Iterable[Examples], settings: RecordSettings
) -> Iterator[Tuple[Examples, np.ndarray]]:
    """Yield batches with the rows that their examples go into, as in `examples.layout`."""
    if settings.pack:
        return pack(batches, settings.seq_length + 1)
    return ((examples, np.arange(len(examples.prompts))) for examples in batches)


def _nothing(rows: PathLike, tally: _Tally, settings: RecordSettings) -> UserError:
    if not tally.left_out:
        return no_rows(rows)
    what = f"none of its {tally.left_out} rows fits into {settings.seq_length} tokens"
    return UserError(what, rows, "choose a greater --seq-length")


def _check_fit(tally: _Tally, settings: RecordSettings) -> None:
    """UserError at the recipe's file:line for the kind whose solutions are too long by most.

    English solutions are the source's, of any length: those are left out and counted.
    """
    recipe, most = settings.recipe, settings.most_new
    for longest, room, what, key in (
        (tally.longest_of, settings.seq_length + 1, "a prompt with its solution", "seq_length"),
        (tally.longest_answer_of, most, "a solution", "max_new_tokens"),
    ):
        sizes = {kind: size for kind, size in longest.items() if kind in CHINESE}
        kind = max(sizes, key=sizes.__getitem__, default=None)
        if kind is None or room is None or sizes[kind] <= room:
            continue
        narrower = ", or train fewer exponents" if kind == "power" else ""
        raise UserError(
            f"{kind}: {what} takes {sizes[kind]} tokens, {room} fit",
            f"{recipe}:{line_at(recipe, 'styles', kind)}",
            f"raise {key} of {recipe.stem} in the profile's recipes{narrower}, or choose a "
            "shorter style",
        )


def _count_lines(path: PathLike) -> Optional[int]:
    """Rows to expect, for the time left; None where it cannot be known beforehand."""
    if not Path(path).is_file():  # a pipe can be read only once
        return None
    count = sum(chunk.count(b"\n") for chunk in read_chunks(path))
    return count or None


def _summary(
    rows: PathLike,
    path: PathLike,
    tokenizer: Tokenizer,
    settings: RecordSettings,
    tally: _Tally,
) -> Dict[str, Any]:
    counts = ("rows", "examples", "left_out", "tokens", "answer_tokens", "longest", "most_labels")
    return {
        "source": Path(rows).name,
        **{name: getattr(tally, name) for name in counts},
        "used": round(tally.tokens / (tally.rows * (settings.seq_length + 1)), 6),
        "pack": settings.pack,
        "seq_length": settings.seq_length,
        "frame": settings.frame,
        **tally.lengths.summary(in_order(tally.lengths.kinds)),
        "tokenizer": tokenizer_facts(path, tokenizer),
    }
