"""Merging beside copying the file, and beside MindSpore's own loading and saving.

    python -m benchmarks.merge --folder /some/disk

A LLaMA-3-8B-shaped bfloat16 base is written (16 GB) with a rank-8 adapter of wq, wk, wv, wo, and
removed afterwards. In turn: `cp` of the base, `tools.merge`; then, on as many layers as
--peer-layers says, the same beside `mindspore.load_checkpoint`, adding and
`mindspore.save_checkpoint`. Each in a process of its own, `sync` included in its time, the page
cache dropped before where that is allowed. Prints a Markdown table.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import yaml

from tools.cli import Command
from tools.files.outputs import require_space
from tools.llama.checkpoint import CheckpointWriter, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape
from tools.llama.tensors import BLOCK, Entry
from tools.settings.profile import CONFIGS

RANK, ALPHA, TARGETS = 8, 16, ".*wq|.*wk|.*wv|.*wo"

_PEER = """
import sys
import mindspore as ms
base, adapter, output, scaling = sys.argv[1:]
weights, deltas = ms.load_checkpoint(base), ms.load_checkpoint(adapter)
for name in list(deltas):
    if name.endswith("lora_a"):
        module = name.rpartition(".")[0]
        weight = weights[module + ".weight"]
        b, a = (deltas[f"{module}.mindpet_delta_lora_{side}"].asnumpy() for side in "ba")
        kind = weight.dtype
        total = weight.astype(ms.float32).asnumpy() + float(scaling) * (b @ a)
        weights[module + ".weight"] = ms.Parameter(ms.Tensor(total).astype(kind), name=module)
items = [{"name": name, "data": value} for name, value in weights.items()]
ms.save_checkpoint(items, output)
"""


class Measured(NamedTuple):
    name: str
    gigabytes: float
    seconds: list[float]
    peak: int  # bytes


def make_inputs(folder: Path, layers: int) -> LlamaShape:
    """Write base.ckpt, adapter.ckpt and finetune.yaml; random bits that are finite numbers."""
    native = yaml.safe_load((CONFIGS / "llama3-8b" / "finetune.yaml").read_text("utf-8"))
    model = native["model"]["model_config"]
    model["num_layers"] = layers
    model["pet_config"] = {
        "pet_type": "lora",
        "lora_rank": RANK,
        "lora_alpha": ALPHA,
        "target_modules": TARGETS,
    }
    (folder / "finetune.yaml").write_text(yaml.safe_dump(native))
    shape = LlamaShape.from_model_config(model, "llama3-8b")
    random = np.random.default_rng(1)
    # The upper half of float32 numbers near 0.02, again and again.
    bits = (random.standard_normal(BLOCK // 2, np.float32) * 0.02).view(np.uint32) >> 16
    block = bits.astype(np.uint16)
    with (folder / "base.ckpt").open("wb") as handle:
        writer = CheckpointWriter(handle)
        for name, dims in shape.parameters().items():
            entry = Entry(name, dims, "BFloat16")
            writer.begin(entry)
            for start in range(0, entry.size, len(block)):
                writer.write(block[: entry.size - start])
        writer.end()
    lora = LoraConfig(RANK, float(ALPHA), TARGETS)
    tensors = (
        (name, random.standard_normal(dims, np.float32) * 0.02, "Float32")
        for name, dims in adapter_parameters(shape, lora).items()
    )
    write_checkpoint(folder / "adapter.ckpt", tensors)
    return shape


def timed(command: Sequence[object]) -> tuple[float, int]:
    """Seconds with `sync`, and the peak resident set in bytes, of a command."""
    drop_cache()
    started = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"{command[0]} failed: {os.waitstatus_to_exitcode(status)}")
    os.sync()
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def drop_cache() -> None:
    """Begin from the disk, where the system lets us."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        click.echo("the page cache could not be dropped", err=True)


def compare(folder: Path, layers: int, peer: bool, times: int) -> list[Measured]:
    """Measure every way in turn, `times` times over, on a model of so many layers."""
    base, adapter, output = (folder / name for name in ("base.ckpt", "adapter.ckpt", "out.ckpt"))
    shape = make_inputs(folder, layers)
    merge = [sys.executable, "-m", "tools.merge", "--base", base, "--adapter", adapter]
    ways = {
        "cp": ["cp", base, output],
        "ours": [*merge, "--config", folder / "finetune.yaml", "--output", output],
    }
    if peer:
        ways["MindSpore"] = [
            sys.executable, "-c", _PEER, base, adapter, output, ALPHA / RANK,
        ]  # fmt: skip
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in ways}
    for _ in range(times):
        for name, command in ways.items():
            found[name].append(timed(command))
            output.unlink()
    size = shape.count() * 2 / 1e9
    return [
        Measured(name, size, [s for s, _ in runs], max(peak for _, peak in runs))
        for name, runs in found.items()
    ]


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--folder", type=click.Path(path_type=Path), default="runs/merge-benchmark")
@click.option("--layers", default=32, show_default=True, help="Of the large base; 32: 16 GB.")
@click.option("--peer-layers", default=0, show_default=True, help="Of the base for MindSpore.")
@click.option("--times", default=5, show_default=True)
def main(folder: Path, layers: int, peer_layers: int, times: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, 34_000_000_000)
    folder = Path(tempfile.mkdtemp(dir=folder))
    rows = []
    try:
        for count, peer in ((layers, False), (peer_layers, True)):
            if count:
                part = compare(folder, count, peer, times)
                copy = statistics.median(part[0].seconds)
                for item in part:
                    middle = statistics.median(item.seconds)
                    rows.append(
                        f"| {item.gigabytes:.1f} | {item.name} | {middle:.1f} "
                        f"| {middle / copy:.2f} | {item.peak / 1e9:.2f} |"
                    )
                    click.echo(f"{item.name}: {[round(s, 1) for s in item.seconds]} s", err=True)
    finally:
        shutil.rmtree(folder)
    click.echo("| GB | way | median s | × cp | peak, GB |\n| --- | --- | --- | --- | --- |")
    click.echo("\n".join(rows))


if __name__ == "__main__":
    main()
