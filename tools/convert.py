"""Convert what was fetched into what training and evaluation read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import click

from tools.cli import Group, Styles, config_option
from tools.corpus.kinds import KINDS
from tools.organisers import COMMANDS
from tools.records.prompts import PROBLEM_FRAMES
from tools.weights import weights

_IN = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_PROMPT = click.option(
    "--prompt",
    type=click.Choice(PROBLEM_FRAMES),
    default="alpaca",
    show_default=True,
    help="Frame around each problem.",
)
_EPILOG = """
Example:

  python -m tools.convert math --input train.json --output rows.jsonl

  python -m tools.convert COMMAND --help
"""
_MATH = """
Example:

  python -m tools.convert math --input train.json --output rows.jsonl

  python -m tools.convert math --folder corpus --train 2000 --test 200
    --styles multiply=schoolbook:4,divide=schoolbook:4
"""
_DESCRIBE = """
Example:

  python -m tools.convert describe --folder corpus --tokenizer tokenizer.model --seq-length 256
"""
_RECORDS = """
Example:

  python -m tools.convert records --input train.jsonl --seq-length 256
    --tokenizer tokenizer.model --output train.mindrecord
"""
_SQUAD = """
Example:

  python -m tools.convert squad --input dev-v1.1.json --output squad.jsonl
"""
_PROMPTS = """
Example:

  python -m tools.convert prompts --input corpus/test.jsonl --output prompts/test.jsonl
"""
_TOKENIZER = """
Example:

  python -m tools.convert tokenizer --gguf FILE --output tokenizer.json

  python -m tools.convert tokenizer --train train.jsonl --vocab-size 640
    --output tokenizer.model
