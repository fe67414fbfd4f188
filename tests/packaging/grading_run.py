"""A run whose parts belong together as those of a real one do, made in two seconds.

Weights, adapters, merged models, prompts, scores and report are made by the project's own code;
only the training is left out: adapters are random, losses a falling line that two workers print as
MindFormers 1.9 does, answers right or wrong as the test wants them.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterable, List

import numpy as np
from packaging_run import write

from tools.corpus.render import problem_text
from tools.corpus.sample import draw
from tools.corpus.solve import canonical, solve
from tools.llama.base import convert_weights
from tools.llama.checkpoint import write_checkpoint
from tools.llama.lora import adapter_parameters
from tools.llama.merging import merge_all, read_config
from tools.packaging.grading.asked import EMBEDDED
from tools.packaging.grading.comparison import Row
from tools.packaging.manifest import make_manifest
from tools.records.prompt_files import write_squad_prompts
from tools.records.prompts import render_prompt
from tools.scoring.choose import score_checkpoints
from tools.scoring.scores import score_run
from tools.settings.resolve import resolve
from tools.training.inputs import count_parameters
from tools.training.losses import HEADER

STEPS = 10
COUNTS = {"trained": 7168, "total": 155_968, "denominator": 155_968}
# A line of a worker's log as MindFormers 1.9.0 wrote it in a run of the tiny profile.
LINE = (
    "2026-11-24 18:31:27,{ms} - mindformers/log[mindformers/core/callback/callback.py:747] - INFO "
    "- {{ Epoch:[  1/  1], step:[{step:5d}/   10], loss:[{loss:5.6f}/{mean:5.6f}], "
    "per_step_time: 52ms, lr: 0.001, overflow cond: False, loss_scale: 1.0, "
    "global_norm: [0.4031231], train_throughput_per_npu: 0.001T\n"
)


def worker_losses(rank: int) -> List[float]:
    """The losses of one of two workers."""
    return [round(6.5 - step / 100 + (0.01 if rank else -0.01), 6) for step in range(1, STEPS + 1)]


def worker_log(losses: List[float]) -> str:
    """What MindFormers prints of a training."""
    lines = ["x - mindformers/log[mindformers/trainer/base_trainer.py:800] - INFO - Network "]
    lines[0] += "Parameters: 0 M.\n"
    for step, loss in enumerate(losses, 1):
        mean = float(np.mean(losses[:step]))
        lines.append(LINE.format(ms=100 + step, step=step, loss=loss, mean=mean))
    return "".join(lines)


def math_answers(right: int, seed: int = 3, each: int = 2) -> List[Dict[str, str]]:
    """Prediction rows of `each` problem of every kind, the first `right` of them right."""
    kinds = ("add", "multiply", "divide", "mean")
    rows = []
    for index, problem in enumerate(draw(dict.fromkeys(kinds, each), seed)):
        answer = canonical(solve(problem))
        prompt = render_prompt("alpaca", problem_text(problem))
        row = {"id": f"{problem.kind}-{index}", "kind": problem.kind, "prompt": prompt}
        row["prediction"] = f" 结果为 {answer}" if index < right else " 不知道 -1"
        rows.append({**row, "reference": answer})
    return rows


def squad_answers(right: int, folder: Path) -> List[Dict[str, object]]:
    """Prediction rows of the profile's eight reading questions, the first `right` right."""
    path = folder / "squad-prompts.jsonl"
    write_squad_prompts(EMBEDDED, path, 8)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    path.unlink()
    return [
        {**row, "prediction": row["reference"] if index < right else "nothing"}
        for index, row in enumerate(rows)
    ]


