"""The organisers' own forms of the data; subcommands of `tools.convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command, config_option
from tools.records.prompts import PROBLEM_FRAMES

_IN = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_CONVERSATIONS = """
Example:

  python -m tools.convert conversations --input train.json
    --output train-data-conversation.json
"""
_CONVERSATION_RECORDS = """
Example:

  python -m tools.convert conversation-records --input train-data-conversation.json
    --tokenizer tokenizer.model --seq-length 256 --output train-fastchat256.mindrecord
"""
_SQUAD_RECORDS = """
Example:

  python -m tools.convert squad-records --input dev-v1.1.json --tokenizer tokenizer.model
    --seq-length 8192 --output squad8192.mindrecord
"""
_GIVEN_RECORDS = """
Example:

  python -m tools.convert given-records --input train-fastchat256.mindrecord
    --seq-length 256 --vocab-size 128256 --output records/train.mindrecord

  make finetune RECORDS=train-fastchat256.mindrecord
"""
_TOKENIZER = click.option("--tokenizer", type=_IN, required=True, help="Of any kind.")
_BOS = click.option("--bos-id", type=click.IntRange(0), help="Begin id.")
_EOS = click.option("--eos-id", type=click.IntRange(0), help="End id.")
_PAD = click.option("--pad-id", type=click.IntRange(0), help="Padding id.")


@click.command(cls=Command, epilog=_CONVERSATIONS)
@click.option("--input", "source", type=_IN, required=True, help="train.json.")
@click.option("--output", type=_OUT, required=True, help="A JSON array.")
@click.option(
    "--prompt",
    type=click.Choice(PROBLEM_FRAMES),
    default="stanford",
    show_default=True,
    help="Frame around each problem; the organisers' is stanford.",
)
def conversations(source: Path, output: Path, prompt: str) -> None:
    """train.json as train-data-conversation.json: with stanford, byte for byte the organisers'."""
    from tools.records.conversations import write_conversations

    count = write_conversations(source, output, prompt)
    click.echo(f"{output}: {count} conversations")


@click.command(cls=Command, epilog=_CONVERSATION_RECORDS)
@click.option("--input", "source", type=_IN, required=True, help="Conversations, a JSON array.")
@_TOKENIZER
@click.option("--seq-length", type=click.IntRange(1), required=True, help="Tokens the model sees.")
@click.option("--output", type=_OUT, required=True, help="MindRecord; .db and .json go beside it.")
@click.option("--model", type=_IN, help="model.json to take the special ids from.")
@_BOS
@_EOS
@_PAD
def conversation_records(
    source: Path,
    tokenizer: Path,
    seq_length: int,
    output: Path,
    model: Optional[Path],
    bos_id: Optional[int],
    eos_id: Optional[int],
    pad_id: Optional[int],
) -> None:
    """Conversations as the organisers' training rows, id for id (`llama_preprocess.py`, qa).

    Over-long rows are cut and lose their EOS, others are masked whole, as there; here they are
    counted.
    """
    from tools.records.conversation_records import write_conversation_records
    from tools.records.tokenizers import SpecialIds

    ids = SpecialIds(bos_id, eos_id, pad_id)
    done = write_conversation_records(source, tokenizer, output, seq_length, ids, model)
    click.echo(
        f"{output}: {done['rows']} rows, {done['cut']} cut without their EOS, {done['masked']} "
        f"masked whole, {done['without_labels']} without a label; "
        f"{100 * done['used']:.1f} % of positions used"
    )
    if done["cut_and_masked"]:
        many = done["cut_and_masked"]
        click.echo(f"{output}: {many} cut and masked, at which the organisers' script stops")


@click.command(cls=Command, epilog=_SQUAD_RECORDS)
@click.option("--input", "source", type=_IN, required=True, help="File in the SQuAD 1.1 format.")
@_TOKENIZER
@click.option(
    "--seq-length", type=click.IntRange(1), default=8192, show_default=True, help="Ids of a row."
)
@click.option("--output", type=_OUT, required=True, help="MindRecord; .db and .json go beside it.")
@_BOS
@_EOS
@_PAD
def squad_records(
    source: Path,
    tokenizer: Path,
    seq_length: int,
    output: Path,
    bos_id: Optional[int],
    eos_id: Optional[int],
    pad_id: Optional[int],
) -> None:
    """SQuAD as the organisers' evaluation rows, id for id (`squad_data_process.py`, eval)."""
    from tools.records.squad_records import write_squad_records
    from tools.records.tokenizers import SpecialIds

    ids = SpecialIds(bos_id, eos_id, pad_id)
    done = write_squad_records(source, tokenizer, output, seq_length, ids)
    click.echo(f"{output}: {done['rows']} questions, {done['cut']} cut")


@click.command(cls=Command, epilog=_GIVEN_RECORDS)
@config_option
@click.option("--input", "source", type=_IN, required=True, help="MindRecord, its .db beside it.")
@click.option("--seq-length", type=click.IntRange(1), required=True, help="Tokens the model sees.")
@click.option("--vocab-size", type=click.IntRange(1), required=True, help="Of the model.")
@click.option("--output", type=_OUT, required=True, help="A link; .json goes beside it.")
def given_records(source: Path, seq_length: int, vocab_size: int, output: Path) -> None:
    """A record file that was made elsewhere, checked and taken into a run as it is.

    Every row is read: input_ids and labels, int32 of seq-length + 1, each id in the vocabulary.
    """
    from tools.records.given import take_records

    done = take_records(source, output, seq_length, vocab_size)
    click.echo(
        f"{output}: {done['rows']} rows of {source.name}, {done['without_labels']} without a label"
    )


COMMANDS = (conversations, conversation_records, squad_records, given_records)
