"""Let models answer prompts: greedy decoding with a key-value cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import click

from tools.cli import Command, config_option

_EPILOG = """
Example:

  python -m tools.generate --model runs/R/base --prompts runs/R/prompts/test.jsonl
  --output runs/R/baseline/test.jsonl

  python -m tools.generate --model merged/1 --model merged/2 --prompts squad.jsonl
  --prompts valid.jsonl --max-new-tokens squad=20 --max-new-tokens valid=64 --output-folder evaluate
"""
_PATH = click.Path(path_type=Path)
_DEFAULT_LENGTH = 64


@click.command(cls=Command, epilog=_EPILOG)
@config_option
@click.option(
    "--model",
    "models",
    required=True,
    multiple=True,
    metavar="FOLDER",
    type=_PATH,
    help="Folder of model.ckpt, model.json and the tokenizer; repeatable.",
)
@click.option(
    "--prompts",
    required=True,
    multiple=True,
    metavar="FILE",
    type=_PATH,
    help="Rows to answer, JSON lines; repeatable.",
)
@click.option("--output", metavar="FILE", type=_PATH, help="Predictions of one model, one file.")
@click.option(
    "--output-folder",
    metavar="FOLDER",
    type=_PATH,
    help="With one model FOLDER/PROMPTS.jsonl, with more FOLDER/MODEL/PROMPTS.jsonl.",
)
@click.option(
    "--max-new-tokens",
    "max_new_tokens",
    multiple=True,
    metavar="[NAME=]N",
    help=f"Longest answer, for all prompts or those of NAME.jsonl [default: {_DEFAULT_LENGTH}].",
)
@click.option(
    "--min-new-tokens",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Shortest answer: the end is passed over until then.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Rows decoded at once.",
)
@click.option("--stop", multiple=True, metavar="TEXT", help="Ends an answer; repeatable.")
@click.option("--add-bos", is_flag=True, help="Begin each prompt with the model's BOS token.")
@click.option(
    "--max-length",
    type=click.IntRange(min=2),
    default=8192,
    show_default=True,
    help="Positions of the model; a longer prompt is refused.",
)
@click.option(
    "--device",
    type=click.Choice(["CPU", "Ascend"]),
    default="CPU",
    show_default=True,
    help="Where to run.",
)
@click.option(
    "--engine",
    type=click.Choice(["cached", "mindformers"]),
    help="Decoder: our own with a cache, for the CPU, or MindFormers' generate; by the device.",
)
def main(
    models: tuple[Path, ...],
    prompts: tuple[Path, ...],
    output: Optional[Path],
    output_folder: Optional[Path],
    max_new_tokens: tuple[str, ...],
    **settings: Any,
) -> None:
    """Answer prompts greedily with one model or several.

    Outputs that are complete are left alone; one that broke off goes on where it stopped.
    """
    if (output is None) == (output_folder is None):
        raise click.UsageError("give either --output or --output-folder")
    if output and (len(models) > 1 or len(prompts) > 1):
        raise click.UsageError("--output takes one --model and one --prompts; use --output-folder")
    outputs = [output] if output else _outputs(models, prompts, output_folder)
    if len(set(outputs)) < len(outputs):
        raise click.UsageError("two of the outputs would have the same name")
    lengths = _max_new_tokens(max_new_tokens, [path.stem for path in prompts])
    # MindSpore's warnings say nothing that a user could act on.
    os.environ.setdefault("GLOG_v", "3")
    from tools.llama.answering import generate
    from tools.llama.predictions import CUT

    results = generate(models, prompts, outputs, lengths, **settings)
    for path, result in zip(outputs, results):
        state = "there already" if result["skipped"] else f"{result['seconds']:.1f} s"
        cut = result["reasons"].get(CUT, 0)
        ended = f", {cut} cut at {result['settings']['max_new_tokens']} new tokens" if cut else ""
        click.echo(f"{path}: {result['rows']} rows, {result['new_tokens']} tokens{ended}, {state}")


def _outputs(
    models: tuple[Path, ...], prompts: tuple[Path, ...], folder: Optional[Path]
) -> list[Path]:
    assert folder
    # `FOLDER/` and `FOLDER/.` are FOLDER.
    inside = [folder / model.resolve().name if len(models) > 1 else folder for model in models]
    return [place / f"{path.stem}.jsonl" for place in inside for path in prompts]


def _max_new_tokens(values: tuple[str, ...], names: list[str]) -> list[int]:
    """A length for each prompt file, from `N` and `NAME=N`.

    Refuses a file that no length is for where others have one, and a name without a file unless
    it comes from --config: that of a run is for all of its prompt files.
    """
    lengths: dict[str, int] = {}
    for value in values:
        name, _, number = str(value).rpartition("=")
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:9]) <= 100_000:
            raise click.BadParameter(
                f"{value!r} is not N or NAME=N with N from 1 to 100000",
                param_hint="--max-new-tokens",
            )
        lengths[name] = int(number)
    source = click.get_current_context().get_parameter_source("max_new_tokens")
    strange = sorted(lengths.keys() - {"", *names})
    if strange and source == click.core.ParameterSource.COMMANDLINE:
        raise click.BadParameter(
            f"no prompts file is named {strange[0]}.jsonl, those given are {', '.join(names)}",
            param_hint="--max-new-tokens",
        )
    if not lengths:
        lengths[""] = _DEFAULT_LENGTH
    for name in names:
        if name not in lengths and "" not in lengths:
            raise click.BadParameter(
                f"none is given for {name}.jsonl, but for {', '.join(lengths)}; say N or {name}=N",
                param_hint="--max-new-tokens",
            )
    return [lengths[name if name in lengths else ""] for name in names]


if __name__ == "__main__":
    main()
