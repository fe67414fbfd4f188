"""Greedy decoding of SmolLM2: ours, torch with transformers, and MindFormers' generate, in one run.

    python -m benchmarks.decoding --run runs/smollm2-135m-quick --reference /path/to/python

RUN is one that `make convert` made; --reference is a Python that has torch, transformers and gguf.
The same prompts of 64 tokens and the same 32 new ones at batch 1, 8 and 32, the medians of all
steps of five times each, ours and torch's in turns, since the machine is shared; MindFormers'
generate(use_past=False) at batch 8. Then 64 real prompts to their ends, whose tokens have to be
the same: where they are not, the reference's lead over its second choice is shown, and more than
a rounding apart is exit 1. Prints Markdown tables. Takes about fifteen minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import click
import numpy as np

from tools.cli import Command
from tools.files.errors import CheckFailed
from tools.records.tokenizers import open_tokenizer

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SCRIPT = Path(__file__).with_name("decode_reference.py")
BATCHES, WIDTH, ROWS, NEW_TOKENS = (1, 8, 32), 64, 64, 40
WHOLE = (8, 32)  # batches of the real prompts
TURNS = 2
TIE = 1e-3  # twice the largest difference of logits that was seen, and more


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--reference", required=True, help="Python that has torch, transformers and gguf.")
@click.option("--material", type=click.Path(path_type=Path), default="material/smollm2-135m")
def main(run: Path, reference: str, material: Path) -> None:
    base, gguf = (run / "base").resolve(), (material / GGUF).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_prompts(run, base, folder)
        theirs = [reference, str(SCRIPT)]
        ours = [sys.executable, "-m", "benchmarks.decode_ours"]
        slow = ["--batch-size", 8, "--max-new-tokens", 4]
        slow = _measured([*ours, "mindformers", "--model", base, *slow], folder, "even")
        sides: Dict[str, List[Any]] = {"ours": [], "torch": []}
        for _ in range(TURNS):
            sides["ours"].append(_measured([*ours, "speed", "--model", base], folder, "even"))
            sides["torch"].append(_measured([*theirs, "speed", "--gguf", gguf], folder, "even"))
        more = ["--max-new-tokens", NEW_TOKENS, "--batch-size"]
        two = [*more, WHOLE[0], "--batch-size", WHOLE[1]]
        whole = _measured([*ours, "rows", "--model", base, *two], folder, "real")
        reference_rows = _measured([*theirs, "rows", "--gguf", gguf, *more, *WHOLE], folder, "real")
    click.echo(speed_table(sides, slow))
    click.echo(whole_table(whole, reference_rows))
    wrong = [line for size in whole for line in differences(whole[size], reference_rows)]
    click.echo("\n".join(sorted(set(wrong))) or f"all {ROWS} answers are equal, token for token")
    if any(line.endswith("!") for line in wrong):
        raise CheckFailed("answers differ by more than a tie", base)


def write_prompts(run: Path, base: Path, folder: Path) -> None:
    """even.json: 32 passages cut to 64 tokens; real.json: 64 prompts, reading and arithmetic."""
    tokenizer = open_tokenizer(next(base.glob("tokenizer.*")))
    texts = {}
    for kind in ("squad", "test"):
        lines = (run / "prompts" / f"{kind}.jsonl").read_text("utf-8").splitlines()
        texts[kind] = [json.loads(line)["prompt"] for line in lines]
    real = (texts["squad"][: ROWS // 2] + texts["test"])[:ROWS]
    (folder / "real.json").write_text(json.dumps(tokenizer.encode_batch(real)))
    # Passages alone: nothing is common to two of them, which we would not compute twice.
    stream = [token for text in texts["squad"] for token in tokenizer.encode(text)]
    starts = range(0, max(BATCHES) * WIDTH, WIDTH)
    (folder / "even.json").write_text(json.dumps([stream[at : at + WIDTH] for at in starts]))


def _measured(command: List[Any], folder: Path, ids: str) -> Any:
    output = folder / "out.json"
    output.unlink(missing_ok=True)
    command = [*command, "--ids", folder / f"{ids}.json", "--output", output]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[:4]} failed: {done.stderr[-2000:]}")
    click.echo(f"{command[1:4]} done", err=True)
    return json.loads(output.read_text())


def speed_table(sides: Dict[str, List[Any]], slow: Any) -> str:
    """Milliseconds a step, tokens a second and prefill by batch, ours over torch's."""
    lines = [
        "| batch | side | ms a step | tokens/s | × torch | prefill, tokens/s | peak, GB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for batch in BATCHES:
        step = {name: _median(turns, batch, "steps") for name, turns in sides.items()}
        for name, turns in sides.items():
            prefill = batch * WIDTH / _median(turns, batch, "prefill")
            peak = max(turn["peak"] for turn in turns) / 1000
            lines.append(
                f"| {batch} | {name} | {1e3 * step[name]:.1f} | {batch / step[name]:.1f} | "
                f"{step['torch'] / step[name]:.2f} | {prefill:.0f} | {peak:.2f} |"
            )
        if str(batch) in slow["batches"]:
            seconds = float(np.median(slow["batches"][str(batch)]["steps"]))
            lines.append(
                f"| {batch} | MindFormers' generate | {1e3 * seconds:.0f} | {batch / seconds:.1f} "
                f"| {step['torch'] / seconds:.3f} | – | {slow['peak'] / 1000:.2f} |"
            )
    return "\n".join(lines)


def whole_table(ours: Dict[str, Any], theirs: Dict[str, Any]) -> str:
    """Seconds and tokens a second of 64 real prompts, prefill and all."""
    lines = ["\n| batch | ours, s | torch, s | × | ours, tokens/s |", "| --- |" + " --- |" * 4]
    for size, side in ours.items():
        taken, count = side["seconds"], sum(map(len, side["tokens"]))
        other = theirs["seconds"][size]
        lines.append(
            f"| {size} | {taken:.1f} | {other:.1f} | {other / taken:.2f} | {count / taken:.1f} |"
        )
    return "\n".join(lines)


def differences(ours: Dict[str, Any], theirs: Dict[str, Any]) -> List[str]:
    """A line for each answer that differs; it ends with ! unless the first difference is a tie."""
    lines = []
    triples = zip(ours["tokens"], theirs["tokens"], theirs["margins"])
    for index, (one, other, margins) in enumerate(triples):
        if one != other:
            pairs = list(zip(one, other))
            at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
            mark = "" if margins[at] < TIE else "!"
            lines.append(f"prompt {index}, token {at}: a lead of {margins[at]:.1e}{mark}")
    return lines


def _median(turns: List[Any], batch: int, key: str) -> float:
    return float(np.median([value for turn in turns for value in turn["batches"][str(batch)][key]]))


if __name__ == "__main__":
    main()
