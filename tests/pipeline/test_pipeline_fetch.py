"""`make` after an artefact was deleted by hand: it is fetched again, and nothing else is remade."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from checkout import ROOT
from pipeline_make import checkout, make

pytestmark = pytest.mark.slow

READING = ROOT / "material/embedded/reading.json"
PROMPTS = "runs/toy/prompts/squad.jsonl"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with a profile like tiny whose reading questions are fetched, from a folder."""
    folder = checkout(tmp_path / "with a space")
    shutil.copytree(folder / "configs/tiny", folder / "configs/toy")
    profile = folder / "configs/toy/profile.yaml"
    profile.write_text(profile.read_text().replace("artifacts: []", "artifacts: [squad-dev]"))
    artifacts = folder / "configs/artifacts.yaml"
    own = {"file": "dev-v1.1.json", "about": "toy", "licence": "own", "bytes": None, "sha256": None}
    content = {"squad-dev": {**own, "url": "dev-v1.1.json"}}
    artifacts.write_text(json.dumps({"base_url": "http://127.0.0.1:9/", "artifacts": content}))
    (folder / "mirror").mkdir()
    shutil.copy(READING, folder / "mirror/dev-v1.1.json")
    return folder


def test_a_deleted_artefact_is_fetched_again(project: Path) -> None:
    words = ("PROFILE=toy", "RUN=toy", "MIRROR=mirror")
    # The prompts alone: what else `make convert` makes takes its time and needs no artefact.
    prompts = (*words, "PIPELINE_LOCKED=yes", "V=1", PROMPTS)
    fetch = (*words, "V=1", "fetch")
    assert make(project, *fetch).returncode == 0
    assert make(project, *prompts).returncode == 0
    artefact, record = project / "material/toy/dev-v1.1.json", project / "material/toy/fetched.json"
    lock = json.loads((project / "artifacts.lock").read_text())["artifacts"]["squad-dev"]
    assert lock["bytes"] == READING.stat().st_size

    def times() -> list[int]:
        return [path.stat().st_mtime_ns for path in (artefact, project / PROMPTS)]

    before, recorded = times(), record.stat().st_mtime_ns
    assert "tools" not in make(project, *prompts).stdout
    assert "tools" not in make(project, *fetch).stdout
    artefact.unlink()
    done = make(project, *fetch)
    assert done.returncode == 0, done.stderr
    assert "tools.fetch" in done.stdout
    assert artefact.read_bytes() == READING.read_bytes()
    assert "tools" not in make(project, *fetch).stdout
    assert "tools" not in make(project, *prompts).stdout
    assert times() == before
    assert record.stat().st_mtime_ns > recorded

    # Another content under the same name: refused by the lock, and accepted with what it makes.
    artefact.unlink()
    changed = READING.read_text(encoding="utf-8") + "\n"
    (project / "mirror/dev-v1.1.json").write_text(changed, encoding="utf-8")
    done = make(project, *fetch)
    assert done.returncode == 2 and "--accept squad-dev" in done.stderr
    (project / "artifacts.lock").unlink()
    done = make(project, *fetch)
    assert done.returncode == 0, done.stderr
    assert "tools.fetch" in done.stdout
    assert "tools.convert squad" in make(project, *prompts).stdout
