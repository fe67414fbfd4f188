"""A small run with the real file formats, and a small project beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, Optional

import yaml

from tools.files.hashing import content_of
from tools.scoring.scores import score_run
from tools.training.losses import HEADER

ROOT = Path(__file__).resolve().parents[2]
TEAM = "队_1-a"

# What a model may answer: table syntax, HTML, line breaks, quotes.
NASTY = "a | b\n<script>alert(1)</script> **x** [y](javascript:z) 'q' \"r\""


def write(path: Path, content: Any) -> Path:
    """Write text, bytes, JSON, or JSON lines (a list), by the kind of `content`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif isinstance(content, list):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in content]
        path.write_text("".join(lines), encoding="utf-8")
    else:
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def math_rows(right: int, count: int = 12, first: int = 1) -> list:
    """`count` answers of which the first `right` are right, of two kinds in turn."""
    rows = []
    for index in range(count):
        a, b = index + first, index + first + 1
        answer = f"{a} + {b} = {a + b}" if index < right else NASTY
        kind = ("add", "divide")[index % 2]
        prompt = f"计算 {a} + {b} 等于多少？"
        row = {"id": f"{kind}-{index}", "kind": kind, "prompt": prompt, "prediction": answer}
        rows.append({**row, "reference": str(a + b)})
    return rows


def squad_rows(right: int, count: int = 4) -> list:
    """`count` answers to reading questions, the first `right` of them right."""
    return [
        {
            "id": f"q-{index}",
            "kind": "squad",
            "prompt": f"Read {index}",
            "prediction": "Denver Broncos" if index < right else "nothing",
            "reference": "Denver Broncos",
        }
        for index in range(count)
    ]


def fill_run(run: Path, right: Dict[str, int]) -> Path:
    """Write a run; `right` counts right answers: math_before, math_after, squad_before, …"""
    finetune = yaml.safe_load((ROOT / "configs/tiny/finetune.yaml").read_text("utf-8"))
    write(run / "config/finetune.yaml", yaml.safe_dump(finetune, sort_keys=False))
    profile = {"profile": "tiny", "budget": "quick", "recipe": "plain", "seed": 42, "cards": 2}
    write(run / "config/profile.json", {**profile, "device": "CPU", "artifacts": []})
    evaluation = {
        "batch_size": 8,
        "max_new_tokens": ["squad=8", "valid=16", "test=16"],
        "min_new_tokens": 1,
    }
    write(run / "config/evaluation.json", evaluation)
    for name in ("model", "corpus", "records"):
        styles = write(run / f"config/{name}.json", {"seed": 42, "styles": {}})
    write(run / "run.mk", "GONE :=\n")
    write(run / "base/model.ckpt", b"base weights")
    kinds = {"add": {"rows": 9, "unique": 8, "duplicates": 1, "train": 6, "valid": 1, "test": 1}}
    kinds["add"]["style"] = "source"
    splits = {"train": 6, "valid": 1, "test": 1}
    corpus = {"source": "generated", "seed": 42, "splits": splits, "rows": 9, "unique": 8}
    corpus.update(duplicates=1, kinds=kinds, misfits={"count": 0, "reasons": {}, "first": []})
    write(run / "corpus/corpus.json", corpus)
    write(run / "corpus/train.jsonl", [{"id": "add-1"}])
    write(run / "corpus/test.jsonl", [{"id": "add-2"}])
    write(run / "records/train.mindrecord", b"records")
    records = {"rows": 2, "examples": 5, "left_out": 1, "used": 0.875, "pack": True}
    write(run / "records/train.mindrecord.json", {**records, "frame": "alpaca", "seq_length": 192})
    counts = {"trained": 4096, "total": 180_000, "denominator": 180_000}
    parameters = write(run / "finetune/parameters.json", counts)
    write(run / "finetune/run.json", {"steps": 10, "seed": 42, "workers": 2})
    steps = [f"{n},{4 - n / 5:.6f},{0.001 / n:.9f},{0.016 / n:.9f},0.25\n" for n in range(1, 11)]
    write(run / "finetune/loss.csv", HEADER + "".join(steps))
    write(run / "finetune/adapters/steps.json", {"steps": [2, 4, 6, 8, 10]})
    for rank in range(2):
        # A real log names the machine's folders: it must be taken as it is.
        log = f"rank {rank}\nINFO saved to /home/someone/runs/tiny/rank_{rank}\n"
        write(run / f"finetune/logs/worker_{rank}.log", log)
    write(run / "finetune/logs/scheduler.log", "")
    write(run / "baseline/squad.jsonl", squad_rows(right["squad_before"]))
    write(run / "baseline/test.jsonl", math_rows(right["math_before"]))
    base = run / "baseline/scores.json"

    def score(reading: Path, problems: Path, baseline: Optional[Path] = base) -> None:
        output = problems.with_name("scores.json")
        score_run(reading, problems, parameters, output, baseline=baseline, styles=styles)

    score(run / "baseline/squad.jsonl", run / "baseline/test.jsonl", None)
    for number in range(1, 6):
        write(run / f"finetune/adapters/{number}.ckpt", b"adapter %d" % number)
        merged = run / f"merged/{number}"
        write(merged / "model.ckpt", b"weights %d " % number * 50)
        write(merged / "model.json", {"num_layers": 2})
        write(merged / "tokenizer.model", b"\x0avocabulary")
        folder = run / f"evaluate/{number}"
        write(folder / "squad.jsonl", squad_rows(right["squad_after"]))
        valid = max(0, right["math_after"] - 1 - abs(3 - number))
        write(folder / "valid.jsonl", math_rows(valid, first=51))
        score(folder / "squad.jsonl", folder / "valid.jsonl")
    write(run / "evaluate/test.jsonl", math_rows(right["math_after"]))
    score(run / "evaluate/3/squad.jsonl", run / "evaluate/test.jsonl")
    digest = content_of(run / "merged/3/model.ckpt").sha256
    write(run / "evaluate/best.json", {"checkpoint": 3, "step": 6, "model_sha256": digest})
    for stage, seconds in (("finetune", 61.25), ("convert-math", 3.5)):
        record = {"stage": stage, "command": ["python", "-m", f"tools.{stage.partition('-')[0]}"]}
        record.update(seconds=seconds, peak_memory_mb=812.5, commit="0" * 40)
        record.update(versions={"python": "3.11.7", "mindspore": "2.9.0"}, machine={"cores": 2})
        write(run / f"stages/{stage}.json", record)
    return run


GOOD = {"math_before": 1, "math_after": 8, "squad_before": 2, "squad_after": 3}


SCRIPTS = (
    *("convert", "finetune", "generate", "merge"),
    *(f"training/{name}" for name in ("inputs", "packed_rows", "worker")),
)


def fill_project(root: Path) -> Path:
    """A project of a few real files, outside of git, with caches that must stay behind."""
    for name in (*SCRIPTS, "records/__init__"):
        code = "" if name.endswith("__init__") else '"""Part of the project."""\n'
        write(root / f"tools/{name}.py", code)
    for name in ("Dockerfile", "Makefile", "pyproject.toml", "requirements/cpu.txt"):
        write(root / name, f"# {name}\n")
    (root / "configs").mkdir()
    shutil.copy(ROOT / "configs/contest.yaml", root / "configs/contest.yaml")
    write(root / "tools/__pycache__/finetune.cpython-311.pyc", b"\0")
    write(root / "runs/other/secret.txt", "not part of the source\n")
    return root
