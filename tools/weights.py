"""`tools.convert weights`: base weights of a profile; to and from Hugging Face and PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import click

from tools.cli import Command

_EPILOG = """
Example:

  python -m tools.convert weights --config runs/R/config/model.json
    --material material/smollm2-135m --output runs/R/base/model.ckpt

  python -m tools.convert weights --model runs/R/merged/5 --to huggingface --output exported

  python -m tools.convert weights --model Meta-Llama-3-8B --to mindformers --output base

  python -m tools.convert weights --adapter runs/R/finetune/adapters/5.ckpt
    --config runs/R/config/finetune.yaml --to peft --output adapter

  python -m tools.convert weights --adapter adapter --model base --to mindformers
    --output adapter-ms
"""
_PATH = click.Path(exists=True, path_type=Path)


@click.command(cls=Command, epilog=_EPILOG)
@click.option("--config", type=_PATH, help="model.json of a profile; of an adapter, finetune.yaml.")
@click.option("--material", type=click.Path(path_type=Path), help="Folder of what was fetched.")
@click.option("--model", type=_PATH, help="A model's folder, of ours or of Hugging Face.")
@click.option("--adapter", type=_PATH, help="An adapter's checkpoint, or PEFT's folder.")
@click.option("--to", type=click.Choice(["mindformers", "huggingface", "peft"]), help="The form.")
@click.option("--base-name", default="", help="What PEFT shall call the base: a repository.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="File or folder.")
def weights(
    config: Optional[Path],
    material: Optional[Path],
    model: Optional[Path],
    adapter: Optional[Path],
    to: Optional[str],
    base_name: str,
    output: Path,
) -> None:
    """Base weights of a profile to a MindFormers checkpoint; models and adapters to and fro.

    With --config and --material, the checkpoint of a profile's base; model.json goes beside it.
    With --model, its folder in the form --to. With --adapter, to PEFT's form (--config says how it
    was trained) or from it (--model says of what base).
    """
    if to is None:
        if config is None or material is None or model or adapter:
            raise click.UsageError(
                "give --config and --material, or --to with --model or --adapter"
            )
        from tools.llama.base import convert_weights

        done = convert_weights(config, material, output)
        click.echo(f"{output}: {done['parameters']:,} parameters from {done['source']}")
    elif adapter is not None:
        click.echo(f"{output}: {_adapter(adapter, config, model, to, base_name, output)}")
    elif model is None or to == "peft":
        raise click.UsageError("--to peft needs --adapter, the others --model")
    else:
        from tools.llama.huggingface import export_model, import_model

        done = (export_model if to == "huggingface" else import_model)(model, output)
        tied = ", the output matrix tied to the embedding" if done["tied"] else ""
        click.echo(f"{output}: {done['tensors']} tensors{tied}")


def _adapter(
    adapter: Path,
    config: Optional[Path],
    model: Optional[Path],
    to: str,
    base_name: str,
    output: Path,
) -> str:
    from tools.llama.peft import export_adapter, import_adapter

    if to == "peft":
        if config is None:
            raise click.UsageError(
                "--to peft needs the finetune.yaml it was trained with: --config"
            )
        from tools.llama.merging import read_config

        return f"{export_adapter(adapter, *read_config(config), output, base_name)} matrices"
    if to != "mindformers" or model is None:
        raise click.UsageError("an adapter goes --to peft, or --to mindformers with its --model")
    from tools.llama.shape import LlamaShape

    lora = import_adapter(adapter, LlamaShape.load(model / "model.json"), output)
    return f"rank {lora.rank}, alpha {lora.alpha:g}, target_modules {lora.targets}"
