"""Tokenizers behind one small interface; the kind is found from what the file holds.

- tiktoken BPE text (`base64 rank` a line), read as LLaMA-3's: its split pattern and its 256
  special tokens (meta-llama/llama3, llama/tokenizer.py);
- a SentencePiece model;
- a tokenizer.json of Hugging Face `tokenizers`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.files.parallel import cores
from tools.files.text import MARK, read_text

PathLike = Union[str, Path]

# The largest vocabularies have some 30 MB; more is no tokenizer but, say, a checkpoint.
LARGEST_FILE = 100_000_000
# Ids are stored as int32; no model has an embedding of more rows than this.
_MOST_TOKENS = 1 << 24

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    *(f"<|reserved_special_token_{i}|>" for i in range(4)),
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|reserved_special_token_4|>",
    "<|eot_id|>",
    *(f"<|reserved_special_token_{i}|>" for i in range(5, 251)),
)
# Characters up to which tiktoken's `encode_ordinary` can do with any text; where its regex gives up
# (at about a million spaces), it ends in a Rust panic and `encode` in an exception.
_ORDINARY = 100_000
_TIKTOKEN_LINE = re.compile(rb"[A-Za-z0-9+/]+={0,2} [0-9]{1,8}")
# A word that is a token is not put together by merges. Before tokenizers 0.19.1 this key of a
# tokenizer.json is passed over, and 695 words of LLaMA-3's vocabulary get other ids.
_WHOLE_WORDS = re.compile(rb'"ignore_merges":\s*true')
_REMEDY = "name a LLaMA-3 tokenizer.model, a SentencePiece model or a tokenizer.json"


class SpecialIds(NamedTuple):
    """Ids of begin, end and padding; None where nobody has said."""

    bos: Optional[int] = None
    eos: Optional[int] = None
    pad: Optional[int] = None

    def over(self, other: SpecialIds) -> SpecialIds:
        """Take these, and the other's where one is None."""
        return SpecialIds(*(b if a is None else a for a, b in zip(self, other)))