def make_run(run: Path) -> Path:
    """Write a run of the tiny profile, whose third checkpoint is the best."""
    config = run / "config"
    config.mkdir(parents=True)
    resolve(config, "tiny", "quick", "plain", 1, 2)
    base = run / "base" / "model.ckpt"
    convert_weights(config / "model.json", run, base)
    write(run / "base" / "tokenizer.model", b"\x0avocabulary")
    _adapters(run / "finetune" / "adapters", config / "finetune.yaml")
    merge_all(base, run / "finetune" / "adapters", config / "finetune.yaml", run / "merged")
    losses = [worker_losses(rank) for rank in range(2)]
    for rank in range(2):
        write(run / f"finetune/logs/worker_{rank}.log", worker_log(losses[rank]))
    lines = [
        f"{n},{sum(pair) / 2:.9g},0.001,0.001,0.05\n" for n, pair in enumerate(zip(*losses), 1)
    ]
    write(run / "finetune/loss.csv", HEADER + "".join(lines))
    shape, lora = read_config(config / "finetune.yaml")
    counts = write(
        run / "finetune/parameters.json",
        count_parameters(shape, lora, tied=False, denominator=None),
    )
    write(run / "finetune/run.json", {"steps": STEPS, "seed": 1, "workers": 2})
    _data(run)
    write(run / "baseline/squad.jsonl", squad_answers(4, run))
    write(run / "baseline/test.jsonl", math_answers(1))
    write(run / "baseline/scores.json", "")
    base_counts = run / "base" / "parameters.json"
    scores = run / "baseline" / "scores.json"
    styles = config / "corpus.json"
    score_run(
        run / "baseline/squad.jsonl",
        run / "baseline/test.jsonl",
        base_counts,
        scores,
        styles=styles,
    )
    for number in range(1, 6):
        folder = run / f"evaluate/{number}"
        write(folder / "squad.jsonl", squad_answers(5, run))
        write(folder / "valid.jsonl", math_answers(6 - abs(3 - number), seed=4))
    score_checkpoints(
        run / "evaluate",
        counts,
        scores,
        run / "finetune/adapters/steps.json",
        run / "evaluate/best.json",
        run / "merged",
        styles=styles,
    )
    write(run / "evaluate/test.jsonl", math_answers(6))
    score_run(
        run / "evaluate/3/squad.jsonl",
        run / "evaluate/test.jsonl",
        counts,
        run / "evaluate/scores.json",
        scores,
        styles=styles,
    )
    return run


def _adapters(folder: Path, config: Path) -> None:
    folder.mkdir(parents=True)
    write(folder / "steps.json", {"steps": [2, 4, 6, 8, 10]})
    for number in range(1, 6):
        generator = np.random.default_rng(number)
        write_checkpoint(
            folder / f"{number}.ckpt",
            (
                (name, generator.standard_normal(dims, dtype=np.float32) / 10, "Float32")
                for name, dims in adapter_parameters(*read_config(config)).items()
            ),
        )


def _data(run: Path) -> None:
    kinds = {"add": {"rows": 9, "unique": 8, "duplicates": 1, "train": 6, "valid": 1, "test": 1}}
    corpus = {"source": "generated", "seed": 1, "rows": 9, "unique": 8, "duplicates": 1}
    corpus.update(splits={"train": 6, "valid": 1, "test": 1}, kinds=kinds, misfits={"count": 0})
    write(run / "corpus/corpus.json", corpus)
    records = {"rows": 80, "examples": 168, "left_out": 0, "used": 0.8, "pack": True}
    write(run / "records/train.mindrecord.json", {**records, "frame": "alpaca", "seq_length": 192})
    stage = {"stage": "finetune", "command": ["x"], "seconds": 61.25, "peak_memory_mb": 812.5}
    stage.update(commit="0" * 40, versions={"mindspore": "2.9.0"}, machine={"cores": 2})
    write(run / "stages/finetune.json", stage)


def seal(package: Path) -> Path:
    """Write the manifest anew, as a forger would; give the package."""
    (package / "MANIFEST.json").unlink()
    content = make_manifest(package, package.name, "tiny", package / "source")
    write(package / "MANIFEST.json", content)
    return package


def zipped(package: Path, target: Path) -> Path:
    """A zip of a package, made as anybody's program would."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file():
                kind = zipfile.ZIP_STORED if path.suffix == ".ckpt" else zipfile.ZIP_DEFLATED
                name = f"{package.name}/{path.relative_to(package).as_posix()}"
                archive.write(path, name, kind)
    return target


def copy_of(package: Path, folder: Path) -> Path:
    """A package of one's own."""
    return Path(shutil.copytree(package, folder / package.name))


def failed(rows: Iterable[Row]) -> List[str]:
    """ "file: claim" of all that does not hold."""
    return [f"{row.group}: {row.what}" for row in rows if not row.passed]


def edit(path: Path, **values: Any) -> None:
    """Set keys of a JSON object."""
    write(path, {**json.loads(path.read_text("utf-8")), **values})
