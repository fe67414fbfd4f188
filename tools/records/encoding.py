"""A corpus file → examples as arrays, in the order of the rows, on all cores."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, TypeVar

import numpy as np

from tools.corpus.rows import Row, block_rows
from tools.files.errors import UserError
from tools.files.json_lines import Block, read_blocks
from tools.files.parallel import cores, ordered_map
from tools.records.examples import Examples, encode_examples
from tools.records.prompts import render_answer, render_prompt
from tools.records.reading import read_questions
from tools.records.tokenizers import PathLike, SpecialIds, Tokenizer, open_tokenizer

Result = TypeVar("Result")

# A process takes a second to start, in which this one does some ten thousand rows.
_ALONE_BLOCKS = 4
# More encode faster than MindSpore writes.
_MOST_WORKERS = 8
# Blocks under way: what is encoded while MindSpore is imported, which takes seconds. Some 60 MB.
_AHEAD = 64


class Job(NamedTuple):
    """What is to be encoded and how.

    path        corpus file
    tokenizer   file of it; ids are its special ids, with EOS
    frame       one of prompts.PROBLEM_FRAMES
    seq_length  examples of seq_length + 1 tokens fit
    apart       an EOS inside an example is an error
    """

    path: PathLike
    tokenizer: PathLike
    ids: SpecialIds
    frame: str
    seq_length: int
    apart: bool


class Encoded(NamedTuple):
    """The rows of one block.

    names      the kinds that the block has
    kinds      int32 (rows,): indices into `names`
    sizes      int32 (rows,): tokens of each
    examples   those that fit
    """

    names: List[str]
    kinds: np.ndarray
    sizes: np.ndarray
    examples: Examples


def spread(
    path: PathLike,
    function: Callable[[Block], Result],
    prepare: Callable[[Any], None],
    job: Any,
    meanwhile: Callable[[], object],
) -> Iterator[Result]:
    """Yield function(block) for each block of a file, in order.

    function, prepare   functions of a module; prepare(job) is called first in each process.
    meanwhile           called while other processes begin.

    A few thousand rows are encoded in this process, more in several. No more than _AHEAD blocks
    are under way at a time, so memory does not grow with the file. Raises UserError with
    file:line or file and row for the first fault in the file.
    """
    blocks = read_blocks(path)
    head = list(itertools.islice(blocks, _ALONE_BLOCKS + 1))
    workers = min(cores(), _MOST_WORKERS) if len(head) > _ALONE_BLOCKS else 1
    blocks = itertools.chain(head, blocks)
    del head
    found = ordered_map(function, blocks, prepare, (job,), workers, _AHEAD, meanwhile)
    with closing(found):
        yield from found


def encode_reading(path: Path, tokenizer: Tokenizer, seq_length: int) -> Encoded:
    """Return the questions of a SQuAD file with their first answers, over-long ones left out.

    tokenizer   with its special ids.
    """
    questions = list(read_questions(path, every=True))
    prompts = [render_prompt("squad", item.passage, item.question) for item in questions]
    answers = [render_answer("squad", item.answers[0]) for item in questions]
    examples = encode_examples(prompts, answers, tokenizer)
    fit = np.flatnonzero(examples.sizes <= seq_length + 1)
    kinds = np.zeros(len(questions), np.int32)
    return Encoded(["reading"], kinds, examples.sizes, examples.take(fit))


# What `prepare` leaves in a process for `encode_block`.
_job: Job
_tokenizer: Tokenizer


def prepare(job: Job) -> None:
    """Open the tokenizer in a process that is to encode."""
    global _job, _tokenizer
    _job, _tokenizer = job, open_here(job.tokenizer, job.ids)


def open_here(path: PathLike, ids: SpecialIds) -> Tokenizer:
    """Open a tokenizer in a process of several or in the only one."""
    if multiprocessing.parent_process() is not None:
        # Read by the library `tokenizers`: each process has one core.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return open_tokenizer(path, *ids)


def encode_block(block: Block) -> Encoded:
    """Encode the rows of a block as the job of this process says."""
    rows = list(block_rows(block, _job.path))
    places = {kind: place for place, kind in enumerate(dict.fromkeys(row.kind for row in rows))}
    kinds = np.fromiter((places[row.kind] for row in rows), np.int32, len(rows))
    examples = _encode(rows)
    sizes = examples.sizes
    over = sizes > _job.seq_length + 1
    if over.any():
        examples = examples.take(np.flatnonzero(~over))
        rows = [row for row, too_long in zip(rows, over) if not too_long]
    if _job.apart:
        _check_ends(examples, rows)
    return Encoded(list(places), kinds, sizes, examples)


def _encode(rows: List[Row]) -> Examples:
    frame = _job.frame
    prompts = [render_prompt(frame, row.problem, where=_place(row)) for row in rows]
    answers = [render_answer(frame, row.solution, where=_place(row)) for row in rows]
    try:
        return encode_examples(prompts, answers, _tokenizer)
    except UserError:
        # Some text is one that the library refuses: find the row.
        for row, prompt, answer in zip(rows, prompts, answers):
            try:
                encode_examples([prompt], [answer], _tokenizer)
            except UserError as error:
                raise UserError(error.what, _place(row), error.remedy) from error
        raise


def _check_ends(examples: Examples, rows: List[Row]) -> None:
    """UserError where an EOS stands elsewhere than at an example's end."""
    reach = np.cumsum(examples.sizes, dtype=np.int64)
    found = np.flatnonzero(examples.ids == _tokenizer.eos_id)
    if len(found) == len(reach):  # each ends in one
        return
    inside = found[~np.isin(found, reach - 1)][0]
    row = rows[int(np.searchsorted(reach, inside, side="right"))]
    raise UserError(
        f"its prompt or answer in the frame {_job.frame} holds the end id {_tokenizer.eos_id}, by "
        "which training tells packed examples apart",
        _place(row),
        "leave out --pack, or choose another --prompt or --eos-id",
    )


def _place(row: Row) -> str:
    return f"{_job.path}, row {row.id[:40]}"
