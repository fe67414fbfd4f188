"""Compiled graphs, kept for the next training of the same graph.

Compiling 30 layers takes MindSpore most of a minute, reading them back some seconds. MindSpore
itself hardly checks whether what it reads back belongs to the training at hand, so everything
that a graph is made of is part of its name here. A graph comes to its place when the training that
made it is done, whole; until then it is in that training's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List

from tools.files.machine import version_of

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "graphs"
_SOURCES = Path(__file__).resolve().parent
# Which of MindFormers' classes ours stand on.
_STACK = _SOURCES.parent / "llama" / "stack.py"
KEPT = 8
# Where files are and how rows are read and shown: no part of the graph.
_OUTSIDE = ("output_dir", "load_checkpoint", "train_dataset_task", "callbacks", "tensorboard")


def name_of(native: Dict[str, Any], steps: int, workers: int, host: int = 0) -> str:
    """Name the graph of a training: sha256 over all it is made of, hex.

    native    MindFormers' config; what tells of places and of reading is left out
    steps     in all: the schedule of the learning rate is compiled in
    workers   of all hosts
    host      which of them this is: each keeps the graphs of its own workers
    """
    inside = {key: value for key, value in native.items() if key not in _OUTSIDE}
    inside["train_dataset"] = {"batch_size": native["train_dataset"]["batch_size"]}
    parts = {
        "config": inside,
        "steps": steps,
        "workers": [workers, host],
        "versions": [version_of("mindspore"), version_of("mindformers"), sys.version],
        "sources": [path.read_text("utf-8") for path in (*sorted(_SOURCES.rglob("*.py")), _STACK)],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def place(name: str, work: Path, started: bool) -> Path:
    """Give the folder that a training reads its graph from, or writes it to.

    work      the training's folder
    started   whether it has made a step before: only then is a graph in `work` known to be whole
    """
    kept = FOLDER / name
    if kept.is_dir():
        with suppress(OSError):  # another user's: read, but not marked as used
            kept.touch()
        return kept
    own = work / "graphs"
    if not started:
        shutil.rmtree(own, ignore_errors=True)
    return own


def keep(name: str, made: Path) -> None:
    """Copy a graph to its place, and remove those that were used longest ago over `KEPT`.

    Another training may have been quicker: then there is nothing to do. A graph that cannot be
    kept costs the next training a minute and is no reason to fail this one.
    """
    if made.parent == FOLDER or not made.is_dir():
        return
    partial = FOLDER / f"{name}.{os.getpid()}"
    try:
        shutil.copytree(made, partial)
        partial.rename(FOLDER / name)
        for old in _by_use()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)


def _by_use() -> List[Path]:
    """Give the folders kept, the last used first."""
    folders = [path for path in FOLDER.iterdir() if path.is_dir()]
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
