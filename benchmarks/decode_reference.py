"""What transformers makes of SmolLM2: a golden of its logits and greedy tokens, and its speed.

Runs in the reference environment (torch, transformers, gguf), not in the project's:

    python benchmarks/decode_reference.py golden --gguf SmolLM2-135M-Instruct.Q4_1.gguf \
        --tokenizer runs/R/base/tokenizer.json --output tests/llama/golden/smollm2-logits.json
    python benchmarks/decode_reference.py rows --gguf ... --tokenizer ... \
        --prompts runs/R/prompts/math.jsonl --max-new-tokens 40 --batch-size 8 --output rows.jsonl
    python benchmarks/decode_reference.py speed --gguf ... --batch-size 1 8 32

`rows` writes {"id", "tokens", "margins"} of each prompt and prints the time; a margin is by how
much the chosen token's logit led, so that ties can be told from faults. The ids come from the
project's tokenizer file, so that what is compared is the model alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from pathlib import Path

TEXT = (
    "Below is an instruction that describes a grade school math problem. Write a response that "
    "gives the correct answer.\n\n### Instruction:\n计算 4204.22 + -2369.17 等于多少？\n\n"
    "### Response: 4204.22 + -2369.17 = 1835.05\n\nThe Pacific is the largest and deepest of the "
    "world's oceans. It stretches from the Arctic in the north to the waters around Antarctica in "
    "the south, and it covers about one third of the surface of the planet."
)
PROMPTS = [
    "The capital of France is",
    "<|im_start|>user\nWhat is 12 + 35?<|im_end|>\n<|im_start|>assistant\n",
    "Water boils at a temperature of",
]
POSITIONS, SAMPLES, NEW_TOKENS = 128, 64, 24


def load(path: Path):
    """The model in float32, with as many threads as torch chooses."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, torch_dtype=torch.float32
    )
    return model.eval()


def golden(args: argparse.Namespace) -> None:
    import torch
    import transformers
    from tokenizers import Tokenizer

    model, tokenizer = load(args.gguf), Tokenizer.from_file(str(args.tokenizer))
    ids = tokenizer.encode(TEXT, add_special_tokens=False).ids[:POSITIONS]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    chosen = random.Random(0)
    samples = []
    for _ in range(SAMPLES):
        position, token = chosen.randrange(len(ids)), chosen.randrange(logits.shape[1])
        samples.append([position, token, round(float(logits[position, token]), 5)])
    greedy = []
    for prompt in PROMPTS:
        prompt_ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        tokens, margins = continue_greedily(model, [prompt_ids], NEW_TOKENS)[0]
        greedy.append({"prompt": prompt_ids, "tokens": tokens, "least_margin": min(margins)})
    value = {
        "origin": "benchmarks/decode_reference.py golden",
        "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "gguf_sha256": hashlib.sha256(args.gguf.read_bytes()).hexdigest(),
        "ids": ids,
        "argmax": logits.argmax(-1).tolist(),
        "samples": samples,
        "greedy": greedy,
    }
    args.output.write_text(json.dumps(value) + "\n")


def continue_greedily(model, prompts: list[list[int]], count: int) -> list[tuple[list, list]]:
    """(`tokens`, `margins`) of each prompt, one batch padded on the left, EOS left out."""
    import torch

    width = max(map(len, prompts))
    eos = model.config.eos_token_id
    ids = torch.tensor([[eos] * (width - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    with torch.no_grad():
        result = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=count,
            do_sample=False,
            pad_token_id=eos,
            output_logits=True,
            return_dict_in_generate=True,
        )
    rows = []
    for row in range(len(prompts)):
        tokens, margins = [], []
        for step, token in enumerate(result.sequences[row, width:].tolist()):
            best = result.logits[step][row].topk(2).values
            margins.append(round(float(best[0] - best[1]), 5))
            if token == eos:
                break
            tokens.append(token)
        rows.append((tokens, margins))
    return rows


def rows(args: argparse.Namespace) -> None:
    from tokenizers import Tokenizer

    model, tokenizer = load(args.gguf), Tokenizer.from_file(str(args.tokenizer))
    prompts = [json.loads(line) for line in args.prompts.read_text("utf-8").splitlines()]
    ids = [tokenizer.encode(row["prompt"], add_special_tokens=False).ids for row in prompts]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    found = {}
    began = time.monotonic()
    for start in range(0, len(order), args.batch_size):
        batch = order[start : start + args.batch_size]
        results = continue_greedily(model, [ids[index] for index in batch], args.max_new_tokens)
        found.update(zip(batch, results))
    seconds = time.monotonic() - began
    count = sum(len(tokens) for tokens, _ in found.values())
    print(f"{len(ids)} rows, {count} tokens, {seconds:.1f} s, {count / seconds:.1f} tokens/s")
    with args.output.open("w") as handle:
        for index, row in enumerate(prompts):
            tokens, margins = found[index]
            handle.write(json.dumps({"id": row["id"], "tokens": tokens, "margins": margins}) + "\n")


def speed(args: argparse.Namespace) -> None:
    import torch

    model = load(args.gguf)
    model.generation_config.eos_token_id = None
    for batch in args.batch_size:
        ids = torch.randint(5, 40000, (batch, args.prompt_tokens))
        seconds = {}
        with torch.no_grad():
            for count in (2, 1, 21):  # the first is to warm up
                began = time.monotonic()
                model.generate(ids, max_new_tokens=count, do_sample=False, pad_token_id=2)
                seconds[count] = time.monotonic() - began
        step = (seconds[21] - seconds[1]) / 20
        rate = batch * args.prompt_tokens / seconds[1]
        print(f"batch {batch}: step {step * 1e3:.1f} ms, prefill {rate:.0f} tokens/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(required=True)
    for function in (golden, rows, speed):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        command.add_argument("--gguf", type=Path, required=True)
        if function is speed:
            command.add_argument("--batch-size", type=int, nargs="+", default=[1, 8, 32])
            command.add_argument("--prompt-tokens", type=int, default=64)
            continue
        command.add_argument("--tokenizer", type=Path, required=True)
        command.add_argument("--output", type=Path, required=True)
        if function is rows:
            command.add_argument("--prompts", type=Path, required=True)
            command.add_argument("--max-new-tokens", type=int, default=40)
            command.add_argument("--batch-size", type=int, default=8)
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
