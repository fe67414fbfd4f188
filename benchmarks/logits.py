"""Our logits beside those of transformers, on the same GGUF file, position by position.

    make bench REFERENCE_PYTHON=/path/to/python     (one that has torch, transformers and gguf)

The reference is computed live by benchmarks/decode_reference.py; the committed golden in
tests/llama/golden was written by the same script and is what the tests compare with.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict

import click
import numpy as np

from tools.cli import Command
from tools.files.errors import CheckFailed, UserError

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = 1e-3


@dataclass(frozen=True)
class Comparison:
    """largest: greatest |difference| over the sampled logits; argmax: positions that differ."""

    largest: float
    argmax: int
    positions: int
    greedy: int


def compare(reference: Dict[str, Any], base: Path) -> Comparison:
    """Feed the reference's ids to the model in folder `base`, one position after the other."""
    from tools.llama.checkpoint import Checkpoint
    from tools.llama.decoder import Decoder
    from tools.llama.greedy import Limits, decode_greedily
    from tools.llama.shape import LlamaShape

    shape = LlamaShape.load(base / "model.json")
    decoder = Decoder(shape, 1)
    decoder.load(Checkpoint(base / "model.ckpt"))
    ids = np.array(reference["ids"])
    decoder.reserve(192)
    rows = []
    for position in range(len(ids)):
        likeliest, logits = decoder.step(ids[position : position + 1], np.array([position]))
        rows.append((int(likeliest[0]), logits.asnumpy()[0]))
    wrong = sum(row[0] != token for row, token in zip(rows, reference["argmax"]))
    largest = max(abs(float(rows[at][1][token]) - v) for at, token, v in reference["samples"])
    found: Dict[int, Any] = {}
    prompts = [np.array(entry["prompt"]) for entry in reference["greedy"]]
    limits = Limits(len(reference["greedy"][0]["tokens"]), 0, shape.eos_token_id)
    decode_greedily(decoder, prompts, limits, lambda i, tokens, _: found.update({i: tokens}))
    # The reference leaves EOS out but goes to its length; ours ends there.
    differing = sum(
        found[index] != entry["tokens"][: len(found[index])]
        for index, entry in enumerate(reference["greedy"])
    )
    return Comparison(largest, wrong, len(ids), differing)


@click.command(
    cls=Command,
    epilog="\nExample:\n\n  python -m benchmarks.logits --reference /opt/torch/bin/python\n"
    "  --gguf material/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf --base runs/R/base\n",
)
@click.option("--reference", required=True, help="Python that has torch, transformers and gguf.")
@click.option("--gguf", required=True, type=click.Path(path_type=Path), help="The GGUF file.")
@click.option("--base", required=True, type=click.Path(path_type=Path), help="Converted model.")
def main(reference: str, gguf: Path, base: Path) -> None:
    """Compare our logits with transformers', live; exit 1 where they differ by over 1e-3."""
    if not gguf.is_file() or not (base / "model.ckpt").is_file():
        raise UserError("the model is not there", base, "run `make convert`")
    with tempfile.TemporaryDirectory() as folder:
        golden = Path(folder) / "golden.json"
        script = ROOT / "benchmarks" / "decode_reference.py"
        command = [reference, str(script), "golden", "--gguf", str(gguf.resolve())]
        command += ["--tokenizer", str((base / "tokenizer.json").resolve())]
        done = subprocess.run([*command, "--output", str(golden)], cwd=folder)
        if done.returncode:
            raise UserError("the reference failed", reference, "see its output above")
        result = compare(json.loads(golden.read_text("utf-8")), base)
    click.echo(
        f"largest logit difference {result.largest:.2e}; argmax differs at {result.argmax} of "
        f"{result.positions} positions; greedy tokens differ in {result.greedy} prompts"
    )
    if result.largest > ALLOWED or result.argmax or result.greedy:
        raise CheckFailed(f"more than {ALLOWED} apart", base)


if __name__ == "__main__":
    main()
