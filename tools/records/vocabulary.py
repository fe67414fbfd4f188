"""A small SentencePiece vocabulary, trained on the corpus itself, for the tiny profile."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional, Union

from tools.corpus.rows import read_rows
from tools.files.atomic import write_bytes
from tools.files.errors import UserError
from tools.records.prompts import render_answer, render_prompt
from tools.records.reading import read_questions

PathLike = Union[str, Path]

# unk and the bytes have to be there in any case; the order of the first three is LLaMA's.
UNK_ID, BOS_ID, EOS_ID, PAD_ID = 0, 1, 2, 3
# More text does not change a vocabulary of some hundred pieces.
MOST_TEXTS = 50_000


def train_tokenizer(
    rows: PathLike,
    output: PathLike,
    vocab_size: int,
    frame: str = "alpaca",
    reading: Optional[PathLike] = None,
) -> Dict[str, Any]:
    """Train on the prompts and answers of a corpus file and, if given, of a SQuAD file.

    Returns {"vocab_size", "texts"}; see `train_sentencepiece`.
    """
    texts = list(islice(_texts(rows, frame, reading), MOST_TEXTS))
    train_sentencepiece(texts, vocab_size, output)
    return {"vocab_size": vocab_size, "texts": len(texts)}


def _texts(rows: PathLike, frame: str, reading: Optional[PathLike]) -> Iterator[str]:
    # The questions first: they are few, and must not fall behind the limit.
    for question in read_questions(reading) if reading else ():
        prompt = render_prompt("squad", question.passage, question.question)
        yield prompt + render_answer("squad", question.answers[0])
    for row in read_rows(rows):
        yield render_prompt(frame, row.problem) + render_answer(frame, row.solution)


def train_sentencepiece(texts: Iterable[str], vocab_size: int, output: PathLike) -> None:
    """Train a BPE SentencePiece model of exactly `vocab_size` pieces and write it.

    unk 0, bos 1, eos 2, pad 3. Text is taken as it is (no normalisation, no space put in
    front), every digit is a piece of its own, and what has no piece falls back to bytes, so
    that any text comes back unchanged. Nothing is sampled and one thread works: the same texts
    give the same bytes. Raises UserError where the size does not suit the texts.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(list(texts)),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            split_digits=True,
            character_coverage=0.9995,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            pad_id=PAD_ID,
            input_sentence_size=0,
            shuffle_input_sentence=False,
            max_sentence_length=100_000,
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OverflowError) as error:
        # "INTERNAL: src/trainer_interface.cc(744) [condition] Vocabulary size too high (…). …"
        reason = str(error).rsplit("] ", 1)[-1].split(" Increase vocab_size")[0]
        reason = reason.strip(" .\n") or "there is no text"
        what = f"no vocabulary of {vocab_size} can be trained: {reason[:200]}"
        raise UserError(what, output, "choose another --vocab-size, or give more text") from error
    write_bytes(output, model.getvalue())