class Tokenizer:
    """Text to ids and back.

    kind                     "tiktoken", "sentencepiece" or "tokenizer.json".
    vocab_size               one more than the largest id.
    bos_id, eos_id, pad_id   as given to `open_tokenizer`, else as the file says, else None.
    control_tokens           the texts that become control tokens.

    Control tokens written in a text (`<|im_end|>`) become their ids, except with SentencePiece,
    which encodes them as any other text.
    """

    def __init__(self, kind: str, vocab_size: int, ids: SpecialIds) -> None:
        self.kind, self.vocab_size = kind, vocab_size
        self.bos_id, self.eos_id, self.pad_id = ids
        self.control_tokens: Sequence[str] = ()

    def encode(self, text: str) -> List[int]:
        """Give the ids of a text, with no BOS or EOS added."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> List[List[int]]:
        """Give the ids of each text; several threads work where that is faster.

        Raises UserError for a text that the tokenizer refuses (a million spaces on end).
        """
        try:
            return self._encode(list(texts))
        except (ValueError, RuntimeError) as error:
            reason = str(error).split("\n")[0][:200]
            what = f"the tokenizer cannot encode a text ({reason})"
            raise UserError(what, None, "take the longest rows out") from error

    def decode(self, ids: Sequence[int]) -> str:
        """Give the text of ids: `decode(encode(text)) == text`.

        Half characters become U+FFFD. Ids outside the vocabulary give nothing; control tokens
        give their text, with SentencePiece nothing. Two texts do not come back: with
        SentencePiece, which writes a space as U+2581, that character comes back as a space; and
        a tokenizer.json may lack bytes (SmolLM2's lacks six control characters), which are lost.
        """
        return self._decode([int(i) for i in ids if 0 <= i < self.vocab_size])

    def _encode(self, texts: List[str]) -> List[List[int]]:
        raise NotImplementedError

    def _decode(self, ids: List[int]) -> str:
        raise NotImplementedError


def open_tokenizer(
    path: PathLike,
    bos_id: Optional[int] = None,
    eos_id: Optional[int] = None,
    pad_id: Optional[int] = None,
) -> Tokenizer:
    """Open a tokenizer file of any of the three kinds.

    The ids are those of the model's profile. Where one is not given, a SentencePiece model's own
    holds, or LLaMA-3's (128000, 128001, 128002), also in a tokenizer.json; another tokenizer.json
    has none. Raises UserError for a file of another kind, a damaged one, and an id outside the
    vocabulary.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST_FILE:
        raise UserError("too large for a tokenizer", path, _REMEDY)
    data = path.read_bytes().removeprefix(MARK)
    given = SpecialIds(bos_id, eos_id, pad_id)
    if data.lstrip()[:1] == b"{":
        tokenizer: Tokenizer = _TokenizerJson(data, path, given)
    elif _TIKTOKEN_LINE.fullmatch(data.split(b"\n", 1)[0].rstrip(b"\r")):
        tokenizer = _Tiktoken(data, path, given)
    elif data[:1] == b"\n":  # field 1 of the protocol buffer: the pieces
        tokenizer = _SentencePiece(data, path, given)
    else:
        raise UserError("not a tokenizer file of a known kind", path, _REMEDY)
    if not 0 < tokenizer.vocab_size <= _MOST_TOKENS:
        raise UserError(f"a vocabulary of {tokenizer.vocab_size} tokens", path, _REMEDY)
    for name, value in (("bos", bos_id), ("eos", eos_id), ("pad", pad_id)):
        if value is not None and not 0 <= value < tokenizer.vocab_size:
            what = f"the {name} id {value} is outside the vocabulary of {tokenizer.vocab_size}"
            raise UserError(what, path, "give the ids of the model's profile")
    return tokenizer


def find_tokenizer(folder: Path) -> Path:
    """Return the tokenizer file of a model's folder; UserError where there is none.

    tiktoken's tokenizer.model goes before tokenizer.json, which not every release of the library
    can read (see `_WHOLE_WORDS`); SentencePiece's goes after, since it may lack added tokens.
    """
    model, other = folder / "tokenizer.model", folder / "tokenizer.json"
    if model.is_file() and (not other.is_file() or open_tokenizer(model).kind == "tiktoken"):
        return model
    if other.is_file():
        return other
    raise UserError("holds no tokenizer.json and no tokenizer.model", folder, "add the model's")


def read_model_ids(path: PathLike, tokenizer_size: Optional[int] = None) -> SpecialIds:
    """Take the special ids from a model folder's model.json (keys as in LlamaConfig).

    With `tokenizer_size`, also raises UserError if the model's embedding has fewer rows.
    """
    keys = ("bos_token_id", "eos_token_id", "pad_token_id", "vocab_size")
    try:
        config = json.loads(read_text(path))
        values = [config[key] for key in keys]
        if not all(type(value) is int and value >= 0 for value in values):
            raise ValueError("an id is no whole number from 0")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"not a model.json with {', '.join(keys)} ({str(error)[:100]})"
        raise UserError(what, path, "name the model.json beside model.ckpt") from error
    if tokenizer_size is not None and tokenizer_size > values[3]:
        what = f"the model knows {values[3]} tokens, the tokenizer has {tokenizer_size}"
        raise UserError(what, path, "name the tokenizer of this model")
    return SpecialIds(*values[:3])


def open_complete(path: PathLike, given: SpecialIds, model: Optional[PathLike] = None) -> Tokenizer:
    """Open a tokenizer whose end and padding ids are known.

    given   ids that count before all; where one is None, that of `model`, a model.json, does, and
            then the file's own.

    Raises UserError as `open_tokenizer` and `read_model_ids` do, and where an id stays unknown.
    """
    tokenizer = open_tokenizer(path, *given)
    if model is not None:
        tokenizer = open_tokenizer(path, *given.over(read_model_ids(model, tokenizer.vocab_size)))
    if tokenizer.eos_id is None or tokenizer.pad_id is None:
        raise UserError(
            "says nothing of its end and padding ids", path, "give --eos-id, --pad-id or --model"
        )
    return tokenizer


def tokenizer_facts(path: PathLike, tokenizer: Tokenizer) -> Dict[str, Any]:
    """What a summary says of the tokenizer that was opened from `path`."""
    return {
        "file": Path(path).name,
        "kind": tokenizer.kind,
        "vocab_size": tokenizer.vocab_size,
        "sha256": content_of(path).sha256,
        **SpecialIds(tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)._asdict(),
    }


class _Tiktoken(Tokenizer):
    def __init__(self, data: bytes, path: Path, given: SpecialIds) -> None:
        import tiktoken

        ranks = read_ranks(data, path)
        special = {token: len(ranks) + i for i, token in enumerate(LLAMA3_SPECIAL)}
        self._encoding = tiktoken.Encoding(
            "llama3", pat_str=LLAMA3_SPLIT, mergeable_ranks=ranks, special_tokens=special
        )
        # Padding is not LLaMA-3's but MindFormers': reserved token 0.
        own = SpecialIds(len(ranks), len(ranks) + 1, len(ranks) + 2)
        super().__init__("tiktoken", len(ranks) + len(special), given.over(own))
        self.control_tokens = LLAMA3_SPECIAL

    def _encode(self, texts: List[str]) -> List[List[int]]:
        # A text without `<|` holds no control token, and to look for 256 of them takes ten times
        # as long as to encode. Threads would only wait for each other.
        ordinary, encode = self._encoding.encode_ordinary, self._encoding.encode
        return [
            encode(text, allowed_special="all", disallowed_special=())
            if "<|" in text or len(text) > _ORDINARY
            else ordinary(text)
            for text in texts
        ]

    def _decode(self, ids: List[int]) -> str:
        return self._encoding.decode(ids)


def read_ranks(data: bytes, path: Path) -> Dict[bytes, int]:
    ranks: Dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line:
            continue
        try:
            if not _TIKTOKEN_LINE.fullmatch(line):
                raise ValueError
            token, rank = line.split(b" ")
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            where = f"{path}:{number}"
            raise UserError("not `base64 rank` as in a tiktoken file", where, _REMEDY) from None
    # The library takes both for granted, and aborts where they do not hold.
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise UserError("its ranks are not 0, 1, 2, … each once", path, "fetch the file again")
    if any(bytes([value]) not in ranks for value in range(256)):
        raise UserError("its vocabulary lacks single bytes", path, "fetch the file again")
    return ranks


class _SentencePiece(Tokenizer):
    def __init__(self, data: bytes, path: Path, given: SpecialIds) -> None:
        import sentencepiece

        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(data)
            # A damaged piece would come to light only when it is decoded.
            self._processor.id_to_piece(list(range(self._processor.vocab_size())))
        except (RuntimeError, UnicodeDecodeError) as error:
            raise UserError("not a tokenizer file of a known kind", path, _REMEDY) from error
        ids = (self._processor.bos_id(), self._processor.eos_id(), self._processor.pad_id())
        own = SpecialIds(*(value if value >= 0 else None for value in ids))
        super().__init__("sentencepiece", self._processor.vocab_size(), given.over(own))

    def _encode(self, texts: List[str]) -> List[List[int]]:
        return self._processor.encode(texts, out_type=int, num_threads=_threads())

    def _decode(self, ids: List[int]) -> str:
        return self._processor.decode(ids)


class _TokenizerJson(Tokenizer):
    def __init__(self, data: bytes, path: Path, given: SpecialIds) -> None:
        import tokenizers

        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        except Exception as error:  # the library raises bare Exception
            what = f"not a tokenizer.json ({str(error)[:200]})"
            raise UserError(what, path, _REMEDY) from error
        if _WHOLE_WORDS.search(data) and not getattr(self._tokenizer.model, "ignore_merges", False):
            what = f"needs ignore_merges, which tokenizers {tokenizers.__version__} does not have"
            remedy = "put the model's tokenizer.model in its place, or install 0.19.1 or later"
            raise UserError(what, path, remedy)
        # A file may ask for either; rows are never cut, and padded in one place only.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        largest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        own = SpecialIds(*map(self._tokenizer.token_to_id, LLAMA3_SPECIAL[:3]))
        super().__init__("tokenizer.json", largest + 1, given.over(own))
        added = self._tokenizer.get_added_tokens_decoder().values()
        self.control_tokens = [token.content for token in added if token.special]

    def _encode(self, texts: List[str]) -> List[List[int]]:
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [item.ids for item in encoded]

    def _decode(self, ids: List[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)


def _threads() -> int:
    import multiprocessing

    # One of several worker processes has one core.
    return 1 if multiprocessing.parent_process() else cores()
