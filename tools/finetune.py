"""Fine-tune LoRA adapters with MindFormers, launched by msrun."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.finetune --config runs/R/config/finetune.yaml --model runs/R/config/model.json
  --base runs/R/base/model.ckpt --records runs/R/records/train.mindrecord --output runs/R/finetune

  A second stage, of other rows, from the adapter of the first:
  python -m tools.finetune … --init runs/first/finetune --output runs/second/finetune

  On each of two hosts, with its own --node-rank:
  python -m tools.finetune … --nodes 2 --node-rank 0 --master-addr 10.0.0.1 --master-port 8118
"""
_BFLOAT16 = "bfloat16_matmul"
_FILE = click.Path(path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--config", required=True, type=_FILE, help="finetune.yaml, in MindFormers' format.")
@click.option("--model", required=True, type=_FILE, help="model.json as the profile resolves.")
@click.option("--base", required=True, type=_FILE, help="Checkpoint of the base weights.")
@click.option("--records", required=True, type=_FILE, help="MindRecord file of the training rows.")
@click.option("--output", required=True, type=_FILE, help="Folder of adapters, logs and loss.csv.")
@click.option(
    "--checkpoints",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How many, at even intervals.",
)
@click.option(
    "--resume",
    type=click.Choice(["auto", "no"]),
    default="auto",
    show_default=True,
    help="auto: go on where a training of the same inputs was cut short.",
)
@click.option(
    "--init",
    type=_FILE,
    help="Adapter to begin with: a training's output, one checkpoint, or a PEFT folder.",
)
@click.option("--training", type=_FILE, help="training.json as the profile resolves.")
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Hosts.")
@click.option("--node-rank", type=click.IntRange(0), default=0, help="Number of this host, from 0.")
@click.option("--master-addr", default="127.0.0.1", show_default=True, help="Host 0's address.")
@click.option("--master-port", type=click.IntRange(1, 65535), help="Where host 0 listens.")
def main(
    config: Path,
    model: Path,
    base: Path,
    records: Path,
    output: Path,
    checkpoints: int,
    resume: str,
    init: Optional[Path],
    training: Optional[Path],
    nodes: int,
    node_rank: int,
    master_addr: str,
    master_port: Optional[int],
) -> None:
    """Train LoRA adapters and save them at even intervals, with full worker logs and loss.csv.

    A training that was killed goes on from its newest whole state, a few steps back. Without
    --training all matrix products are in float32.
    """
    from tools.planning.forecast import training_forecast
    from tools.settings.resolve import read_resolved
    from tools.training.launch import finetune
    from tools.training.workers import Hosts

    if records.with_name(records.name + ".json").is_file():
        states = output.with_name(output.name + ".work").glob("states/[0-9]*.ckpt")
        done = [int(path.stem) for path in states] if resume == "auto" else []
        told = training_forecast(config, records, checkpoints, max(done, default=0))
        click.echo(told, err=True, nl=bool(told))
    hosts = Hosts(nodes, node_rank, master_addr, master_port)
    bfloat16 = training is not None and read_resolved(training, [_BFLOAT16])[_BFLOAT16]
    go_on = resume == "auto"
    files = (config, model, base, records, output)
    result = finetune(*files, checkpoints, hosts, go_on, bfloat16, init)
    click.echo(f"{output}: {result['steps']} steps, checkpoints at {result['checkpoints']}")


if __name__ == "__main__":
    main()
