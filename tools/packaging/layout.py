"""Where things stand in a submission, and from where in the run and the project they come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

from tools.files.errors import UserError
from tools.files.pins import LOCK as ARTIFACTS_LOCK
from tools.packaging.provenance import ROOT, run_git

MANIFEST = "MANIFEST.json"
WEIGHTS = "weights/model.ckpt"
LINK = "weights/weights.json"
FINETUNE = "configs/finetune.yaml"
PROFILE = "configs/profile.json"
BEST = "scores/best.json"
WORKER_LOG = "logs/training/worker_{rank}.log"
SQUAD_LOGS = {"baseline": "logs/squad/baseline.log", "best": "logs/squad/best.log"}
SCORES = "scores/{name}.json"
ADAPTER = "adapter/adapter.ckpt"
# The matrices that the training began with, where those are an earlier one's.
INIT = "adapter/init.ckpt"
MODEL = "weights/model.json"
RUN = "training/run.json"
LOSSES = "training/loss.csv"
PARAMETERS = "training/parameters.json"
STEPS = "training/steps.json"
EVALUATION = "configs/evaluation.json"
TRAINING = "configs/training.json"
CORPUS = "data/corpus.json"
RECORDS = "data/records.json"
REPORT, REPORT_PAGE = "report/report.md", "report/report.html"
HASHES = "report/hashes.json"
STAGES = "stages/"
LOCK = "source/requirements/cpu.txt"
METHOD = "source/submission/method.md"
# The two that are asked the test problems: the base model, and the chosen checkpoint, of which the
# package holds its answers to the validation problems under its number too.
BASE, CHOSEN = "baseline", "best-test"
FIGURES = ("loss.png", "accuracy.png", "checkpoints.png")

# Letters, digits and Chinese characters: a name that is safe as a file's everywhere.
_TEAM = re.compile(
    r"[A-Za-z0-9_\u3400-\u4dbf\u4e00-\u9fff][A-Za-z0-9_\u3400-\u4dbf\u4e00-\u9fff-]*"
)
_LONGEST_TEAM = 64

# What the project needs to run from data to inference, as paths in its checkout.
_SOURCE = (
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "README.zh-CN.md",
    "configs",
    "material/README.md",
    "material/embedded",
    "pyproject.toml",
    "requirements",
    "submission/README.md",
    "submission/adapter.md.j2",
    "submission/method.md",
    "submission/report.css",
    "submission/report.html.j2",
    "submission/report.js",
    "submission/report.md.j2",
    "submission/texts.yaml",
    "submission/verdict.html.j2",
    "tools",
)

# No entry's own, and large.
_PUBLISHED = "material/embedded/adapters/"

# The parts that configs/contest.yaml names, as the files that make them up.
PARTS: Dict[str, Tuple[str, ...]] = {
    "report": (
        REPORT,
        REPORT_PAGE,
        HASHES,
        *(f"report/{name}" for name in FIGURES),
    ),
    "training_log": (WORKER_LOG.format(rank=0), LOSSES),
    "training_config": (FINETUNE, PROFILE),
    "source": (
        "source/Dockerfile",
        "source/Makefile",
        "source/configs/contest.yaml",
        "source/pyproject.toml",
        LOCK,
        *(f"source/tools/{name}.py" for name in ("convert", "finetune", "merge", "generate")),
        # What is registered with MindFormers.
        *(f"source/tools/training/{name}.py" for name in ("worker", "inputs", "packed_rows")),
    ),
    "squad_log": tuple(SQUAD_LOGS.values()),
}
# What we hand in beyond that, so that `tools.grade` can measure again.
OURS = (
    BEST,
    ADAPTER,
    CORPUS,
    RECORDS,
    EVALUATION,
    PARAMETERS,
    STEPS,
    RUN,
    MODEL,
)
# Folders of a package that hold what a folder of the run holds.
FOLDERS = {
    "configs": "config",
    "logs/training": "finetune/logs",
    "report": "report",
    "stages": "stages",
}


def check_team(name: str) -> str:
    """Give `name` back if it can name a submission; else UserError."""
    if not _TEAM.fullmatch(name) or len(name) > _LONGEST_TEAM:
        raise UserError(
            f"{name!r} cannot name a submission",
            "TEAM",
            f"use letters, digits, Chinese characters, - and _, at most {_LONGEST_TEAM}",
        )
    return name


def scored_files(name: object) -> Tuple[str, ...]:
    """Return the paths of scores, answers to problems and reading answers of a model.

    name   BASE, a checkpoint's number, or CHOSEN: that one reads nothing of its own, its scores
           have the reading of its number.
    """
    scores = SCORES.format(name=name)
    if name == CHOSEN:
        return scores, f"predictions/{name}.jsonl"
    split = "test" if name == BASE else "valid"
    return scores, f"predictions/{name}-{split}.jsonl", f"predictions/{name}-squad.jsonl"


def places(best: int, checkpoints: Iterable[int]) -> Dict[str, str]:
    """Path in the submission -> path in the run, of what has one name of its own."""
    found = {
        ADAPTER: f"finetune/adapters/{best}.ckpt",
        BEST: "evaluate/best.json",
        CORPUS: "corpus/corpus.json",
        INIT: "finetune/init.ckpt",
        LOSSES: "finetune/loss.csv",
        MODEL: f"merged/{best}/model.json",
        PARAMETERS: "finetune/parameters.json",
        RECORDS: "records/train.mindrecord.json",
        STEPS: "finetune/adapters/steps.json",
        RUN: "finetune/run.json",
    }
    for name in (BASE, *checkpoints, CHOSEN):
        folder = {BASE: BASE, CHOSEN: "evaluate"}.get(name, f"evaluate/{name}")
        for path in scored_files(name):
            file = "scores.json" if path.startswith("scores/") else path.rpartition("-")[2]
            found[path] = f"{folder}/{file}"
    return found


def run_files(run: Path, best: int, checkpoints: List[int]) -> Dict[str, Path]:
    """Path in the submission -> file of the run, all that is copied as it is, weights aside.

    Raises UserError naming every file that the run lacks.
    """
    files = {name: run / name for name in PARTS["report"]}
    # Make leaves an empty stamp beside the configs.
    configs = [*_below(run / "config", "*.json"), *_below(run / "config", "*.yaml")]
    files.update({f"configs/{path.name}": path for path in configs})
    for path in _below(run / FOLDERS["stages"]):
        # The record of an earlier packaging would make the next package another one.
        if path.name != "submit.json":
            files[f"stages/{path.name}"] = path
    logs = run / FOLDERS["logs/training"]
    for path in _below(logs):
        # MindFormers leaves some logs empty; a worker's may not be.
        if path.stat().st_size or path.name.startswith("worker_"):
            files[f"logs/training/{path.relative_to(logs).as_posix()}"] = path
    files.update({name: run / place for name, place in places(best, checkpoints).items()})
    if not files[INIT].is_file():
        del files[INIT]  # training began with fresh matrices
    tokenizers = _below(run / "merged" / str(best), "tokenizer.*")
    files.update({f"weights/{path.name}": path for path in tokenizers})
    required = [WORKER_LOG.format(rank=0), FINETUNE, PROFILE]
    missing = [name for name in required if name not in files]
    missing += [str(path.relative_to(run)) for path in files.values() if not path.is_file()]
    if missing:
        what = f"the run lacks {', '.join(missing)}"
        raise UserError(what, run, "make the stages before (make report)")
    return files


def source_files(root: Path = ROOT) -> Dict[str, Path]:
    """Path in the submission -> file of the project: those that git tracks, as they are now.

    Outside of a checkout of its own the files are walked, caches left out. What the team says in
    the report, submission/method.md, and artifacts.lock, by which the grader's artefacts are held
    to be the team's, go in whether they are tracked or not.
    """
    listed: Optional[str] = None
    if (root / ".git").exists():
        listed = run_git(["git", "ls-files", "-z", "--", *_SOURCE], root)
    names = [name for name in (listed or "").split("\0") if (root / name).is_file()] or [
        path.relative_to(root).as_posix()
        for top in _SOURCE
        for path in ([root / top] if (root / top).is_file() else _below(root / top))
    ]
    for own in (METHOD.partition("/")[2], ARTIFACTS_LOCK):
        if (root / own).is_file() and own not in names:
            names.append(own)
    ignored = {"__pycache__", ".ruff_cache", ".pytest_cache"}
    return {
        f"source/{name}": root / name
        for name in names
        if not ignored & set(name.split("/"))
        and not name.startswith(_PUBLISHED)
        and not name.endswith(".pyc")
    }


def _below(folder: Path, pattern: str = "*") -> List[Path]:
    """The plain files below `folder`, sorted; hidden ones are nobody's output."""
    return sorted(
        path
        for path in folder.rglob(pattern)
        if path.is_file() and not path.name.startswith(".") and not path.is_symlink()
    )
