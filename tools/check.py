"""Check configs, corpora, weights and submissions before they cost anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import click

from tools.cli import Group, Styles
from tools.settings.stacks import STACKS

_CONFIGS = """
Example:

  python -m tools.check configs configs/tiny/finetune.yaml

  python -m tools.check configs --stack contest configs/llama3-8b
"""
_CORPUS = """
Example:

  python -m tools.check corpus runs/R/corpus/*.jsonl

  python -m tools.check corpus rows.jsonl --styles multiply=schoolbook:4,divide=schoolbook:4
"""
_WEIGHTS = """
Example:

  python -m tools.check weights runs/R/base/model.ckpt --profile smollm2-135m

  python -m tools.check weights runs/R/finetune/adapters/5.ckpt
    --config runs/R/config/finetune.yaml
"""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group, epilog="Example:\n\npython -m tools.check configs configs")
def main() -> None:
    """Check configs, corpora, weights and submissions before they cost anything."""


@main.command(epilog=_CONFIGS)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--stack",
    type=click.Choice(STACKS),
    help="The release of MindFormers  [default: the one whose classes a file names]",
)
def configs(paths: Tuple[Path, ...], stack: Optional[str]) -> None:
    """Check YAML files, or all below a folder, against their schema.

    A MindFormers YAML is held against the keys and types that MindFormers' classes take, as
    configs/schema/ has them, against rules between its keys, and against the profile.yaml or
    the resolved files of a run beside it. Every fault is named as file:line; exit code 1 if there
    is any.
    """
    from tools.packaging.config_check import check_configs

    count, faults = check_configs(paths, stack)
    _print(faults, f"{count} file{'' if count == 1 else 's'} checked")


@main.command(epilog=_CORPUS)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--styles", type=Styles(), help="As they were made with  [default: corpus.json's]")
def corpus(paths: Tuple[Path, ...], styles: Optional[Dict[str, Any]]) -> None:
    """Recompute the rows of a corpus: each answer, and each line of each worked solution.

    The corpus.json beside a file says in what style its kinds are worked out, or --styles does.
    Files of one folder are the splits of a corpus, and may share no problem. Every
    fault is named by file, row and line; exit code 1 if there is any.
    """
    from tools.corpus.verify import recorded_styles, shared_problems, verify_rows
    from tools.files.progress import progress

    count, faults = 0, []
    for path in paths:
        known = styles or recorded_styles(path.with_name("corpus.json"))
        with progress(f"check {path.name}", None, "rows") as bar:
            for rows, found in verify_rows(path, known):
                count, faults = count + rows, faults + found
                bar.advance(rows)
    for folder in dict.fromkeys(path.parent for path in paths):
        splits = [path for path in paths if path.parent == folder]
        if len(splits) > 1:
            faults += shared_problems(splits)
    _print(faults, f"{count} rows recomputed")


@main.command(epilog=_WEIGHTS)
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--profile", help="Hold it against this profile's base model.")
@click.option("--model", type=_FILE, help="Against a model.json.")
@click.option("--config", type=_FILE, help="Against the adapter that this finetune.yaml trains.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def weights(
    path: Path,
    profile: Optional[str],
    model: Optional[Path],
    config: Optional[Path],
    as_json: bool,
) -> None:
    """Check a checkpoint, a .safetensors file or a folder of these, in one pass.

    Every tensor that is missing, too many, of another shape, or holds NaN or infinity is named;
    exit code 1 if there is any.
    """
    from tools.llama.checkpoint_facts import check_weights
    from tools.llama.lora import adapter_parameters
    from tools.llama.merging import read_config
    from tools.llama.shape import LlamaShape
    from tools.settings.profile import profile_folder

    if sum(value is not None for value in (profile, model, config)) > 1:
        raise click.UsageError("give one of --profile, --model and --config")
    wanted = None
    if profile is not None:
        wanted = read_config(profile_folder(profile) / "finetune.yaml")[0].parameters()
    elif model is not None:
        wanted = LlamaShape.load(model).parameters()
    elif config is not None:
        wanted = adapter_parameters(*read_config(config))
    report = check_weights(path, wanted)
    if as_json:
        click.echo(json.dumps(report._asdict()))
    summary = f"{path}: {report.tensors} tensors, {report.parameters:,} numbers, "
    summary += ", ".join(report.types)
    hashes = "".join(f"\n{digest}  {name}" for name, digest in report.hashes.items())
    _print(report.faults, "" if as_json else summary + hashes)


@main.command(epilog="Example:\n\npython -m tools.check submission submission/debias.zip")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def submission(path: Path) -> None:
    """Check a submission, a folder or a zip, without unpacking it.

    Every missing, empty, extra or altered file is named, and every absolute path and secret;
    exit code 1 if there is any.
    """
    from tools.packaging.contents import open_contents
    from tools.packaging.inspection import check_contents

    with open_contents(path) as contents:
        for note in contents.notes:
            click.echo(note, err=True)
        faults = check_contents(contents)
    _print(faults, f"{path}: complete and as its manifest says")


def _print(faults: List[str], good: str) -> None:
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        click.echo(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}", err=True)
        click.get_current_context().exit(1)
    if good:
        click.echo(good)


if __name__ == "__main__":
    main()