"""


class Weights(click.ParamType):
    """Proportions by kind, `add=3,root=1`; in a --config file an object."""

    name = "kind=n,…"

    def convert(self, value: Any, param: Any, ctx: Any) -> Dict[str, int]:
        if not isinstance(value, dict):
            value = dict(part.partition("=")[::2] for part in str(value).split(","))
        for kind, number in value.items():
            if kind not in KINDS:
                self.fail(f"{kind!r} is no kind; there are {', '.join(KINDS)}", param, ctx)
            if not str(number).isascii() or not str(number).isdigit() or len(str(number)) > 9:
                self.fail(f"{kind}={number} is no whole number from 0", param, ctx)
        return {kind: int(number) for kind, number in value.items()}


@click.group(cls=Group, epilog=_EPILOG)
def main() -> None:
    """Convert what was fetched into what training and evaluation read."""


@main.command(epilog=_MATH)
@config_option
@click.option("--input", "source", type=_IN, help="train.json; without it, rows are generated.")
@click.option("--output", type=_OUT, help="Convert all rows into this one file.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead: train.jsonl, valid.jsonl, test.jsonl and corpus.json in this folder.",
)
@click.option("--train", type=click.IntRange(1), help="Training rows  [default: all the source's]")
@click.option("--valid", type=click.IntRange(0), default=1000, show_default=True, help="Rows.")
@click.option("--test", type=click.IntRange(0), default=1000, show_default=True, help="Rows.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of draw and split.")
@click.option("--weights", type=Weights(), help="Mix of --train  [default: as in the source]")
@click.option("--repeat", type=click.IntRange(1), default=1, help="Most copies of a rare problem.")
@click.option(
    "--exponent",
    "exponents",
    type=click.IntRange(0, 5),
    multiple=True,
    help="Power that is trained; give several  [default: all]",
)
@click.option("--styles", type=Styles(), help="Worked solutions  [default: the source's own]")
def math(
    source: Optional[Path],
    output: Optional[Path],
    folder: Optional[Path],
    train: Optional[int],
    valid: int,
    test: int,
    seed: int,
    weights: Optional[Dict[str, int]],
    repeat: int,
    exponents: Tuple[int, ...],
    styles: Optional[Dict[str, Any]],
) -> None:
    """Arithmetic problems: one file of rows, or a corpus split by problem.

    A style is worked out to a number of decimals (or 6s: significant digits): source, answer,
    direct, schoolbook or columns; see docs/worked-solutions.md.

    Rows that fit no kind are kept apart in a file of misfits, with line and reason.
    """
    if (output is None) == (folder is None):
        raise click.UsageError("name either --output or --folder")
    if output is not None and source is None:
        raise click.UsageError("--output needs --input")
    if output is not None:
        from tools.corpus.train_json import convert_rows

        summary = convert_rows(source, output, styles)
    else:
        from tools.corpus.build import Plan, build_corpus

        plan = Plan(train, valid, test, seed, weights, repeat, styles or {}, exponents or None)
        summary = build_corpus(folder, source, plan)
    parts = [f"{count} {name}" for name, count in summary.get("splits", {}).items()]
    parts += [f"{summary['rows']} rows read", f"{summary['misfits']['count']} misfits"]
    if summary.get("absent"):
        parts.append(f"no rows of {', '.join(summary['absent'])}")
    click.echo(f"{output or folder}: {', '.join(parts)}")


@main.command(epilog=_DESCRIBE)
@config_option
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of a corpus; tokens.json and corpus.png go there.",
)
@click.option(
    "--tokenizer", "tokenizers", type=_IN, multiple=True, required=True, help="One or more."
)
@click.option("--seq-length", type=click.IntRange(1), required=True, help="Tokens the model sees.")
@_PROMPT
@click.option("--records", type=_IN, help="Made of this corpus; the lengths that they counted.")
def describe(
    folder: Path,
    tokenizers: Tuple[Path, ...],
    seq_length: int,
    prompt: str,
    records: Optional[Path],
) -> None:
    """What a corpus costs in tokens, by kind and by style of solution: figures and a picture."""
    from tools.records.describe import describe_corpus

    summary = describe_corpus(folder, tokenizers, prompt, seq_length, records)
    for name, found in summary["tokenizers"].items():
        length, over = found["lengths"]["all"], 100 * found["over"]["all"]
        click.echo(
            f"{name}: {length['mean']:.1f} tokens a row, half below {length['p50']}, longest "
            f"{length['max']}; {over:.1f} % over {seq_length}"
        )


@main.command(epilog=_RECORDS)
@config_option
@click.option("--input", "rows", type=_IN, required=True, help="Rows of the corpus, JSON lines.")
@click.option("--tokenizer", type=_IN, required=True, help="Of any kind; its content tells.")
@click.option("--seq-length", type=click.IntRange(1), required=True, help="Tokens the model sees.")
@click.option("--output", type=_OUT, required=True, help="MindRecord; .db and .json go beside it.")
@_PROMPT
@click.option("--model", type=_IN, help="model.json to take the special ids from.")
@click.option("--bos-id", type=click.IntRange(0), help="Begin id, only noted: rows have no BOS.")
@click.option("--eos-id", type=click.IntRange(0), help="End id; stands after every answer.")
@click.option("--pad-id", type=click.IntRange(0), help="Padding id.")
@click.option("--pack/--no-pack", default=False, help="Several whole examples a row.")
@click.option(
    "--reading", type=click.IntRange(0), default=0, help="Copies of the embedded reading rows."
)
@click.option("--recipe", help="Recipe whose solutions must all fit.")
@click.option("--evaluation", type=_IN, help="evaluation.json, whose max_new_tokens they must fit.")
def records(
    rows: Path,
    tokenizer: Path,
    seq_length: int,
    output: Path,
    prompt: str,
    model: Optional[Path],
    bos_id: Optional[int],
    eos_id: Optional[int],
    pad_id: Optional[int],
    pack: bool,
    reading: int,
    recipe: Optional[str],
    evaluation: Optional[Path],
) -> None:
    """Training examples as a MindRecord file: loss on the answer and EOS only.

    Rows keep their order; over-long ones are counted and left out, never cut; with a recipe only
    English ones may be so long. Packed rows hold several examples, each to its EOS, and need
    training that tells them apart.
    """
    from tools.records.mindrecord import RecordSettings, write_records
    from tools.records.tokenizers import SpecialIds
    from tools.settings.profile import recipe_path
    from tools.settings.resolve import most_new_tokens

    ids = SpecialIds(bos_id, eos_id, pad_id)
    taught = None if recipe is None else recipe_path(recipe)
    most_new = None if evaluation is None else most_new_tokens(evaluation)
    settings = RecordSettings(seq_length, prompt, ids, model, pack, taught, most_new, reading)
    summary = write_records(rows, tokenizer, output, settings)
    click.echo(
        f"{output}: {summary['examples']} examples in {summary['rows']} rows, "
        f"{summary['left_out']} over-long left out, "
        f"{summary['tokens']} tokens, {100 * summary['used']:.1f} % of positions used"
    )


@main.command(epilog=_SQUAD)
@config_option
@click.option("--input", "source", type=_IN, required=True, help="File in the SQuAD 1.1 format.")
@click.option("--output", type=_OUT, required=True, help="Prompt rows, JSON lines.")
@click.option("--limit", type=click.IntRange(1), help="At most so many questions.")
def squad(source: Path, output: Path, limit: Optional[int]) -> None:
    """Prompts for reading: the first question of each paragraph, in the organisers' frame."""
    from tools.records.prompt_files import write_squad_prompts

    count = write_squad_prompts(source, output, limit)
    click.echo(f"{output}: {count} prompts")


