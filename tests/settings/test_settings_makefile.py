"""run.mk: what it says of each profile, as make itself reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import List

import pytest

from tools.settings.makefile import write_makefile
from tools.settings.profile import CONFIGS, read_profile

NAMES = ("WEIGHTS", "TRAIN_JSON", "READING", "TOKENIZER")
NAMES += ("VOCABULARY", "VOCABULARY_OPTIONS", "GONE")
READING = "material/embedded/reading.json"
GGUF = "m/SmolLM2-135M-Instruct.Q4_1.gguf"


def said(folder: Path, profile: str) -> List[str]:
    """Return the values of NAMES, with nothing but fetched.json in `folder` for material."""
    path = folder / "run.mk"
    write_makefile(path, read_profile(CONFIGS / profile / "profile.yaml"), folder)
    lines = "".join(f"$(info $({name}))" for name in NAMES)
    (folder / "Makefile").write_text(f"M := m\nR := r\ninclude run.mk\nall: ; {lines}@:\n")
    done = subprocess.run(["make"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "profile, sources, tokenizer",
    [
        (
            "tiny",
            ["", "", READING],
            [
                "r/base/tokenizer.model",
                f"r/corpus/corpus.json {READING}",
                f"--train r/corpus/train.jsonl --text {READING}",
            ],
        ),
        ("smollm2-135m", [GGUF, "", READING], ["r/base/tokenizer.json", GGUF, f"--gguf {GGUF}"]),
        (
            "llama3-8b",
            ["m/llama3-8B.ckpt", "m/train.json", "m/dev-v1.1.json"],
            ["r/base/tokenizer.model", "m/tokenizer.model", "--whole m/tokenizer.model"],
        ),
    ],
)
def test_what_make_is_told(
    tmp_path: Path, profile: str, sources: List[str], tokenizer: List[str]
) -> None:
    assert said(tmp_path, profile) == [*sources, *tokenizer, ""]


def test_it_is_written_when_it_changes_alone(tmp_path: Path) -> None:
    said(tmp_path, "tiny")
    before = (tmp_path / "run.mk").stat().st_mtime_ns
    said(tmp_path, "tiny")
    assert (tmp_path / "run.mk").stat().st_mtime_ns == before


def test_a_file_that_was_fetched_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "fetched.json").write_text(json.dumps({"artifacts": [{"file": "a.bin"}]}))
    assert said(tmp_path, "tiny")[-1] == "gone"
    (tmp_path / "a.bin").touch()
    assert said(tmp_path, "tiny")[-1] == ""
