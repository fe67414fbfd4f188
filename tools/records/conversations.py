"""Conversations as the organisers' train-data-conversation.json has them.

A JSON array of {"id": "1", "conversations": [{"from": "human", "value": …}, {"from": "gpt",
"value": …}, …]}.
"""

from __future__ import annotations

from json.encoder import encode_basestring as _quote
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple, Union

from tools.corpus.rows import text_of
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.json_lines import Block, read_objects
from tools.files.outputs import keep_apart
from tools.records.prompts import fill

PathLike = Union[str, Path]

SPEAKERS = ("human", "gpt")
_REMEDY = "correct or remove the row"


def block_conversations(block: Block, path: PathLike) -> Iterator[Tuple[str, ...]]:
    """Yield what is said in turn in each conversation of a block, the human first.

    As the organisers' script does, a first turn that is not the human's is left out. Raises
    UserError with file:line for a row without turns, one whose speakers do not alternate, and for
    anything that is no text.
    """
    for line, fields in block.objects(path):
        yield _turns(fields, f"{path}:{line}")


def _turns(fields: Dict[str, Any], where: str) -> Tuple[str, ...]:
    turns = fields.get("conversations")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UserError('"conversations" is not a list of objects', where, _REMEDY)
    said = [(text_of(turn, "from", where), text_of(turn, "value", where)) for turn in turns]
    if not said:
        raise UserError("the conversation has no turn", where, _REMEDY)
    unknown = [speaker for speaker, _ in said if speaker not in SPEAKERS]
    if unknown:
        what = f"{unknown[0][:40]!r} speaks, who is neither {' nor '.join(SPEAKERS)}"
        raise UserError(what, where, _REMEDY)
    if said[0][0] != SPEAKERS[0]:
        said = said[1:]
    if any(speaker != SPEAKERS[index % 2] for index, (speaker, _) in enumerate(said)):
        raise UserError("the speakers do not take turns", where, _REMEDY)
    return tuple(text for _, text in said)


def write_conversations(source: PathLike, output: PathLike, frame: str) -> int:
    """Write the rows of a train.json as conversations; return how many.

    source   {"problem", "solution"}, as JSON lines or one array.
    frame    one of prompts.PROBLEM_FRAMES, put around the problem.

    The bytes are those of the organisers' data_converter.py: all rows, in order, with ids from
    1, whatever they hold. Memory does not grow with the file. Raises UserError with file:line for
    a row without one of the two texts.
    """
    keep_apart(Path(output), Path(source))
    count = 0
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write("[")
        for count, (line, fields) in enumerate(read_objects(source), start=1):
            where = f"{source}:{line}"
            asked = fill(frame, text_of(fields, "problem", where))
            handle.write("," if count > 1 else "")
            handle.write(_item(count, asked, text_of(fields, "solution", where)))
        handle.write("\n]")
    return count


def _item(number: int, *said: str) -> str:
    """An element of the array as `json.dump` prints it with an indent of 2."""
    turns = ",".join(
        f'\n      {{\n        "from": {_quote(speaker)},\n        "value": {_quote(text)}\n      }}'
        for speaker, text in zip(SPEAKERS, said)
    )
    return f'\n  {{\n    "id": "{number}",\n    "conversations": [{turns}\n    ]\n  }}'
