"""Tokenizers: the same ids as the references, text that comes back, files that are refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.records.tokenizers import SpecialIds, open_tokenizer, read_model_ids
from tools.scoring.npy import read_predictions_file

ROOT = Path(__file__).resolve().parents[2]
BYTES = [bytes([i]) for i in range(256)]


def tiktoken_text(tokens):
    return "".join(f"{base64.b64encode(t).decode()} {rank}\n" for rank, t in enumerate(tokens))


def test_smollm2_ids_are_the_reference_s(smollm2_file, golden):
    # Origin: benchmarks/tokenizer_reference.py; `origin` in the golden says what it compared.
    tokenizer = open_tokenizer(smollm2_file)
    assert len(golden["cases"]) == 200
    for case in golden["cases"]:
        assert tokenizer.encode(case["text"]) == case["ids"], case["text"]
        assert tokenizer.decode(case["ids"]) == case["text"]
    texts = [case["text"] for case in golden["cases"]]
    assert tokenizer.encode_batch(texts) == [case["ids"] for case in golden["cases"]]


@pytest.mark.slow
def test_smollm2_ids_with_the_whole_vocabulary(golden, whole_smollm2_file):
    tokenizer = open_tokenizer(whole_smollm2_file)
    assert tokenizer.vocab_size == golden["vocab_size"]
    for case in golden["cases"]:
        assert tokenizer.encode(case["text"]) == case["ids"], case["text"]


def test_smollm2_splits_digits_off_before_anything_else(smollm2_file):
    tokenizer = open_tokenizer(smollm2_file)

    def pieces(text):
        return [tokenizer.decode([i]) for i in tokenizer.encode(text)]

    # GPT-2's rule alone would join the last space to the digit: "a", " ", " 1".
    assert pieces("a  12") == ["a", "  ", "1", "2"]
    assert pieces("\n\n3") == ["\n\n", "3"]
    assert pieces("<|im_end|>1") == ["<|im_end|>", "1"]


@pytest.fixture(scope="module")
def llama3(pytestconfig):
    path = ROOT.parent / "shared" / "data" / "llama3" / "tokenizer.model"
    if not path.is_file():
        pytest.skip("../shared/data is not on this machine")
    return path


@pytest.mark.shared
def test_llama3_ids_are_the_reference_s(llama3, shared, monkeypatch):
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")  # no copy of the file elsewhere
    # As in meta-llama/llama3, llama/tokenizer.py.
    reference = tiktoken.Encoding(
        "reference",
        pat_str=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
        r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        mergeable_ranks=load_tiktoken_bpe(str(llama3)),
        special_tokens={},
    )
    tokenizer = open_tokenizer(llama3)
    lines = (shared / "contest" / "problems-200.json").read_text(encoding="utf-8").splitlines()
    texts = [text for line in lines for text in json.loads(line).values()]
    assert tokenizer.encode_batch(texts) == [reference.encode_ordinary(t) for t in texts]
    assert tokenizer.vocab_size == 128256
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (128000, 128001, 128002)
    assert tokenizer.encode("<|eot_id|><|reserved_special_token_250|>") == [128009, 128255]
    # The organisers' run stopped each answer after 20 tokens: counted with our split (digits in
    # threes, not one by one), all have exactly 20, but for the two that ended at once.
    outputs = read_predictions_file(shared / "contest" / "base-predictions-200.txt")
    problems = [json.loads(line)["problem"].split("\n")[3] for line in lines]
    answers = [out[len(problem) :] for out, problem in zip(outputs, problems)]
    counts = [len(ids) for ids in tokenizer.encode_batch(answers)]
    assert (counts.count(20), counts.count(0)) == (198, 2)
    # Most begin with the joint of our frames, which is why it is that.
    assert sum(answer.startswith(" ") for answer in answers) == 175


def test_tiktoken_splits_like_llama3(tiktoken_file):
    tokenizer = open_tokenizer(tiktoken_file)

    def pieces(text):
        return [tokenizer.decode([i]) for i in tokenizer.encode(text)]

    assert pieces("1234") == ["123", "4"]  # though 1234 is a token
    assert pieces("a 12") == ["a", " ", "12"]  # though " 1" is one
    assert pieces("se:") == ["se", ":"]
    assert tokenizer.vocab_size == 256 + 10 + 256
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (266, 267, 268)
    assert tokenizer.encode("<|end_of_text|>") == [267]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\u2581")))
def test_any_text_comes_back(opened, text):
    for kind in ("tiktoken", "sentencepiece"):
        assert opened[kind].decode(opened[kind].encode(text)) == text


@given(st.lists(st.text(max_size=30), max_size=5))
def test_a_batch_is_its_texts(opened, texts):
    for tokenizer in opened.values():
        assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


CONTROL = st.sampled_from(["<|", "|>", "<|eot_id|>", "<|end_of_text|>", "<|nothing|>", " ", "12"])


@given(st.lists(st.one_of(st.text(max_size=5), CONTROL), max_size=6).map("".join))
def test_control_tokens_are_found_as_tiktoken_finds_them(opened, text):
    tokenizer = opened["tiktoken"]
    expected = tokenizer._encoding.encode(text, allowed_special="all", disallowed_special=())
    assert tokenizer.encode(text) == expected


def test_control_tokens_of_each_kind(tiktoken_file, smollm2_file, sentencepiece_file):
    tokens = open_tokenizer(tiktoken_file).control_tokens
    assert len(tokens) == 256 and "<|eot_id|>" in tokens
    tokens = open_tokenizer(smollm2_file).control_tokens
    assert len(tokens) == 17 and {"<|im_end|>", "<repo_name>"} <= {*tokens}
    # What looks like one is ordinary text there.
    assert list(open_tokenizer(sentencepiece_file).control_tokens) == []


def test_ids_that_the_vocabulary_lacks_decode_to_nothing(tokenizer):
    ids = tokenizer.encode("12")
    assert tokenizer.decode([-1, *ids, tokenizer.vocab_size, 1 << 40]) == "12"


def test_half_a_character_is_replaced(tokenizer):
    ids = tokenizer.encode("龘")  # in none of the vocabularies: three bytes
    assert len(ids) >= 2
    assert "\ufffd" in tokenizer.decode(ids[:-1])


def test_a_text_that_the_library_refuses_is_one_line(tiktoken_file):
    with pytest.raises(UserError, match="cannot encode a text"):
        open_tokenizer(tiktoken_file).encode(" " * 1_000_000 + "a")


def test_a_tokenizer_json_neither_cuts_nor_pads(smollm2_file, tmp_path):
    document = json.loads(smollm2_file.read_text(encoding="utf-8"))
    document["truncation"] = {
        "direction": "Right",
        "max_length": 2,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert len(open_tokenizer(path).encode("12345")) == 5


def test_special_ids_given_go_before_the_file_s_own(sentencepiece_file, smollm2_file):
    opened = open_tokenizer(sentencepiece_file, pad_id=2)
    assert (opened.bos_id, opened.eos_id, opened.pad_id) == (1, 2, 2)
    assert open_tokenizer(smollm2_file).eos_id is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n", b"hello", b"\n\x05hello", b"\nabc", b"{", b"{}", b'{"model":1}', b"[1]"],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "some.file"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        open_tokenizer(path)
    assert str(path) in str(caught.value)
    assert "name a LLaMA-3 tokenizer.model" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (tiktoken_text(BYTES) + "IQ==\n", ":257: not `base64 rank`"),
        (tiktoken_text(BYTES) + "!!!! 256\n", ":257: not `base64 rank`"),
        (tiktoken_text(BYTES) + "YWI= 300\n", "ranks are not"),
        (tiktoken_text(BYTES) + "YWI= 7\n", "ranks are not"),
        (tiktoken_text(BYTES[1:]), "lacks single bytes"),
    ],
)
def test_a_damaged_tiktoken_file_is_refused(tmp_path, text, fault):
    path = tmp_path / "tokenizer.model"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        open_tokenizer(path)
    assert fault in str(caught.value)


def test_a_truncated_sentencepiece_model_is_refused(sentencepiece_file, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(sentencepiece_file.read_bytes()[:-100])
    with pytest.raises(UserError):
        open_tokenizer(path)


def test_a_sentencepiece_model_with_a_damaged_piece_is_refused(sentencepiece_file, tmp_path):
    data = sentencepiece_file.read_bytes()
    path = tmp_path / "tokenizer.model"
    path.write_bytes(data.replace("计算".encode(), b"\xff" * 6))
    assert path.read_bytes() != data
    with pytest.raises(UserError, match="not a tokenizer file"):
        open_tokenizer(path)


def test_an_id_outside_the_vocabulary_is_refused(tokenizer, sentencepiece_file):
    with pytest.raises(UserError, match="the pad id 500 is outside the vocabulary of 500"):
        open_tokenizer(sentencepiece_file, pad_id=500)


def test_model_ids(tmp_path):
    path = tmp_path / "model.json"
    config = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3, "vocab_size": 640}
    path.write_text(json.dumps(config))
    assert read_model_ids(path) == read_model_ids(path, 640) == SpecialIds(1, 2, 3)
    with pytest.raises(UserError, match="knows 640 tokens, the tokenizer has 641"):
        read_model_ids(path, 641)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bos_token_id": 1}', "[" * 100_000])
def test_no_model_json(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"not a model\.json"):
        read_model_ids(path)


def test_ids_are_whole_numbers(tmp_path):
    path = tmp_path / "model.json"
    config = {"bos_token_id": 1, "eos_token_id": True, "pad_token_id": 3, "vocab_size": 640}
    path.write_text(json.dumps(config))
    with pytest.raises(UserError, match="no whole number"):
        read_model_ids(path)


def test_over():
    assert SpecialIds(None, 0).over(SpecialIds(1, 2)) == SpecialIds(1, 0, None)
