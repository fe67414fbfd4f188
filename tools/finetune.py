"""Fine-tune LoRA adapters with MindFormers, launched by msrun."""

from __future__ import annotations

from pathlib import Path

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.finetune --config runs/R/config/finetune.yaml --model runs/R/config/model.json
  --base runs/R/base/model.ckpt --records runs/R/records/train.mindrecord --output runs/R/finetune
"""
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
def main(
    config: Path, model: Path, base: Path, records: Path, output: Path, checkpoints: int
) -> None:
    """Train LoRA adapters and save them at even intervals, with full worker logs and loss.csv."""
    from tools.training.launch import finetune

    result = finetune(config, model, base, records, output, checkpoints)
    click.echo(f"{output}: {result['steps']} steps, checkpoints at {result['checkpoints']}")


if __name__ == "__main__":
    main()
