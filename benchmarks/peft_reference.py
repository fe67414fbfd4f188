"""What a torch user would train with instead: transformers and peft, on the same rows and weights.

Runs in the reference environment (torch, transformers, peft, gguf), not in the project's:

    python benchmarks/peft_reference.py --gguf SmolLM2-135M-Instruct.Q4_1.gguf --rows rows.npz \
        --output peft.json

rows.npz holds `input_ids` and `labels`, (steps, batch, length + 1), as the project feeds them: the
model shifts. Each step is what MindFormers' cell does: loss, gradients, their clipping to norm 1,
AdamW. The first step's time counts from the start of this process.
"""

from __future__ import annotations

import time

_STARTED = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402


def train(args: argparse.Namespace) -> None:
    import numpy as np
    import peft
    import torch
    import transformers

    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.gguf.parent,
        gguf_file=args.gguf.name,
        torch_dtype=torch.float32,
        attn_implementation=args.attention,
    )
    lora = peft.LoraConfig(
        r=args.rank,
        lora_alpha=2 * args.rank,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(model, lora)
    model.train()
    trained = [item for item in model.parameters() if item.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.0)
    rows = np.load(args.rows)
    losses, seconds = [], []
    for ids, labels in zip(rows["input_ids"], rows["labels"]):
        started = time.perf_counter()
        # transformers shifts the labels itself: the last id is no input, as with MindFormers.
        inputs, targets = torch.tensor(ids[:, :-1]), torch.tensor(labels[:, 1:])
        logits = model(input_ids=inputs).logits
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten().long(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
        if len(seconds) == 1:
            first = time.time() - _STARTED
        print(f"step {len(seconds)}: loss {losses[-1]:.4f}, {seconds[-1]:.2f} s", file=sys.stderr)
    value = {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
        "threads": torch.get_num_threads(),
        "trained": sum(item.numel() for item in trained),
        "first_step_seconds": first,
        "seconds": seconds,
        "losses": losses,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }
    args.output.write_text(json.dumps(value) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa")
    parser.add_argument("--output", type=Path, required=True)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
