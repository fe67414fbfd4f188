"""Merge adapters into the base weights: whole models, LoRA gone."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.merge --base base.ckpt --adapter adapters/5.ckpt --config finetune.yaml
  --output merged/5/model.ckpt

  python -m tools.merge --base runs/R/base/model.ckpt --adapters runs/R/finetune/adapters
  --config runs/R/config/finetune.yaml --output runs/R/merged

  python -m tools.merge --base runs/R/base/model.ckpt --adapters peft
  --config peft/finetune.yaml --output merged

  python -m tools.merge --base base.ckpt --adapter 'checkpoint/rank_{rank}/lora-24_1.ckpt'
  --strategy strategy/ --config finetune.yaml --output merged.ckpt
"""
_FILE = click.Path(path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--base", required=True, type=_FILE, help="Checkpoint of the base weights.")
@click.option("--adapter", type=_FILE, help="One adapter checkpoint.")
@click.option(
    "--adapters", type=_FILE, help="Folder of adapters, or PEFT's of one: all are merged."
)
@click.option("--config", required=True, type=_FILE, help="finetune.yaml that trained them.")
@click.option("--output", required=True, type=_FILE, help="Checkpoint, or folder for --adapters.")
@click.option(
    "--strategy",
    "strategies",
    type=_FILE,
    multiple=True,
    help="Strategy file of shards, or the folder of several; repeatable.",
)
def main(
    base: Path,
    adapter: Optional[Path],
    adapters: Optional[Path],
    config: Path,
    output: Path,
    strategies: Tuple[Path, ...],
) -> None:
    """Write W + alpha/rank * B A for every adapted matrix, names as in the base checkpoint.

    Base and adapter are MindSpore checkpoints or .safetensors files; an output of that name is one,
    too. With {rank} in its path, either stands for the shards of all ranks, which are joined as
    the strategy files of that training say.
    """
    from tools.llama.merging import merge_all, merge_one, read_config

    if bool(adapter) == bool(adapters):
        raise click.UsageError("give either --adapter or --adapters")
    if strategies and not any("{rank}" in str(path) for path in (base, adapter)):
        raise click.UsageError("--strategy is for shards: put {rank} into --base or --adapter")
    if adapters and strategies:
        raise click.UsageError("--strategy goes with --adapter")
    if adapter:
        merge_one(base, adapter, output, *read_config(config), strategies)
        click.echo(f"{output}: merged")
    else:
        count = merge_all(base, adapters, config, output)
        click.echo(f"{output}: {count} merged models")


if __name__ == "__main__":
    main()
