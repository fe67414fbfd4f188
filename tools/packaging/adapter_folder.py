"""A run's adapter published: PEFT's folder with its figures, answers, recipes and origin."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.files.outputs import keep_apart
from tools.llama.merging import read_config
from tools.llama.peft import WEIGHTS, export_adapter
from tools.llama.published import RUN
from tools.packaging import remeasure
from tools.packaging.chain import chain_of, stage_of
from tools.packaging.provenance import ROOT, commit_of, machine, versions, without_folders
from tools.packaging.template import code, fill, table
from tools.scoring.prediction_rows import read_predictions
from tools.scoring.scores import math_verdicts
from tools.settings.profile import recipe_path
from tools.settings.resolve import read_resolved
from tools.training.losses import read_losses

README = ROOT / "submission" / "adapter.md.j2"
# What the repository takes as the one large file; its hook names the same number.
MOST_BYTES = 10_000_000
# Of the losses one step in so many.
_EVERY = 10


def publish(run: Path, output: Path) -> remeasure.Measured:
    """Write the chosen adapter of an evaluated run into `output`, with what is measured of it.

    The weights are rounded to bfloat16, and what was rounded is merged, asked the run's reading
    questions and test problems, and scored: in run/published/, where a killed one goes on. The
    base's answers are the run's. The folder appears whole, or not at all. Raises UserError where
    the run is not evaluated, the file is larger than MOST_BYTES, or a recipe was edited since.
    """
    keep_apart(output, run, mark=RUN)
    chosen = read_resolved(run / "evaluate" / "best.json", ["checkpoint", "step"])
    trained = run / "finetune" / "adapters" / f"{chosen['checkpoint']}.ckpt"
    runs = chain_of(run)
    stages = [stage_of(each) for each in runs]
    profile = read_resolved(run / "config" / "profile.json", ["profile", "recipe"])
    source = read_resolved(run / "config" / "model.json", ["source", "file"])
    work = run / "published"
    _write_adapter(run, trained, work / "adapter", source["file"] or profile["profile"])
    scores = remeasure.measure(
        work / "adapter", run / "base", work, run / "prompts", run / "baseline"
    )
    command = ["python", "-m", "tools.publish", "write", "--run", str(run), "--output", str(output)]
    base = content_of(run / "base" / "model.ckpt")
    told = {
        "profile": profile["profile"],
        "base": {
            "profile": profile["profile"],
            **{key: source[key] for key in ("source", "file")},
            "bytes": base.bytes,
            "sha256": base.sha256,
        },
        "trained": {
            **{key: chosen[key] for key in ("checkpoint", "step")},
            "sha256": content_of(trained).sha256,
        },
        "prompt": read_resolved(run / "config" / "records.json", ["prompt"])["prompt"],
        # What a training that begins with this folder goes on telling.
        "init": read_resolved(run / "finetune" / "run.json", []).get("init"),
        "stages": stages,
        "published": {
            "command": without_folders(command),
            "commit": commit_of(),
            "versions": versions(),
            "machine": machine(),
        },
    }
    with atomic_path(output) as folder:
        shutil.copytree(work / "adapter", folder)
        for side, answers in (("model", work / "model"), ("base", run / "baseline")):
            (folder / side).mkdir()
            for name in remeasure.ASKED:
                shutil.copyfile(answers / name, folder / side / name)
        write_json(folder / remeasure.SCORES, scores.model)
        write_json(folder / "base" / remeasure.SCORES, scores.base)
        (folder / "recipes").mkdir()
        for number, stage in enumerate(stages, 1):
            name = f"{number}-{stage['recipe']}.yaml"
            shutil.copyfile(recipe_path(stage["recipe"]), folder / "recipes" / name)
        (folder / "losses.csv").write_text("".join(_losses(runs)), encoding="utf-8")
        (folder / "README.md").write_text(_readme(output.name, told, scores, folder), "utf-8")
        write_json(folder / RUN, {**told, "files": _files(folder)})
    return scores


def _write_adapter(run: Path, trained: Path, folder: Path, base_name: str) -> None:
    """Write PEFT's two files, and beside them what merging, asking and scoring need."""
    config = run / "config"
    shape, lora = read_config(config / remeasure.FINETUNE)
    export_adapter(trained, shape, lora, folder, base_name, "BFloat16")
    size = (folder / WEIGHTS).stat().st_size
    if size > MOST_BYTES:
        what = f"has {size} bytes, {MOST_BYTES} may be published"
        raise UserError(what, folder / WEIGHTS, "train a lower rank, or fewer matrices")
    for name in (remeasure.FINETUNE, remeasure.EVALUATION, remeasure.CORPUS):
        shutil.copyfile(config / name, folder / name)
    shutil.copyfile(run / "finetune" / remeasure.PARAMETERS, folder / remeasure.PARAMETERS)


def _losses(runs: List[Path]) -> Iterator[str]:
    yield "stage,step,loss,learning_rate,seconds\n"
    for number, run in enumerate(runs, 1):
        for step in read_losses(run / "finetune" / "loss.csv"):
            if step.step % _EVERY == 0:
                numbers = f"{step.loss:.6f},{step.learning_rate:.4g},{step.seconds:.2f}"
                yield f"{number},{step.step},{numbers}\n"


def _files(folder: Path) -> Dict[str, Dict[str, Any]]:
    """Return size and sha256 by path in the folder, of all but README.md, which people edit."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    contents = {path.relative_to(folder).as_posix(): content_of(path) for path in paths}
    return {
        name: {"bytes": content.bytes, "sha256": content.sha256}
        for name, content in contents.items()
    }


def _readme(name: str, told: Dict[str, Any], scores: remeasure.Measured, folder: Path) -> str:
    head, *rows = remeasure.figures(scores)
    answers = read_predictions(folder / "model" / "test.jsonl")
    judge = scores.model["math"]["judge"]
    right = [verdict.right[judge] for verdict in math_verdicts(answers)]
    shown = answers[right.index(True) if any(right) else 0]
    stages = [
        [
            stage["recipe"],
            stage["steps"],
            stage["tokens"],
            f"{stage['seconds'] / 3600:.2f}",
            stage["commit"],
        ]
        for stage in told["stages"]
    ]
    values = {
        "name": name,
        "run": told,
        "peft": json.loads((folder / "adapter_config.json").read_text("utf-8")),
        "figures": table(head, rows),
        "reading": remeasure.reading(scores),
        "stages": table(["recipe", "steps", "tokens", "hours", "commit"], stages),
        "asked": repr(shown.prompt),
        "written": code(shown.prediction),
    }
    return fill(README, values, autoescape=False, finalize=lambda value: value)
