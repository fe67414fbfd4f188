"""Logits of an exported model, and of it with an exported adapter, by transformers and peft.

Runs in the reference environment (torch, transformers, peft), not in the project's:

    python benchmarks/exported_reference.py --model exported/ --adapter adapter/ --ids ids.json \
        --output logits.npz

ids.json holds one list of token ids. The arrays `base`, `adapted` and `merged` are float32,
(positions, vocabulary): the model, peft's model, and peft's `merge_and_unload`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np


def main() -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "adapter", "ids", "output"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    ids = torch.tensor([json.loads(Path(args.ids).read_text())])
    found = {}
    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32).eval()
        found["base"] = model(ids).logits[0].numpy()
        adapted = PeftModel.from_pretrained(model, args.adapter).eval()
        found["adapted"] = adapted(ids).logits[0].numpy()
        found["merged"] = adapted.merge_and_unload()(ids).logits[0].numpy()
    np.savez(args.output, **found)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    print(
        json.dumps(
            {"ids": tokenizer("计算 12 + 35 等于多少？", add_special_tokens=False).input_ids}
        )
    )


if __name__ == "__main__":
    main()
