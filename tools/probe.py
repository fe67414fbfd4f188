"""Which matrices are low-rank, and what ranks a budget of trained parameters should buy."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.probe --config runs/R/config/finetune.yaml --weights runs/R/base/model.ckpt
    --output runs/R/probe/weights --parameters 921600

  python -m tools.probe --config finetune.yaml --adapter runs/R/finetune/adapters
    --output runs/R/probe/adapter

  python -m tools.probe --config finetune.yaml --weights tuned.ckpt --minus base.ckpt
    --output probe

  python -m tools.probe --config configs/llama3-8b/finetune.yaml --parameters 3407872
"""
_FILE = click.Path(path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--config", required=True, type=_FILE, help="finetune.yaml of the model.")
@click.option("--weights", type=_FILE, help="Checkpoint, .safetensors file or folder of these.")
@click.option("--minus", type=_FILE, help="Another one: their difference is probed.")
@click.option(
    "--adapter", type=_FILE, help="LoRA's checkpoint, or the folder of several: the last."
)
@click.option("--output", type=_FILE, help="Folder for probe.json, probe.png, spectra.jsonl.")
@click.option(
    "--parameters", type=int, help="Trained parameters to spend; of the config, if not given."
)
def main(
    config: Path,
    weights: Optional[Path],
    minus: Optional[Path],
    adapter: Optional[Path],
    output: Optional[Path],
    parameters: Optional[int],
) -> None:
    """Measure the spectra of a model's matrices beside random ones; propose ranks for a LoRA.

    A matrix at a time; spectra.jsonl keeps what is measured, so that an interrupted probe goes on.
    Without --weights and --adapter, the ranks that --parameters buy follow from the shape alone.
    docs/probing.md says what the measures are.
    """
    from tools.probing.probe import probe_adapter, probe_weights, ranks_of_shape

    if (weights and adapter) or (minus and not weights):
        raise click.UsageError("give --weights, with or without --minus, or --adapter")
    if not (weights or adapter):
        if parameters is None:
            raise click.UsageError("give --weights or --adapter, or --parameters alone")
        click.echo(ranks_of_shape(config, parameters))
        return
    if output is None:
        raise click.UsageError("give the --output folder")
    if adapter:
        click.echo(probe_adapter(config, adapter, output, parameters))
    else:
        click.echo(probe_weights(config, weights, minus, output, parameters))


if __name__ == "__main__":
    main()
