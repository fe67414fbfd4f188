"""One small tokenizer file of each kind, and rows of the corpus."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from records_rows import write_rows

from tools.corpus.kinds import CHINESE
from tools.corpus.rows import make_row
from tools.corpus.sample import draw
from tools.llama.gguf import tokenizer_json
from tools.records.tokenizers import open_tokenizer
from tools.records.vocabulary import train_tokenizer

GOLDEN = Path(__file__).parent / "golden" / "smollm2-ids.json"


class FakeReader:
    """What `tokenizer_json` asks of a GGUFReader."""

    def __init__(self, fields):
        self._fields = fields

    def get_field(self, key):
        value = self._fields.get(key)
        return None if value is None else type("Field", (), {"contents": lambda self: value})()


@pytest.fixture(scope="session")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def rows():
    """Three rows of each Chinese kind, and one in English with braces."""
    problems = draw(dict.fromkeys(CHINESE, 3), seed=2)
    found = [make_row(p, f"{p.kind}-{i}") for i, p in enumerate(problems)]
    english = found[0]._replace(
        id="english-1",
        kind="english",
        problem=r"What is $\frac{1}{2} + {0}$ of 1000?",
        solution=r"It is \boxed{\frac{1}{2}}.",
        answer="1/2",
    )
    return [*found, english]


@pytest.fixture(scope="session")
def rows_file(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    write_rows(path, rows)
    return path


@pytest.fixture(scope="session")
def smollm2_file(golden, tmp_path_factory):
    """tokenizer.json as made from the GGUF, reduced to the merges that the golden can touch."""
    known = {index: token for token, index in golden["tokens"].items()}
    reader = FakeReader(
        {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "smollm",
            "tokenizer.ggml.tokens": [
                known.get(i, f"unused {i}") for i in range(golden["vocab_size"])
            ],
            "tokenizer.ggml.token_type": [
                3 if known.get(i) in golden["special"] else 1 for i in range(golden["vocab_size"])
            ],
            "tokenizer.ggml.merges": golden["merges"],
        }
    )
    path = tmp_path_factory.mktemp("smollm2") / "tokenizer.json"
    path.write_text(tokenizer_json(reader, "fake.gguf"), encoding="utf-8")
    return path


def tiktoken_text(tokens):
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    return "".join(lines)


@pytest.fixture(scope="session")
def tiktoken_file(tmp_path_factory):
    """Bytes, and merges that join digits and letters across what the split keeps apart."""
    merged = [
        b"12",
        b"123",
        b"34",
        b"1234",
        b" 1",
        b"\n\n",
        b": ",
        b"se",
        b"se:",
        "计".encode()[:2],
    ]
    path = tmp_path_factory.mktemp("tiktoken") / "tokenizer.model"
    path.write_text(tiktoken_text([*(bytes([i]) for i in range(256)), *merged]))
    return path


@pytest.fixture(scope="session")
def sentencepiece_file(rows_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("sentencepiece") / "tokenizer.model"
    train_tokenizer(rows_file, path, 500)
    return path


@pytest.fixture(scope="session")
def opened(smollm2_file, tiktoken_file, sentencepiece_file):
    """A tokenizer of each kind, each with its own relation of EOS and pad."""
    return {
        "tokenizer.json": open_tokenizer(smollm2_file, bos_id=1, eos_id=2, pad_id=2),
        "tiktoken": open_tokenizer(tiktoken_file),
        "sentencepiece": open_tokenizer(sentencepiece_file),
    }


@pytest.fixture(params=["tokenizer.json", "tiktoken", "sentencepiece"])
def tokenizer(request, opened):
    return opened[request.param]


@pytest.fixture
def whole_smollm2_file(tmp_path: Path) -> Path:
    """SmolLM2's whole vocabulary, from the GGUF file that `make fetch` brings."""
    from tools.llama.gguf import open_gguf, tokenizer_json

    root = Path(__file__).resolve().parents[2]
    found = sorted((root / "material" / "smollm2-135m").glob("*.gguf"))
    if not found:
        pytest.skip("SmolLM2 is not in material/: make fetch")
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer_json(open_gguf(found[0]), str(found[0])), encoding="utf-8")
    return path
