"""What makes a small model learn arithmetic: short trainings, one question at a time.

    python -m benchmarks.learning --base runs/smollm2-135m-quick/base --output runs/learning
    python -m benchmarks.learning --only form --only rate

Each arm is prepared, trained, merged and decoded by the project's own commands, in a folder of its
own below OUTPUT; a finished training is not made again, an arm that shares it with another question
takes its result, and an interrupted one goes on. OUTPUT/learning.json
holds all numbers, OUTPUT/learning.md the table. Right lines are those that equal our own solution's
line at the same place, over the larger of the lines written and the lines of our own.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import click
import yaml

from benchmarks.forms import form_of
from tools.cli import Command
from tools.corpus.grammar import Rounding
from tools.corpus.render import problem_text
from tools.corpus.sample import draw
from tools.corpus.worked.styles import answer_text
from tools.files.atomic import write_json, write_text
from tools.records.tokenizers import open_tokenizer
from tools.scoring.arithmetic import wilson
from tools.settings.resolve import resolve

PROFILE = "smollm2-135m"
ALL = ".*wq|.*wk|.*wv|.*wo|.*w1|.*w2|.*w3"
ATTENTION = ".*wq|.*wk|.*wv|.*wo"
SUMS = ("add", "subtract")
HELD_OUT = 300
DECIMALS = {"multiply": 4}


class Arm(NamedTuple):
    """One training. `examples` and `tokens` (prompt, solution and end) limit the different rows."""

    question: str
    name: str
    form: str = "columns"
    kinds: Tuple[str, ...] = SUMS
    tokens: int = 100_000
    examples: int = 1_000_000
    epochs: int = 1
    batch: int = 1
    length: int = 256
    rate: float = 2e-3
    rank: int = 16
    targets: str = ALL
    lora_plus: int = 0
    seed: int = 1


ARMS = [
    Arm("form", "columns"),
    Arm("form", "relation-first", "relation-first"),
    Arm("form", "signs-first", "signs-first"),
    Arm("form", "roles", "roles"),
    Arm("form", "trial", "trial"),
    # A step's time is linear in its tokens (docs/results.md): equal tokens take equal time.
    Arm("tokens a step", "1 × 256"),
    Arm("tokens a step", "2 × 256", batch=2),
    Arm("tokens a step", "4 × 256", batch=4),
    Arm("rate", "1e-3", rate=1e-3),
    Arm("rate", "2e-3"),
    Arm("rate", "4e-3", rate=4e-3),
    Arm("matrices", "all seven, rank 16"),
    Arm("matrices", "attention, rank 42", targets=ATTENTION, rank=42),
    Arm("repeats", "923 × 1"),
    Arm("repeats", "308 × 3", examples=308, epochs=3),
    # The geometric mean of both rates is the one that the other arms have.
    Arm("LoRA+", "ratio 1"),
    Arm("LoRA+", "ratio 16", rate=5e-4, lora_plus=16),
    Arm("multiply", "columns", kinds=("multiply",), tokens=150_000, length=320),
    Arm("divide", "columns", kinds=("divide",), tokens=150_000),
    Arm("root", "columns", kinds=("root",), tokens=150_000),
    *(
        Arm("seeds", f"{form}, seed {seed}", form, seed=seed)
        for seed in (1, 2, 3)
        for form in ("columns", "schoolbook", "source")
    ),
]


def run_tool(folder: Path, *words: object) -> None:
    """Run one of the project's commands; its output goes to commands.log."""
    with (folder / "commands.log").open("ab") as log:
        command = [sys.executable, "-m", *map(str, words)]
        subprocess.run(command, check=True, stdout=log, stderr=log)


