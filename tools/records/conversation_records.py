"""train-data-conversation.json → a MindRecord file with the organisers' rows."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Union

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.json_lines import Block
from tools.files.outputs import keep_apart
from tools.files.progress import progress
from tools.records.conversations import block_conversations
from tools.records.encoding import open_here, spread
from tools.records.fastchat import Rows, encode_conversations, lay_out
from tools.records.prompts import render_conversation
from tools.records.tokenizers import SpecialIds, Tokenizer, open_complete, tokenizer_facts
from tools.records.writer import ArrayWriter, import_mindspore, record_files

PathLike = Union[str, Path]

_UNKNOWN = SpecialIds()


class ConversationJob(NamedTuple):
    """What is to be encoded and how.

    path        the conversations
    tokenizer   file of it; ids are its special ids, all three
    room        ids of a row
    """

    path: PathLike
    tokenizer: PathLike
    ids: SpecialIds
    room: int


class _Tally:
    """What became of the rows."""

    def __init__(self) -> None:
        self.rows = self.tokens = self.answer_tokens = self.longest = self.most_labels = 0
        self.cut = self.masked = self.cut_and_masked = self.without_labels = 0

    def add(self, rows: Rows) -> None:
        labels = rows.label_counts
        self.rows += len(rows.sizes)
        self.tokens += int(rows.sizes.sum())
        self.answer_tokens += int(labels.sum())
        self.longest = max(self.longest, int(rows.lengths.max(initial=0)))
        self.most_labels = max(self.most_labels, int(labels.max(initial=0)))
        self.cut += int(rows.cut.sum())
        self.masked += int(rows.masked.sum())
        self.cut_and_masked += int((rows.cut & rows.masked).sum())
        self.without_labels += int((labels == 0).sum())


def write_conversation_records(
    source: PathLike,
    tokenizer: PathLike,
    output: PathLike,
    seq_length: int,
    given: SpecialIds = _UNKNOWN,
    model: Optional[PathLike] = None,
) -> Dict[str, Any]:
    """Convert conversations; return the summary, which is also written to OUTPUT.json.

    seq_length   tokens the model sees at a time; a row of the file has one more
    given        special ids; where None, those of `model`, else those of the tokenizer file
    model        a model.json to take ids from

    All rows are there, in order, as `fastchat` makes them. OUTPUT, OUTPUT.db and OUTPUT.json
    appear only when all is done, OUTPUT last. In the summary `cut` rows lost their end, `masked`
    ones teach nothing since their two counts differ, at one that is both the organisers' script
    stops, and `without_labels` are all that teach nothing.

    Raises UserError for bad rows, a tokenizer of another kind, where an id is unknown, and where no
    row has a label. A script that calls this needs `if __name__ == "__main__"`, as for
    `mindrecord.write_records`.
    """
    output, room = Path(output), seq_length + 1
    keep_apart(output, Path(source))
    opened = open_complete(tokenizer, given, model)
    if opened.bos_id is None:
        raise UserError("says nothing of its begin id", tokenizer, "give --bos-id or --model")
    if opened.pad_id == opened.eos_id:
        # The organisers' count would take each row's end for padding, and mask the row.
        what = f"pad id = end id ({opened.eos_id}) masks every answer"
        raise UserError(what, model or tokenizer, "give another --pad-id")
    known = SpecialIds(opened.bos_id, opened.eos_id, opened.pad_id)
    job, tally = ConversationJob(source, tokenizer, known, room), _Tally()
    with (
        record_files(output) as (record, summary_path),
        progress("convert conversations", None, "rows") as bar,
        contextlib.closing(spread(source, encode_block, prepare, job, import_mindspore)) as parts,
    ):
        # Before the import of MindSpore, which takes longer than finding a fault here.
        head = list(itertools.islice(parts, 1))
        with ArrayWriter(record, output, room) as writer:
            for rows in itertools.chain(head, parts):
                tally.add(rows)
                writer.write_arrays(*lay_out(rows, room, opened.pad_id))
                bar.advance(len(rows.sizes))
            if not tally.answer_tokens:
                what = f"none of its {tally.rows} rows has a label to train on"
                raise UserError(what, source, "choose a greater --seq-length, or check the answers")
        summary = {
            "source": Path(source).name,
            **vars(tally),
            "examples": tally.rows,
            "left_out": 0,
            "used": round(tally.tokens / (tally.rows * room), 6),
            "pack": False,
            "seq_length": seq_length,
            "frame": "vicuna",
            "tokenizer": tokenizer_facts(tokenizer, opened),
        }
        write_json(summary_path, summary)
    return summary


# What `prepare` leaves in a process for `encode_block`.
_job: ConversationJob
_tokenizer: Tokenizer


def prepare(job: ConversationJob) -> None:
    """Open the tokenizer in a process that is to encode."""
    global _job, _tokenizer
    _job, _tokenizer = job, open_here(job.tokenizer, job.ids)


def encode_block(block: Block) -> Rows:
    """Encode the conversations of a block as the job of this process says."""
    texts = [render_conversation(turns) for turns in block_conversations(block, _job.path)]
    try:
        return encode_conversations(texts, _tokenizer, _job.room)
    except UserError as error:
        raise UserError(error.what, _job.path, error.remedy) from error
