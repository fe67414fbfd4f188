"""An exported model and adapter, loaded by transformers and peft, beside our own decoder.

    python -m benchmarks.exported --reference PYTHON --base runs/R/base \
        --adapter runs/R/finetune/adapters/5.ckpt --config runs/R/config/finetune.yaml
    python -m benchmarks.exported --reference PYTHON --base runs/R/base \
        --adapter material/embedded/adapters/smollm2-135m

Exports the base and the adapter (a folder of PEFT's is taken as it is), has
benchmarks/exported_reference.py compute logits in PYTHON, which has torch, transformers and peft,
and compares: the base with our decoder on the base, the adapted one and peft's own merge with our
decoder on our merge. Exit 1 above 2e-3.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import List, Optional

import click
import numpy as np

from tools.cli import Command
from tools.files.errors import CheckFailed, UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.decoder import Decoder
from tools.llama.huggingface import export_model
from tools.llama.merging import merge_all, merge_one, read_config
from tools.llama.peft import export_adapter
from tools.llama.shape import LlamaShape
from tools.records.tokenizers import open_tokenizer

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = 2e-3
TEXT = "计算 4204.22 + -2369.17 等于多少？ The Pacific is the largest of the world's oceans."


def logits_of(checkpoint: Path, shape: LlamaShape, ids: List[int]) -> np.ndarray:
    """Logits after each of the ids, float32 (len(ids), vocabulary), by our decoder."""
    decoder = Decoder(shape, 1)
    decoder.load(Checkpoint(checkpoint))
    decoder.reserve(len(ids))
    rows = []
    for position, token in enumerate(ids):
        _, logits = decoder.step(np.array([token]), np.array([position]))
        rows.append(logits.asnumpy()[0].copy())
    return np.stack(rows)


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--reference", required=True, help="Python that has torch, transformers and peft.")
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--adapter", type=click.Path(path_type=Path, exists=True), required=True)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    help="finetune.yaml that trained it  [default: the one in the adapter's folder]",
)
def main(reference: str, base: Path, adapter: Path, config: Optional[Path]) -> None:
    config = config or adapter / "finetune.yaml"
    shape, lora = read_config(config)
    tokenizer = next(base.glob("tokenizer.*"))
    ids = open_tokenizer(tokenizer).encode(TEXT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_model(base, folder / "model")
        peft, merged = adapter.resolve(), folder / "merged" / "1" / "model.ckpt"
        if adapter.is_dir():
            merge_all(base / "model.ckpt", adapter, config, folder / "merged")
        else:
            peft = folder / "adapter"
            export_adapter(adapter, shape, lora, peft)
            merge_one(base / "model.ckpt", adapter, merged, *read_config(config))
        (folder / "ids.json").write_text(json.dumps(ids))
        script = ROOT / "benchmarks" / "exported_reference.py"
        command = [reference, str(script), "--model", "model", "--adapter", str(peft)]
        command += ["--ids", "ids.json", "--output", "logits.npz"]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE)
        if done.returncode:
            raise UserError("the reference failed", reference, "see its output above")
        theirs = dict(np.load(folder / "logits.npz"))
        ours = {"base": logits_of(base / "model.ckpt", shape, ids)}
        ours["adapted"] = ours["merged"] = logits_of(merged, shape, ids)
    said = json.loads(done.stdout.splitlines()[-1])["ids"]
    same = said == open_tokenizer(tokenizer).encode("计算 12 + 35 等于多少？")
    largest = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in theirs}
    moved = float(np.abs(theirs["adapted"] - theirs["base"]).max())
    for name, value in largest.items():
        click.echo(f"{name}: largest logit difference {value:.2e} over {len(ids)} positions")
    click.echo(f"the adapter moves logits by up to {moved:.2f}; tokenizers agree: {same}")
    if max(largest.values()) > ALLOWED or not same:
        raise CheckFailed(f"more than {ALLOWED} apart", base)


if __name__ == "__main__":
    main()
