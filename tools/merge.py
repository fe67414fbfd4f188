"""Merge adapters into the base weights: whole models, LoRA gone."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.merge --base base.ckpt --adapter adapters/5.ckpt --config finetune.yaml
  --output merged/5/model.ckpt

  python -m tools.merge --base runs/R/base/model.ckpt --adapters runs/R/finetune/adapters
  --config runs/R/config/finetune.yaml --output runs/R/merged
"""
_FILE = click.Path(path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--base", required=True, type=_FILE, help="Checkpoint of the base weights.")
@click.option("--adapter", type=_FILE, help="One adapter checkpoint.")
@click.option("--adapters", type=_FILE, help="Folder of adapters: all are merged.")
@click.option("--config", required=True, type=_FILE, help="finetune.yaml that trained them.")
@click.option("--output", required=True, type=_FILE, help="Checkpoint, or folder for --adapters.")
def main(
    base: Path, adapter: Optional[Path], adapters: Optional[Path], config: Path, output: Path
) -> None:
    """Write W + alpha/rank * B A for every adapted matrix, names as in the base checkpoint."""
    from tools.llama.merging import merge_all, merge_one

    if bool(adapter) == bool(adapters):
        raise click.UsageError("give either --adapter or --adapters")
    if adapter:
        merge_one(base, adapter, config, output)
        click.echo(f"{output}: merged")
    else:
        count = merge_all(base, adapters, config, output)
        click.echo(f"{output}: {count} merged models")


if __name__ == "__main__":
    main()