@main.command(epilog=_PROMPTS)
@config_option
@click.option("--input", "rows", type=_IN, required=True, help="Rows of the corpus, JSON lines.")
@click.option("--output", type=_OUT, required=True, help="Prompt rows, JSON lines.")
@_PROMPT
def prompts(rows: Path, output: Path, prompt: str) -> None:
    """Prompts for problems: the same text that training puts before the answer."""
    from tools.records.prompt_files import write_math_prompts

    count = write_math_prompts(rows, output, prompt)
    click.echo(f"{output}: {count} prompts")


@main.command(epilog=_TOKENIZER)
@config_option
@click.option("--gguf", type=_IN, help="Take the vocabulary of this GGUF file.")
@click.option("--whole", type=_IN, help="Take this tokenizer.model as it is.")
@click.option("--train", "rows", type=_IN, help="Train a SentencePiece model on these rows.")
@click.option("--text", "reading", type=_IN, help="With --train: train on this SQuAD file as well.")
@click.option("--vocab-size", type=click.IntRange(1, 65536), help="Of --train: pieces.")
@_PROMPT
@click.option("--output", type=_OUT, required=True, help="tokenizer.json or tokenizer.model.")
def tokenizer(
    gguf: Optional[Path],
    whole: Optional[Path],
    rows: Optional[Path],
    reading: Optional[Path],
    vocab_size: Optional[int],
    prompt: str,
    output: Path,
) -> None:
    """A tokenizer: taken from a GGUF file or as it is, or trained on the corpus."""
    from tools.files.atomic import write_bytes, write_text

    if sum(source is not None for source in (gguf, whole, rows)) != 1:
        raise click.UsageError("name one of --gguf, --whole and --train")
    if rows is not None and vocab_size is None:
        raise click.UsageError("--train needs --vocab-size")
    if rows is not None:
        from tools.records.vocabulary import train_tokenizer

        summary = train_tokenizer(rows, output, vocab_size, prompt, reading)
        click.echo(f"{output}: {vocab_size} pieces from {summary['texts']} texts")
        return
    if gguf is not None:
        from tools.llama.gguf import open_gguf, tokenizer_json

        write_text(output, tokenizer_json(open_gguf(gguf), str(gguf)))
    else:
        write_bytes(output, whole.read_bytes())
    click.echo(f"{output}: taken from {gguf or whole}")


for _command in (*COMMANDS, weights):
    main.add_command(_command)


if __name__ == "__main__":
    main()
