"""The tokenizer as Hugging Face has it: tokenizer.json, made from tiktoken's file where need be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

from tools.files.atomic import write_json
from tools.files.text import MARK, read_text
from tools.records.tokenizers import (
    LLAMA3_SPECIAL,
    LLAMA3_SPLIT,
    SpecialIds,
    open_tokenizer,
    read_ranks,
)


def export_tokenizer(source: Path, folder: Path, ids: SpecialIds) -> None:
    """Write the tokenizer `source` into `folder`, with tokenizer_config.json beside it.

    A tokenizer.json and a SentencePiece model are copied, tiktoken's text becomes a
    tokenizer.json, which puts BOS before a text unless it is told otherwise, as Meta's does:
    llama.cpp's converter knows LLaMA-3 by it. Prompts here have none.
    """
    kind = open_tokenizer(source).kind
    config = {"model_max_length": 8192, "clean_up_tokenization_spaces": False}
    if kind == "sentencepiece":
        shutil.copyfile(source, folder / "tokenizer.model")
        config.update(tokenizer_class="LlamaTokenizer", add_bos_token=False, legacy=False)
        token_of = _pieces(source)
    else:
        target = folder / "tokenizer.json"
        text = from_tiktoken(source) if kind == "tiktoken" else read_text(source)
        target.write_text(text, encoding="utf-8")
        config.update(tokenizer_class="PreTrainedTokenizerFast")
        token_of = _tokens(target)
    for name, value in zip(("bos_token", "eos_token", "pad_token"), ids):
        if value in token_of:
            config[name] = token_of[value]
    write_json(folder / "tokenizer_config.json", config)


def _tokens(path: Path) -> Dict[int, str]:
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    return {index: token for token, index in vocabulary.items()}


def _pieces(path: Path) -> Dict[int, str]:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return {index: processor.id_to_piece(index) for index in range(processor.vocab_size())}


def from_tiktoken(path: Path) -> str:
    """The text of a tokenizer.json that encodes as LLaMA-3's tiktoken file at `path` does.

    tiktoken merges whatever pair of parts has the lowest rank; byte-level BPE has a list of
    merges. The merge that makes a token is that of the two parts that are left when its bytes are
    merged by the ranks below its own.
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
    )

    ranks = read_ranks(path.read_bytes().removeprefix(MARK), path)
    letters = _letters()
    spelt = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges: List[Tuple[str, str]] = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1:
            parts = _merged(token, ranks, rank)
            if len(parts) == 2:  # a token that no merge makes is only found whole
                merges.append((spelt[parts[0]], spelt[parts[1]]))
    vocabulary = {spelt[token]: rank for token, rank in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in LLAMA3_SPECIAL]
    )
    bos = LLAMA3_SPECIAL[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos}:1 $B:1",
        special_tokens=[(bos, tokenizer.token_to_id(bos))],
    )
    document = json.loads(tokenizer.to_str())
    # Like tiktoken, it takes a word that is a token as it is. Pairs are read from 0.20 on only.
    document["model"].update(ignore_merges=True, merges=[" ".join(pair) for pair in merges])
    return json.dumps(document, ensure_ascii=False)


def _merged(token: bytes, ranks: Dict[bytes, int], below: int) -> List[bytes]:
    """The parts that are left of a token when its bytes are merged by all ranks under `below`."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 1:
        pairs = [ranks.get(one + other, below) for one, other in zip(parts, parts[1:])]
        least = min(pairs)
        if least >= below:
            break
        at = pairs.index(least)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _letters() -> Dict[int, str]:
    """Byte → the character that stands for it in a byte-level vocabulary (GPT-2's table).

    Printable ones stand for themselves, the others for the characters from 256 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{byte: chr(byte) for byte in printable},
        **{byte: chr(256 + place) for place, byte in enumerate(others)},
    }
