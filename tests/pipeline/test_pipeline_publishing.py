"""The tiny profile's adapter published by a command, and measured again by `make evaluate`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_make import make

pytestmark = pytest.mark.slow
ADAPTER = "material/embedded/adapters/tiny"


@pytest.fixture(scope="module")
def published(project: Path) -> Path:
    command = [sys.executable, "-m", "tools.publish", "write", "--run", "runs/tiny-quick"]
    done = subprocess.run(
        [*command, "--output", ADAPTER], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return project / ADAPTER


def test_a_published_adapter_is_measured_without_training(project: Path, published: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project / "runs/tiny-quick").rglob("*")}
    done = make(project, "evaluate", f"ADAPTER={ADAPTER}/")
    assert done.returncode == 0, done.stderr[-3000:]
    run = project / "runs" / "adapter-tiny"
    assert not (run / "finetune").exists() and not (run / "records").exists()
    scores = json.loads((run / "adapter/model/scores.json").read_text())
    assert scores == json.loads((published / "scores.json").read_text())
    compared = json.loads((run / "adapter/compared.json").read_text())
    assert list(compared) == ["model/squad.jsonl", "model/test.jsonl"]
    assert all(found["differing"] == [] for found in compared.values())
    # The base's answers are those that the run committed; asked again it writes the same.
    done = make(project, "evaluate", f"ADAPTER={ADAPTER}", "BASELINE=again")
    assert done.returncode == 0, done.stderr[-3000:]
    compared = json.loads((run / "adapter/compared.json").read_text())
    assert all(found["differing"] == [] for found in compared.values()) and len(compared) == 4
    after = {path: path.stat().st_mtime_ns for path in (project / "runs/tiny-quick").rglob("*")}
    assert {path: when for path, when in after.items() if path.name != ".lock"} == {
        path: when for path, when in before.items() if path.name != ".lock"
    }


def test_a_file_or_base_that_is_another_is_one_line(project: Path, published: Path) -> None:
    folder = project / "material" / "embedded" / "adapters" / "other"
    shutil.copytree(published, folder)
    other = ("ADAPTER=material/embedded/adapters/other", "RUN=adapter-tiny")
    path = folder / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done = make(project, "evaluate", *other)
    assert done.returncode == 2 and "adapter_model.safetensors: truncated: its" in done.stderr
    path.write_bytes(whole)
    done = make(project, "evaluate", *other, "SEED=2")
    assert done.returncode == 2 and "model.ckpt: is another base (sha256 " in done.stderr
