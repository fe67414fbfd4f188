"""Write the golden of SmolLM2's tokenizer: 200 texts with the ids of an independent reference.

Runs in the reference environment (transformers, regex, gguf), not in the project's:

    python benchmarks/tokenizer_reference.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf \
        --output tests/records/golden/smollm2-ids.json

The reference follows llama.cpp's definition of the pre-tokenizer `smollm`, two patterns applied
one after the other (src/llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_SMOLLM): `\\p{N}`, so that every
number character stands alone, then GPT-2's. The second and the merging are done by transformers'
GPT2Tokenizer, which is written in Python and shares no code with the `tokenizers` library that
the project uses. transformers' own conversion from GGUF knows nothing of the first pattern; on
how many of the texts its ids differ is noted in the golden.

The golden carries the part of the vocabulary that its texts can touch: every merge whose result
is a substring of a word, in the order of rank. No other merge could ever apply.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
from pathlib import Path

TEXTS = 200

# What tells one splitting rule from another: spaces before digits, runs of white space, line
# breaks, number characters that are no ASCII digits, contractions, control tokens.
EDGES = [
    "",
    " ",
    "0",
    " 0",
    "  0",
    "a  1  b",
    "b\n\n3 \n 4\n",
    "\n\n\n",
    "\t\t7\t",
    " \r\n 12",
    "½ x² Ⅻ ①②③ ٣٤",
    "1234567890",
    "1,234,567.89",
    "-0.00",
    "3.141592653589793238462643383",
    "2.854155448324274205322988364E+85",
    "x^95 = 1E-23",
    "it's 5 o'clock, we'll've 3",
    "don't 'T 're 9's",
    "，。；：？！（）、“”《》",
    "√5636.97 ≈ 75.08，×÷±",
    "全角１２３ＡＢＣ　空格",
    "混合mixed文本12text34数字",
    "emoji 😀 1️⃣ 👨‍👩‍👧 9",
    "Ελληνικά Русский עברית العربية हिन्दी ไทย 한국어 日本語",
    "e\u0301 é ﬁ \u00a0nbsp\u20035",
    "<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n",
    "<|endoftext|>5<|im_end|> 6",
    "< |im_end|>",
    r"\frac{1}{2} = \boxed{\sqrt{3}}",
    "| a | 1 |\n| --- | --- |",
    "ﾊﾝｶｸ ㈱ ㎡ 100㎞",
]
FORMS = [
    "计算 {a} + {b} 等于多少？",
    "计算 {a} - {b} 等于多少？ {a} - {b} = {c}",
    "计算 {a} * {b} 等于多少？",
    "{a} / {b} = {long}",
    "计算 {a} 的 {n} 次方？",
    "√{a} = {long}",
    "解方程 {n}x + {m} = 0",
    "方程的解为：{long}",
    "当 x = {a} 时，求函数 y = {n}x^{m} 的值",
    "求以下数据的平均值：[{n}, {m}, {k}]",
    "一个长方形的长为 {n} 厘米，宽为 {m} 厘米，请计算其面积。",
    "商品原价为 {n} 元，打折后的价格为 {m} 元，请计算打折的折扣比例。",
    "去年销售额为 {n} 万元，今年销售额增加了 {m}%，请计算今年的销售额。",
    "将分数 {n}/{m} 进行简化。",
    "### Instruction:\n计算 {a} + {b}\n\n### Response: {c}",
    "The year {k} saw {n}% more; about {m} people came.",
    "Q{n}: What is {a} times {b}?\nA{n}:  {c}",
]


def texts() -> list[str]:
    """Give 200 different texts: the edges, then the contest's forms with seeded numbers."""
    source = random.Random(20240701)
    found = dict.fromkeys(EDGES)
    while len(found) < TEXTS:
        numbers = {
            **{name: f"{source.uniform(-10_000, 10_000):.2f}" for name in "abc"},
            **{name: source.randint(-100, 2100) for name in "nmk"},
            "long": f"{source.uniform(-1000, 1000):.{source.randint(10, 15)}f}",
        }
        found[source.choice(FORMS).format(**numbers)] = None
    return list(found)


