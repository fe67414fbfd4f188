"""The contest's own MindFormers on the CPU: our 4-card config, cut down, from start to score.

    CONTEST_MINDFORMERS=../mindformers python -m benchmarks.contest_stack --output FILE

configs/llama3-8b/contest/finetune-4x32.yaml is cut to two narrow layers, one process and float32;
everything else stays as it is. Then, with both releases of MindFormers:

- the same fine-tuning from the same base weights and the same LoRA matrices: losses, step by step;
- the same with two workers, which share the rows, and with LoRA+;
- under the contest's release, a training that is killed and goes on: losses of the steps after;
- its adapter merged, and answers of the contest's `generate` against those of our decoder;
- MindFormers' SQuAD evaluation, by squad.yaml cut down as well, against our score of its log.

CONTEST_MINDFORMERS is the folder around the organisers' mindformers/, which this project does not
carry. What is done already in runs/NAME is not done again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import click
import numpy as np
import yaml

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape
from tools.settings.stacks import CONTEST, PYPI

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs" / "llama3-8b" / "contest"
# Taken from the tiny profile, whose corpus and vocabulary are trained on.
_CUT = ("num_layers", "hidden_size", "intermediate_size", "num_heads", "n_kv_heads", "vocab_size")
_CUT += ("bos_token_id", "eos_token_id", "pad_token_id", "seq_length", "max_position_embedding")
_ON_CPU = {
    "use_flash_attention": False,
    "use_rope_slice": True,
    "fused_rms_norm": False,
    "use_past": False,
    "compute_dtype": "float32",
    "param_init_type": "float32",
}
_KILLED_AT = 22


def cut_down(config: Dict[str, Any], tiny: Dict[str, Any], batch: int) -> Dict[str, Any]:
    """A config for Ascend as it runs on the CPU: shape, dtypes, operators, one process."""
    config = json.loads(json.dumps(config))
    model = config["model"]["model_config"]
    model.update({key: tiny[key] for key in _CUT}, **_ON_CPU, batch_size=batch)
    if model.get("pet_config"):
        model["pet_config"]["compute_dtype"] = "float32"
        model["pet_config"]["param_init_type"] = "float32"
    config["context"] = {"mode": 0, "device_target": "CPU", "max_call_depth": 10000}
    config["use_parallel"] = False
    config["parallel_config"]["data_parallel"] = 1
    config["runner_config"].update(epochs=1, batch_size=batch)
    config["train_dataset"]["batch_size"] = batch
    config["train_dataset_task"]["dataset_config"] = config["train_dataset"]
    return config


class Stacks:
    """The two releases: how a command of ours is run under either, its log kept in `work`."""

    def __init__(self, source: Path, work: Path) -> None:
        self.paths = {PYPI: [ROOT], CONTEST: [ROOT, source]}
        self.work = work

    def start(self, stack: str, name: str, *words: Any) -> subprocess.Popen:
        """`python -m words…`, its output in NAME.log."""
        path = os.pathsep.join(map(str, self.paths[stack]))
        with (self.work / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                cwd=self.work,  # MindSpore writes where it stands
                env={**os.environ, "PYTHONPATH": path},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def run(self, stack: str, name: str, *words: Any) -> str:
        """Wait for `start`; SystemExit with the end of the log where it fails."""
        click.echo(f"{name} …", err=True)
        code = self.start(stack, name, *words).wait()
        text = (self.work / f"{name}.log").read_text("utf-8", errors="replace")
        if code:
            raise SystemExit(f"{name} failed:\n{text[-3000:]}")
        return text


class Case(NamedTuple):
    """Files of one cut-down training."""

    config: Path
    model: Path
    start: Path
    records: Path
    base: Path


def prepare(stacks: Stacks) -> Case:
    """The tiny profile's corpus, vocabulary and base weights; rows unpacked; LoRA drawn once."""
    work, run = stacks.work, stacks.work.parent
    subprocess.run(
        ["make", "convert", "PROFILE=tiny", f"RUN={run.name}"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    case = Case(
        work / "finetune.yaml",
        work / "model.json",
        work / "start.ckpt",
        work / "records/train.mindrecord",
        run / "base",
    )
    tiny = yaml.safe_load((run / "config/finetune.yaml").read_text("utf-8"))
    native = yaml.safe_load((CONFIGS / "finetune-4x32.yaml").read_text("utf-8"))
    native = cut_down(native, tiny["model"]["model_config"], tiny["train_dataset"]["batch_size"])
    native["lr_schedule"]["learning_rate"] = 1.0e-3  # so that 40 steps show something
    case.config.write_text(yaml.safe_dump(native, sort_keys=False), encoding="utf-8")
    model = json.loads((run / "config/model.json").read_text("utf-8"))
    model["pet_config"] = native["model"]["model_config"]["pet_config"]
    write_json(case.model, model)
    write_json(work / "records.json", {**_json(run / "config/records.json"), "pack": False})
    if not case.records.is_file():
        case.records.parent.mkdir(exist_ok=True)
        stacks.run(
            PYPI, "records", "tools.convert", "records", "--config", work / "records.json",
            "--input", run / "corpus/train.jsonl", "--tokenizer", run / "base/tokenizer.model",
            "--model", run / "base/model.json", "--output", case.records,
        )  # fmt: skip
    write_checkpoint(case.start, _with_lora(run / "base/model.ckpt", model))
    return case


def _with_lora(base: Path, model: Dict[str, Any]) -> Iterator[Tuple[str, np.ndarray, str]]:
    """The base and LoRA matrices drawn once: each release draws its own in another order."""
    whole = Checkpoint(base)
    for name in whole.names():
        yield name, whole.read(name), "Float32"
    shape = LlamaShape.from_model_config(model["model_config"], "model.json")
    lora = LoraConfig.from_pet_config(model["pet_config"], "model.json")
    generator = np.random.default_rng(1)
    for name, size in adapter_parameters(shape, lora).items():
        drawn = generator.uniform(-0.1, 0.1, size)
        yield name, drawn if name.endswith("lora_a") else np.zeros(size), "Float32"


def train(stacks: Stacks, case: Case, stack: str, output: Path, *more: Any) -> None:
    if not (output / "run.json").is_file():
        stacks.run(stack, output.name, *_finetune(case, output), *more)


def _finetune(case: Case, output: Path) -> List[Any]:
    return [
        "tools.finetune", "--config", case.config, "--model", case.model, "--base", case.start,
        "--records", case.records, "--output", output,
    ]  # fmt: skip


def with_two_workers(native: Dict[str, Any]) -> None:
    native["use_parallel"], native["parallel_config"]["data_parallel"] = True, 2


def with_lora_plus(native: Dict[str, Any]) -> None:
    kind = f"LoraPlus{native['optimizer']['type']}"
    native["optimizer"].update(type=kind, lora_plus_ratio=16.0)


def changed(case: Case, name: str, change: Callable[[Dict[str, Any]], None]) -> Case:
    """The same training with `change` made to its config."""
    native = yaml.safe_load(case.config.read_text("utf-8"))
    change(native)
    config = case.config.with_name(f"finetune-{name}.yaml")
    config.write_text(yaml.safe_dump(native, sort_keys=False), encoding="utf-8")
    return case._replace(config=config)


def compared(stacks: Stacks, case: Case, name: str) -> Dict[str, Any]:
    """A training under both releases, and how far their losses are apart."""
    losses = []
    for stack in (PYPI, CONTEST):
        folder = stacks.work / f"{name}-{stack}"
        train(stacks, case, stack, folder)
        losses.append(losses_of(folder))
    return {
        "steps": len(losses[0]),
        "first_and_last_loss": [[float(of[0]), float(of[-1])] for of in losses],
        "largest_difference_between_releases": float(abs(losses[0] - losses[1]).max()),
    }


def train_killed(stacks: Stacks, case: Case, output: Path) -> int:
    """Under the contest's release: killed after step _KILLED_AT, then gone on with; where from."""
    if not (output / "run.json").is_file():
        click.echo(f"{output.name} …", err=True)
        process = stacks.start(CONTEST, "killed", *_finetune(case, output))
        losses = output.with_name(output.name + ".work") / "loss.csv"
        while process.poll() is None:
            if losses.is_file() and len(losses.read_text("utf-8").splitlines()) > _KILLED_AT:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
        process.wait()
        train(stacks, case, CONTEST, output)
    return _json(output / "run.json")["resumed_at"]


def answers(stacks: Stacks, case: Case, adapter: Path) -> Dict[str, Any]:
    """Tokens of the merged model by the contest's `generate`, and by our decoder."""
    work, run = stacks.work, stacks.work.parent
    merged = work / "merged"
    if not (merged / "model.ckpt").is_file():
        merged.mkdir(exist_ok=True)
        stacks.run(
            PYPI, "merge", "tools.merge", "--base", run / "base/model.ckpt", "--adapter", adapter,
            "--config", case.config, "--output", merged / "model.ckpt",
        )  # fmt: skip
        for name in ("model.json", "tokenizer.model"):
            shutil.copyfile(run / "base" / name, merged / name)
    found = {}
    for stack, engine in ((CONTEST, "mindformers"), (PYPI, "cached")):
        output = work / f"answers-{stack}.jsonl"
        if not output.is_file():
            stacks.run(
                stack, f"generate-{stack}", "tools.generate", "--model", merged, "--engine", engine,
                "--prompts", run / "prompts/test.jsonl", "--output", output,
                "--max-new-tokens", 24, "--min-new-tokens", 6,
            )  # fmt: skip
        found[stack] = [json.loads(line)["prediction"] for line in output.open(encoding="utf-8")]
    pairs = list(zip(found[CONTEST], found[PYPI]))
    return {"answers": len(pairs), "equal": sum(ours == theirs for ours, theirs in pairs)}


def evaluation(stacks: Stacks) -> Dict[str, Any]:
    """MindFormers' evaluation of the merged model, and what our score makes of its log."""
    work, run = stacks.work, stacks.work.parent
    records, log = work / "squad/squad.mindrecord", work / "evaluate.log"
    if not records.is_file():
        records.parent.mkdir(exist_ok=True)
        stacks.run(
            PYPI, "squad-records", "tools.convert", "squad-records", "--input",
            ROOT / "material/embedded/reading.json", "--tokenizer", run / "base/tokenizer.model",
            "--seq-length", _READING_LENGTH, "--pad-id", 2, "--output", records,
        )  # fmt: skip
    if not log.is_file() or not _SCORE.search(log.read_text("utf-8", errors="replace")):
        tiny = yaml.safe_load((run / "config/finetune.yaml").read_text("utf-8"))
        native = yaml.safe_load((CONFIGS / "squad.yaml").read_text("utf-8"))
        native = cut_down(native, tiny["model"]["model_config"], 1)
        native["model"]["model_config"]["seq_length"] = _READING_LENGTH
        for section in ("eval_dataset", "eval_dataset_task"):
            data = native[section].get("dataset_config", native[section])
            data["data_loader"]["dataset_dir"] = str(records)
            data.update(batch_size=1, num_parallel_workers=1)
        tokenizer = {"type": "LlamaTokenizer", "vocab_file": str(work / "merged/tokenizer.model")}
        native["processor"]["tokenizer"] = {**tokenizer, "pad_token": "</s>"}
        config = work / "squad.yaml"
        config.write_text(yaml.safe_dump(native, sort_keys=False), encoding="utf-8")
        checkpoint = work / "merged/model.ckpt"
        stacks.run(CONTEST, "evaluate", "benchmarks.contest_evaluate", config, checkpoint)
    theirs = _SCORE.findall(log.read_text("utf-8", errors="replace"))[-1]
    stacks.run(PYPI, "score", "tools.score", "squad", "--log", log, "--json")
    ours = json.loads((work / "score.log").read_text("utf-8"))
    return {
        "questions": int(theirs[2]),
        "mindformers": {"f1": float(theirs[0]), "em": float(theirs[1])},
        "ours": {"f1": ours["f1"], "em": ours["em"]},
    }


_READING_LENGTH = 384
_SCORE = re.compile(r"F1 score: ([\d.]+), Em score: ([\d.]+), total_count: (\d+)")


def losses_of(folder: Path) -> np.ndarray:
    rows = (folder / "loss.csv").read_text("utf-8").splitlines()[1:]
    return np.array([float(row.split(",")[1]) for row in rows])


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@click.command()
@click.option("--run", default="contest-stack", show_default=True, help="Folder under runs/.")
@click.option("--output", type=click.Path(path_type=Path), help="The result as JSON, too.")
def main(run: str, output: Optional[Path]) -> None:
    """Fine-tune, resume, generate and evaluate under the contest's MindFormers."""
    source = Path(os.environ.get("CONTEST_MINDFORMERS", ""))
    if not (source / "mindformers/models/llama").is_dir() or str(source) == ".":
        what = "names no folder that holds the contest's mindformers/"
        raise UserError(what, "CONTEST_MINDFORMERS", "set it: CONTEST_MINDFORMERS=../mindformers")
    work = ROOT / "runs" / run / "cut-down"
    work.mkdir(parents=True, exist_ok=True)
    stacks = Stacks(source.resolve(), work)
    case = prepare(stacks)
    trainings = {
        "one_worker": case,
        "two_workers": changed(case, "two-workers", with_two_workers),
        "lora_plus": changed(case, "lora-plus", with_lora_plus),
    }
    result: Dict[str, Any] = {name: compared(stacks, one, name) for name, one in trainings.items()}
    whole = work / f"one_worker-{CONTEST}"
    result["resumed_at"] = train_killed(stacks, case, work / "killed-and-resumed")
    difference = losses_of(work / "killed-and-resumed") - losses_of(whole)
    result["largest_difference_after_resuming"] = float(abs(difference).max())
    result["generate"] = answers(stacks, case, whole / "adapters/5.ckpt")
    result["evaluate"] = evaluation(stacks)
    click.echo(json.dumps(result, indent=1))
    if output:
        write_json(output, result)


if __name__ == "__main__":
    main()