def rows_of(arm: Arm, count: int, seed: int) -> Iterator[Dict[str, str]]:
    """Yield `count` rows of the arm's kinds in equal parts, in an order of their own."""
    problems = draw({kind: count // len(arm.kinds) for kind in arm.kinds}, seed)
    random.Random(seed).shuffle(problems)
    for index, problem in enumerate(problems):
        decimals = DECIMALS.get(problem.kind, 2)
        yield {
            "id": f"{problem.kind}-{index}",
            "kind": problem.kind,
            "problem": problem_text(problem),
            "solution": form_of(arm.form, decimals)(problem),
            "answer": answer_text(problem, Rounding(decimals)),
        }


def prepare(arm: Arm, folder: Path, base: Path) -> None:
    """Write config, held-out rows, and training rows up to the arm's tokens and examples."""
    config = folder / "config"
    resolve(config, PROFILE, "quick", None, arm.seed, 1)
    native = yaml.safe_load((config / "finetune.yaml").read_text("utf-8"))
    model = json.loads((config / "model.json").read_text("utf-8"))
    lora = {"lora_rank": arm.rank, "lora_alpha": 2 * arm.rank, "target_modules": arm.targets}
    for pet in (native["model"]["model_config"]["pet_config"], model["pet_config"]):
        pet.update(lora)
    native["runner_config"].update(batch_size=arm.batch, epochs=arm.epochs)
    native["model"]["model_config"].update(batch_size=arm.batch, seq_length=arm.length)
    native["train_dataset"]["batch_size"] = arm.batch
    native["train_dataset_task"]["dataset_config"] = native["train_dataset"]
    native["lr_schedule"]["learning_rate"] = arm.rate
    if arm.lora_plus:
        native["optimizer"].update(type="LoraPlusAdamW", lora_plus_ratio=arm.lora_plus)
    write_text(config / "finetune.yaml", yaml.safe_dump(native, sort_keys=False))
    write_json(config / "model.json", model)
    held = list(rows_of(arm, HELD_OUT, 777))
    asked, taken, tokens = {row["problem"] for row in held}, [], 0
    tokenizer = open_tokenizer(base / "tokenizer.json")
    for row in rows_of(arm, min(4 * arm.tokens // 100, 20_000), 1000 + arm.seed):
        if row["problem"] in asked:
            continue
        size = len(tokenizer.encode(f"{row['problem']} {row['solution']}")) + 1
        if tokens + size > arm.tokens or len(taken) == arm.examples:
            break
        tokens += size
        taken.append(row)
    for name, rows in (("held-out", held), ("train", taken)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        write_text(folder / f"{name}.jsonl", "".join(lines))
    write_json(folder / "prepared.json", {**arm._asdict(), "rows": len(taken), "seen": tokens})


def same_training(arm: Arm, output: Path) -> Dict[str, Any]:
    """Return the result of a finished arm that trained alike under another question, or {}."""
    for path in sorted(output.glob("*/result.json")):
        found = json.loads(path.read_text("utf-8"))
        renamed = {**found, "question": arm.question, "name": arm.name}
        settings = json.loads(json.dumps(arm._asdict()))
        if all(renamed.get(key, value) == value for key, value in settings.items()):
            return renamed
    return {}


def train_and_answer(arm: Arm, folder: Path, base: Path) -> None:
    """Make records, train, merge, and answer the held-out problems."""
    config, records = folder / "config", folder / "train.mindrecord"
    frame = ["--prompt", "none"]
    own = ["--tokenizer", base / "tokenizer.json", "--model", base / "model.json", "--pack"]
    if not records.is_file():  # a training goes on with the very file that it began with
        words = ["tools.convert", "records", "--input", folder / "train.jsonl"]
        run_tool(folder, *words, *own, *frame, "--seq-length", arm.length, "--output", records)
    prompts = folder / "prompts.jsonl"
    words = ["tools.convert", "prompts", "--input", folder / "held-out.jsonl"]
    run_tool(folder, *words, *frame, "--output", prompts)
    trained, native = folder / "finetune", config / "finetune.yaml"
    if not (trained / "run.json").is_file():
        words = ["tools.finetune", "--config", native, "--model", config / "model.json"]
        words += ["--training", config / "training.json", "--base", base / "model.ckpt"]
        words += ["--records", records, "--checkpoints", 1]
        run_tool(folder, *words, "--output", trained)
    words = ["tools.merge", "--base", base / "model.ckpt", "--adapters", trained / "adapters"]
    run_tool(folder, *words, "--config", native, "--output", folder / "merged")
    rows = [json.loads(line) for line in (folder / "held-out.jsonl").open(encoding="utf-8")]
    tokenizer = open_tokenizer(base / "tokenizer.json")
    longest = max(len(tokenizer.encode(f" {row['solution']}")) for row in rows)
    words = ["tools.generate", "--model", folder / "merged" / "1", "--prompts", prompts]
    words += ["--output", folder / "answers.jsonl", "--batch-size", 64]
    run_tool(folder, *words, "--max-new-tokens", longest + 16)
    shutil.rmtree(folder / "merged")  # half a gigabyte


def count(folder: Path) -> Dict[str, Any]:
    """Return right answers and right lines of a folder with answers.jsonl."""
    command = [sys.executable, "-m", "tools.score", "math", "--json"]
    command += ["--predictions", str(folder / "answers.jsonl")]
    math = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    held = [json.loads(line) for line in (folder / "held-out.jsonl").open(encoding="utf-8")]
    own = {row["id"]: row["solution"].split("\n") for row in held}
    right = lines = 0
    for row in map(json.loads, (folder / "answers.jsonl").open(encoding="utf-8")):
        written = row["prediction"].strip().split("\n")
        right += sum(map(str.__eq__, written, own[row["id"]]))
        lines += max(len(written), len(own[row["id"]]))
    losses = (folder / "finetune" / "loss.csv").read_text("utf-8").splitlines()[1:]
    seconds = sum(float(line.split(",")[4]) for line in losses[1:])
    return {
        "correct": math["correct"],
        "count": math["count"],
        "by_kind": {k: [v["correct"], v["count"]] for k, v in math["by_kind"].items()},
        "right_lines": right,
        "lines": lines,
        "steps": len(losses),
        "seconds": round(seconds, 1),
    }


def measure(arm: Arm, output: Path, base: Path) -> Dict[str, Any]:
    """Return what the arm came to; what is there is not made again."""
    words = [arm.question, arm.name]
    folder = output / "-".join("".join(c if c.isalnum() else "-" for c in word) for word in words)
    result = folder / "result.json"
    if not result.is_file():
        known = same_training(arm, output)
        folder.mkdir(parents=True, exist_ok=True)
        if known:
            write_json(result, known)
            return known
        if not (folder / "prepared.json").is_file():
            prepare(arm, folder, base)
        train_and_answer(arm, folder, base)
        prepared = json.loads((folder / "prepared.json").read_text("utf-8"))
        write_json(result, {**prepared, **count(folder)})
    return json.loads(result.read_text("utf-8"))


def table(found: Sequence[Dict[str, Any]]) -> str:
    """Return a Markdown table of the results."""
    lines = [
        "| question | arm | rows × epochs | tokens | steps | s a step | right lines "
        "| right answers, 95 % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in found:
        low, high = wilson(item["correct"], item["count"])
        lines.append(
            f"| {item['question']} | {item['name']} | {item['rows']} × {item['epochs']} "
            f"| {item['seen']} | {item['steps']} | {item['seconds'] / (item['steps'] - 1):.2f} "
            f"| {100 * item['right_lines'] / item['lines']:.1f} % "
            f"| {item['correct']} of {item['count']} ({100 * low:.0f} to {100 * high:.0f} %) |"
        )
    return "\n".join(lines) + "\n"


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--base", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), default="runs/learning")
@click.option("--only", "questions", multiple=True, help="Arms of this question alone; repeatable.")
@click.option("--arm", "names", multiple=True, help="Arms of this name alone; repeatable.")
def main(base: Path, output: Path, questions: Tuple[str, ...], names: Tuple[str, ...]) -> None:
    arms: List[Arm] = [
        arm
        for arm in ARMS
        if (not questions or arm.question in questions) and (not names or arm.name in names)
    ]
    if not arms:
        known = ", ".join(dict.fromkeys(arm.question for arm in ARMS))
        raise click.UsageError(f"no such arm; questions are {known}")
    for arm in arms:
        item = measure(arm, output, base)
        click.echo(table([item]).splitlines()[-1])
    done = [json.loads(path.read_text("utf-8")) for path in sorted(output.glob("*/result.json"))]
    order = [(arm.question, arm.name) for arm in ARMS]
    done.sort(key=lambda item: order.index((item["question"], item["name"])))
    write_json(output / "learning.json", done)
    write_text(output / "learning.md", table(done))


if __name__ == "__main__":
    main()
