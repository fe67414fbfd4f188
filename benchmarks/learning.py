"""Does it learn? Three ways to spend the same training tokens, three seeds each, beside the base.

    python -m benchmarks.learning --run runs/smollm2-135m-quick --output runs/learning

RUN gives the base weights and the vocabulary (`make convert`). Each training is prepared, trained,
merged, decoded and scored by the project's own commands, in a folder of its own below OUTPUT; what
is there is not made again, so that an interrupted benchmark goes on. A Markdown table is printed,
OUTPUT/learning.json holds all numbers, OUTPUT/learning.png draws accuracy by kind.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import click
import numpy as np
import yaml

from tools.cli import Command
from tools.files.atomic import write_json, write_text
from tools.files.figure import BLUE, GREY, ORANGE, new_figure, save_figure
from tools.records.encoding import Job, encode_rows
from tools.records.tokenizers import open_tokenizer, read_model_ids
from tools.scoring.arithmetic import wilson
from tools.settings.profile import CONFIGS
from tools.settings.resolve import resolve

TOKENS = 60_000
PROFILE = "smollm2-135m"


class Arm(NamedTuple):
    """A way to train. Rows of a batch and their length give each some 1 000 tokens a step.

    Padded rows are as long as the longest example asks, not 256: padding bears no loss, so that
    the gradients are the same and only the time is less.
    """

    name: str
    recipe: str
    pack: bool
    seq_length: int
    batch: int
    max_new_tokens: int
    optimizer: Dict[str, Any]
    learning_rate: float


# LoRA+ at ratio 16: the geometric mean of both rates is the one that the other arms have.
ARMS = [
    Arm("plain, padded", "plain", False, 128, 10, 56, {"type": "AdamW"}, 1e-3),
    Arm("worked", "worked", True, 512, 2, 470, {"type": "AdamW"}, 1e-3),
    Arm(
        "worked, LoRA+",
        "worked",
        True,
        512,
        2,
        470,
        {"type": "LoraPlusAdamW", "lora_plus_ratio": 16},
        2.5e-4,
    ),
]


def configure(arm: Optional[Arm], seed: int, folder: Path) -> None:
    """Resolve the profile as the arm changes it into `folder`; None: the base model's arm."""
    configs = folder.with_name("configs")
    shutil.rmtree(configs, ignore_errors=True)
    (configs / PROFILE).mkdir(parents=True)
    shutil.copytree(CONFIGS / "recipes", configs / "recipes")
    profile = yaml.safe_load((CONFIGS / PROFILE / "profile.yaml").read_text("utf-8"))
    native = yaml.safe_load((CONFIGS / PROFILE / "finetune.yaml").read_text("utf-8"))
    profile["budgets"]["quick"] = {
        # More than the tokens need; rows are cut off where they are reached.
        "corpus": {"train": 900, "valid": 14, "test": 280},
        "squad": None,
        "epochs": 1,
    }
    if arm is not None:
        profile["pack"] = arm.pack
        profile["recipes"][arm.recipe] = {
            "seq_length": arm.seq_length,
            "batch_size": arm.batch,
            "max_new_tokens": arm.max_new_tokens,
        }
        native["optimizer"].update(arm.optimizer)
        native["lr_schedule"]["learning_rate"] = arm.learning_rate
    write_text(configs / PROFILE / "profile.yaml", yaml.safe_dump(profile, sort_keys=False))
    write_text(configs / PROFILE / "finetune.yaml", yaml.safe_dump(native, sort_keys=False))
    resolve(folder, PROFILE, "quick", arm.recipe if arm else "plain", seed, 1, configs)


def run_tool(folder: Path, jobs: int, *words: object) -> None:
    """Run one of the project's commands with its share of the cores; its output goes to a log."""
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with (folder / "commands.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdout=log,
            stderr=log,
        )


def cut(rows: Path, base: Path, most: int, output: Path) -> int:
    """Write the first rows that hold TOKENS tokens together; give how many tokens they hold.

    Those of more than `most` tokens are passed over: the records would leave them out.
    """
    tokenizer = base / "tokenizer.json"
    ids = read_model_ids(base / "model.json", open_tokenizer(tokenizer).vocab_size)
    job = Job(rows, tokenizer, ids, "alpaca", 1 << 20, False, False)
    sizes = np.concatenate([block.sizes for block in encode_rows(job, lambda: None)])
    fit = np.flatnonzero(sizes <= most)
    sums = np.cumsum(sizes[fit])
    count = int(np.searchsorted(sums, TOKENS)) + 1
    if count > len(fit):
        raise click.ClickException(f"{rows} holds only {sums[-1]} tokens")
    lines = rows.read_text("utf-8").splitlines(keepends=True)
    write_text(output, "".join(lines[index] for index in fit[:count]))
    return int(sums[count - 1])