class Reference:
    """The pre-tokenizer by `regex`, the rest by transformers' GPT2Tokenizer."""

    def __init__(self, gguf_file: Path) -> None:
        import gguf
        from transformers import GPT2Tokenizer

        reader = gguf.GGUFReader(gguf_file)
        self.tokens, types, self.merges = (
            reader.get_field(f"tokenizer.ggml.{key}").contents()
            for key in ("tokens", "token_type", "merges")
        )
        self.special = [token for token, kind in zip(self.tokens, types) if kind == 3]
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        with tempfile.TemporaryDirectory() as folder:
            vocabulary, merges = Path(folder, "vocab.json"), Path(folder, "merges.txt")
            vocabulary.write_text(json.dumps(self.ids), encoding="utf-8")
            merges.write_text("\n".join(["#version: 0.2", *self.merges, ""]), encoding="utf-8")
            self.gpt2 = GPT2Tokenizer(str(vocabulary), str(merges), unk_token="<|endoftext|>")

    def words(self, text: str) -> list[str]:
        """Split a text into words of the byte-level alphabet, and control tokens."""
        import regex

        found = []
        parts = regex.split("(" + "|".join(map(regex.escape, self.special)) + ")", text)
        for part in parts:
            if part in self.special:
                found.append(part)
                continue
            for piece in regex.findall(r"\p{N}|[^\p{N}]+", part):
                for word in regex.findall(self.gpt2.pat, piece):
                    found.append("".join(self.gpt2.byte_encoder[b] for b in word.encode()))
        return found

    def encode(self, text: str) -> list[int]:
        """Give the ids of a text."""
        tokens = []
        for word in self.words(text):
            tokens += [word] if word in self.special else self.gpt2.bpe(word).split(" ")
        return [self.ids[token] for token in tokens]


def differing(gguf_file: Path, cases: list[dict]) -> int:
    """On how many cases transformers' own conversion from GGUF gives other ids."""
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(str(gguf_file.parent), gguf_file=gguf_file.name)
    return sum(own.encode(c["text"], add_special_tokens=False) != c["ids"] for c in cases)


def main() -> None:
    """Write the golden."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    import transformers

    reference = Reference(options.gguf)
    cases = [{"text": text, "ids": reference.encode(text)} for text in texts()]
    words = {word for case in cases for word in reference.words(case["text"])}
    parts = {w[i:j] for w in words for i in range(len(w)) for j in range(i + 1, len(w) + 1)}
    merges = [merge for merge in reference.merges if merge.replace(" ", "") in parts]
    known = {token for merge in merges for token in (*merge.split(" "), merge.replace(" ", ""))}
    known |= {token for token in parts if len(token) == 1} | set(reference.special)
    golden = {
        "origin": {
            "script": "benchmarks/tokenizer_reference.py",
            "gguf": options.gguf.name,
            "gguf_sha256": hashlib.sha256(options.gguf.read_bytes()).hexdigest(),
            "reference": "llama.cpp's two `smollm` patterns by regex, words and merges by "
            f"transformers {transformers.__version__} GPT2Tokenizer (Python)",
            "transformers_gguf_conversion_differs_on": differing(options.gguf, cases),
        },
        "vocab_size": len(reference.tokens),
        "special": reference.special,
        "tokens": {token: reference.ids[token] for token in sorted(known, key=reference.ids.get)},
        "merges": merges,
        "cases": cases,
    }
    lines = [
        f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in golden.items()
        if key != "cases"
    ]
    rows = [
        "  " + json.dumps(case, ensure_ascii=False, separators=(",", ":"))
        for case in golden["cases"]
    ]
    cases_text = ' "cases": [\n' + ",\n".join(rows) + "\n ]"
    text = "{\n" + ",\n".join([*lines, cases_text]) + "\n}\n"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output}: {len(cases)} texts, {len(merges)} merges, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
