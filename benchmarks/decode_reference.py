"""What transformers makes of SmolLM2: a golden of its logits and greedy tokens, and its speed.

Runs in the reference environment (torch, transformers, gguf), not in the project's:

    python benchmarks/decode_reference.py golden --gguf SmolLM2-135M-Instruct.Q4_1.gguf \
        --tokenizer runs/R/base/tokenizer.json --output tests/llama/golden/smollm2-logits.json
    python benchmarks/decode_reference.py rows --gguf ... --ids prompts.json \
        --max-new-tokens 40 --batch-size --output tests/llama/golden/smollm2-greedy.json
    python benchmarks/decode_reference.py speed --gguf ... --ids ids.json --output speed.json

A margin is by how much the chosen token's logit led, so that ties can be told from faults. The ids
come from the project's tokenizer file, so that what is compared is the model alone.
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


def origin(gguf: Path, command: str) -> dict:
    """Where a golden comes from."""
    import torch
    import transformers

    return {
        "origin": f"benchmarks/decode_reference.py {command}",
        "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "gguf_sha256": hashlib.sha256(gguf.read_bytes()).hexdigest(),
    }


def golden(args: argparse.Namespace) -> None:
    import torch
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
        **origin(args.gguf, "golden"),
        "ids": ids,
        "argmax": logits.argmax(-1).tolist(),
        "samples": samples,
        "greedy": greedy,
    }
    args.output.write_text(json.dumps(value) + "\n")


def continue_greedily(
    model, prompts: list[list[int]], count: int, margins: bool = True
) -> list[tuple[list, list]]:
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
            output_logits=margins,
            return_dict_in_generate=True,
        )
    rows = []
    for row in range(len(prompts)):
        tokens, leads = [], []
        for step, token in enumerate(result.sequences[row, width:].tolist()):
            if margins:
                best = result.logits[step][row].topk(2).values
                leads.append(round(float(best[0] - best[1]), 5))
            if token == eos:
                break
            tokens.append(token)
        rows.append((tokens, leads))
    return rows


def rows(args: argparse.Namespace) -> None:
    """Write {"prompts", "tokens", "margins", "seconds": {batch: s}, …} of all of `args.ids`.

    Tokens and margins are those of prompts one by one, without padding.
    """
    model, prompts = load(args.gguf), json.loads(args.ids.read_text())
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    continue_greedily(model, prompts[:1], 2)  # to warm up
    seconds = {}
    for size in args.batch_size:
        began = time.monotonic()
        for start in range(0, len(order), size):
            batch = [prompts[index] for index in order[start : start + size]]
            continue_greedily(model, batch, args.max_new_tokens, margins=False)
        seconds[size] = time.monotonic() - began
    alone = [continue_greedily(model, [prompt], args.max_new_tokens)[0] for prompt in prompts]
    tokens, margins = zip(*alone)
    value = {
        **origin(args.gguf, "rows"),
        "max_new_tokens": args.max_new_tokens,
        "prompts": prompts,
        "tokens": tokens,
        "margins": margins,
        "seconds": seconds,
    }
    args.output.write_text(json.dumps(value) + "\n")


def speed(args: argparse.Namespace) -> None:
    """Write {"batches": {batch: {"prefill": [s], "steps": [s]}}, "peak": MB} of `args.ids`."""
    import resource

    import torch

    class Clock:
        """Called by generate with each step's logits: when that was."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def __call__(self, _, logits):
            self.times.append(time.monotonic())
            return logits

    model = load(args.gguf)
    model.generation_config.eos_token_id = None
    prompts = torch.tensor(json.loads(args.ids.read_text()))
    result = {}
    for batch in args.batch_size:
        prefill, steps = [], []
        for turn in range(args.times + 1):
            clock, began = Clock(), time.monotonic()
            with torch.no_grad():
                model.generate(
                    prompts[:batch],
                    attention_mask=torch.ones_like(prompts[:batch]),
                    max_new_tokens=args.max_new_tokens,
                    do_sample=False,
                    pad_token_id=2,
                    logits_processor=[clock],
                )
            if turn:  # the first is to warm up
                prefill.append(clock.times[0] - began)
                steps += [late - early for early, late in zip(clock.times, clock.times[1:])]
        result[batch] = {"prefill": prefill, "steps": steps}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    args.output.write_text(json.dumps({"batches": result, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(required=True)
    for function in (golden, rows, speed):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        command.add_argument("--gguf", type=Path, required=True)
        command.add_argument("--output", type=Path, required=True)
        if function is golden:
            command.add_argument("--tokenizer", type=Path, required=True)
            continue
        command.add_argument("--ids", type=Path, required=True)
        command.add_argument("--batch-size", type=int, nargs="*", default=[1, 8, 32])
        command.add_argument("--max-new-tokens", type=int, default=32)
        command.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    args.function(args)


if __name__ == "__main__":
    main()