def some_of_each_kind(rows: Path, most: int, output: Path) -> None:
    """Write the first `most` rows of each kind."""
    taken: Counter = Counter()
    chosen = []
    for line in rows.read_text("utf-8").splitlines(keepends=True):
        kind = json.loads(line)["kind"]
        taken[kind] += 1
        if taken[kind] <= most:
            chosen.append(line)
    write_text(output, "".join(chosen))


def measure(arm: Optional[Arm], seed: int, base: Path, output: Path, most: int, jobs: int) -> Path:
    """Train (with an arm), decode and score; give the folder, which ends with scores.json."""
    name = "base" if arm is None else arm.name.replace(", ", "-").replace("+", "-plus")
    folder = output / f"{name}-{seed}"
    if (folder / "scores.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    config, corpus = folder / "config", folder / "corpus"
    if not (folder / "prompts" / "test.jsonl").is_file():
        configure(arm, seed, config)
        command = "tools.convert", "math", "--config", config / "corpus.json"
        run_tool(folder, jobs, *command, "--folder", corpus)
        command = "tools.convert", "squad", "--config", config / "prompts.json"
        reading = "material/embedded/reading.json"
        squad = folder / "prompts" / "squad.jsonl"
        run_tool(folder, jobs, *command, "--input", reading, "--output", squad)
        some_of_each_kind(corpus / "test.jsonl", most, corpus / "asked.jsonl")
        command = "tools.convert", "prompts", "--config", config / "records.json"
        math_prompts = folder / "prompts" / "test.jsonl"
        asked = corpus / "asked.jsonl"
        run_tool(folder, jobs, *command, "--input", asked, "--output", math_prompts)
    model = base
    if arm is not None:
        model = trained(arm, folder, base, jobs)
    generate: List[object] = ["tools.generate", "--config", config / "evaluation.json"]
    for prompts in ("squad", "test"):
        generate += ["--prompts", folder / "prompts" / f"{prompts}.jsonl"]
    generate += ["--model", model, "--output-folder", folder / "answers", "--batch-size", 64]
    run_tool(folder, jobs, *generate)
    score: List[object] = ["tools.score", "run"]
    for task, prompts in (("squad", "squad"), ("math", "test")):
        score += [f"--{task}", folder / "answers" / f"{prompts}.jsonl"]
    counted = base if arm is None else folder / "finetune"
    score += ["--parameters", counted / "parameters.json"]
    if arm is not None:
        score += ["--baseline", output / f"base-{seed}" / "scores.json"]
    run_tool(folder, jobs, *score, "--output", folder / "scores.json")
    shutil.rmtree(folder / "merged", ignore_errors=True)  # half a gigabyte each
    return folder


def trained(arm: Arm, folder: Path, base: Path, jobs: int) -> Path:
    """Records of TOKENS tokens, the training, the merge; give the merged model's folder."""
    config, records = folder / "config", folder / "records" / "train.mindrecord"
    if not records.is_file():
        some = folder / "corpus" / "train-cut.jsonl"
        tokens = cut(folder / "corpus" / "train.jsonl", base, arm.seq_length + 1, some)
        write_json(folder / "tokens.json", {"tokens": tokens})
        command = "tools.convert", "records", "--config", config / "records.json"
        more: List[object] = ["--tokenizer", base / "tokenizer.json", "--model"]
        more += [base / "model.json", "--output", records]
        run_tool(folder, jobs, *command, "--input", some, *more)
    checkpoint = base / "model.ckpt"
    if not (folder / "finetune" / "run.json").is_file():
        command = "tools.finetune", "--config", config / "finetune.yaml", "--base", checkpoint
        more = ["--model", config / "model.json", "--records", records, "--checkpoints", 1]
        run_tool(folder, jobs, *command, *more, "--output", folder / "finetune")
    command = "tools.merge", "--base", checkpoint, "--config", config / "finetune.yaml"
    adapters = folder / "finetune" / "adapters"
    run_tool(folder, jobs, *command, "--adapters", adapters, "--output", folder / "merged")
    return folder / "merged" / "1"


def gather(folders: List[Path]) -> Dict[str, Any]:
    """What the seeds of one arm found: means, their spread over the seeds, answers by kind."""
    scores = [json.loads((folder / "scores.json").read_text("utf-8")) for folder in folders]
    kinds: Dict[str, List[int]] = {}
    for score in scores:
        for kind, share in score["math"]["by_kind"].items():
            right, count = kinds.get(kind, [0, 0])
            kinds[kind] = [right + share["correct"], count + share["count"]]
    accuracy = [100 * score["math"]["accuracy"] for score in scores]
    return {
        "accuracy": accuracy,
        "right": sum(right for right, _ in kinds.values()),
        "asked": sum(count for _, count in kinds.values()),
        "by_kind": kinds,
        "f1": [score["squad"]["f1"] for score in scores],
        "em": [score["squad"]["em"] for score in scores],
        "eligible": [score["contest"]["eligible"] for score in scores],
    }


def table(found: Dict[str, Dict[str, Any]]) -> str:
    """A Markdown table: means over the seeds, ± their standard deviation."""
    lines = [
        "| training | right of asked | accuracy, % | F1 | EM | eligible |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, arm in found.items():
        cells = [f"{np.mean(arm[key]):.1f} ± {np.std(arm[key], ddof=1):.1f}" for key in _MEANS]
        eligible = f"{sum(map(bool, arm['eligible']))} of {len(arm['eligible'])}"
        lines.append(
            f"| {name} | {arm['right']} of {arm['asked']} | {' | '.join(cells)} "
            f"| {'–' if name == 'base' else eligible} |"
        )
    return "\n".join(lines)


_MEANS = ("accuracy", "f1", "em")
_COLORS = (GREY, "#56b4e9", BLUE, ORANGE)


def draw(found: Dict[str, Dict[str, Any]], path: Path) -> None:
    """Accuracy by kind, all seeds together, with 95 % Wilson intervals."""
    kinds = sorted({kind for arm in found.values() for kind in arm["by_kind"]})
    figure = new_figure((8, 1.2 + 0.6 * len(kinds)))
    axes = figure.subplots()
    height = 0.8 / len(found)
    for place, ((name, arm), color) in enumerate(zip(found.items(), _COLORS)):
        shares = [arm["by_kind"].get(kind, [0, 0]) for kind in kinds]
        values = [100 * right / count if count else math.nan for right, count in shares]
        ends = [[100 * end for end in wilson(*share)] for share in shares]
        spread = [
            [max(0.0, v - low) for v, (low, _) in zip(values, ends)],
            [max(0.0, high - v) for v, (_, high) in zip(values, ends)],
        ]
        at = [index + (place - (len(found) - 1) / 2) * height for index in range(len(kinds))]
        bars = {"ecolor": "#333333", "elinewidth": 0.7, "capsize": 1.5}
        axes.barh(at, values, height, color=color, label=name, xerr=spread, error_kw=bars)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="accuracy in %, with 95 % intervals")
    axes.set_title(f"After {TOKENS:,} training tokens, all seeds together")
    axes.grid(axis="x", alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(found))
    save_figure(figure, path)


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), default="runs/learning")
@click.option("--seeds", default=3, show_default=True)
@click.option("--each", "most", default=5, show_default=True, help="Test problems of each kind.")
@click.option("--jobs", default=1, show_default=True, help="Trainings at a time.")
def main(run: Path, output: Path, seeds: int, most: int, jobs: int) -> None:
    base = run / "base"
    output.mkdir(parents=True, exist_ok=True)
    arms: List[Optional[Arm]] = [None, *ARMS]
    with ThreadPoolExecutor(jobs) as pool:
        folders = {}
        for arm in arms:  # the base model's scores are the gate of the others
            for seed in range(1, seeds + 1):
                task = pool.submit(measure, arm, seed, base, output, most, jobs)
                folders[arm.name if arm else "base", seed] = task
            if arm is None:
                for task in list(folders.values()):
                    task.result()
        done = {key: task.result() for key, task in folders.items()}
    found: Dict[str, Dict[str, Any]] = {}
    for name in dict.fromkeys(name for name, _ in done):
        found[name] = gather([folder for (own, _), folder in done.items() if own == name])
    write_json(output / "learning.json", found)
    draw(found, output / "learning.png")
    click.echo(table(found))


if __name__ == "__main__":
    main()
