"""The Dockerfile: what it may say, and each of its steps run in a clean folder.

No container engine is needed. Its image is stood in for by a copy of what git tracks, an empty
environment and the machine's own Python 3.11, make and git, which the image has as well.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

import pytest
from checkout import ROOT, copy_checkout

# Debian's folders; no virtual environment, and nothing of this user's.
CLEAN_PATH = "/usr/bin:/bin"


class Step(NamedTuple):
    """One instruction, its continued lines joined."""

    word: str
    text: str


def steps() -> List[Step]:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if line.strip() and not line.startswith("#"))
    joined = text.replace("\\\n", " ").splitlines()
    return [Step(*line.split(maxsplit=1)) for line in joined]


def told_commands() -> List[str]:
    """The command lines in the comment at the top, continued ones joined."""
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    comment = "\n".join(line[1:] for line in lines if line.startswith("#"))
    return [line.strip() for line in comment.replace("\\\n", " ").splitlines()]


def test_only_known_instructions_in_their_order() -> None:
    assert [step.word for step in steps()] == ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "CMD"]


def test_the_base_is_pinned() -> None:
    found = dict(steps())
    name, _, base = found["ARG"].partition("=")
    assert found["FROM"] == f"${{{name}}}"
    image, _, tag = base.partition(":")
    assert re.fullmatch(r"\d+\.\d+-\w+", tag), "a version and a release, never `latest`"
    assert image == "python"
    others = [line for line in told_commands() if "--build-arg BASE=" in line]
    assert others and all(re.search(r"BASE=[\w./-]+:[\w.-]{20,}", line) for line in others)


def test_nothing_comes_from_the_network_but_by_the_lock() -> None:
    for step in steps():
        assert step.word != "ADD"
        assert not re.search(r"https?://|\bcurl\b|\bwget\b|--from=", step.text)
    # `make setup` takes PyPI's packages by their hashes.
    assert "--require-hashes" in (ROOT / "Makefile").read_text("utf-8")


def test_the_image_is_made_of_the_checkout_alone() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {".venv", "runs", "material/*", "submission/*.zip", "submission/*/"} <= set(ignored)
    # What the code needs is let in again.
    assert {"!material/embedded", "!material/README.md"} <= set(ignored)


def test_its_steps_are_the_readmes() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    commands = [step.text for step in steps() if step.word == "RUN"]
    commands.append(" ".join(json.loads(dict(steps())["CMD"])))
    commands += [line.partition("contest ")[2] for line in told_commands() if "docker run" in line]
    assert len(commands) == 3
    for command in commands:
        words = command.split()
        assert words[0] == "make" and words[1] in targets, command
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "docker build -t contest ." in readme and "make grade SUBMISSION=" in readme
    assert "docker build -t contest ." in told_commands()


# --- The same, really run -------------------------------------------------------------------------


def run(folder: Path, home: Path, command: str) -> subprocess.CompletedProcess:
    """A RUN step: through /bin/sh, in the copied checkout, with next to no environment."""
    environment: Dict[str, str] = {"PATH": CLEAN_PATH, "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """{"folder", "home"}: the checkout after COPY and every RUN step."""
    python = subprocess.run(
        ["python3", "-c", "import sys, venv, ensurepip; print(sys.version_info[:2])"],
        env={"PATH": CLEAN_PATH},
        capture_output=True,
        text=True,
    )
    if python.stdout.strip() != "(3, 11)" or not shutil.which("make", path=CLEAN_PATH):
        pytest.skip("this machine has no Python 3.11 with venv and no make of its own")
    folder, home = tmp_path_factory.mktemp("image") / "contest", tmp_path_factory.mktemp("home")
    copy_checkout(folder)
    for step in steps():
        if step.word == "RUN":
            done = run(folder, home, step.text)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return {"folder": folder, "home": home}


@pytest.mark.slow
def test_each_run_step_works_in_a_clean_folder(image: Dict[str, Path]) -> None:
    assert (image["folder"] / ".venv" / "installed").is_file()
    # What it runs with is its own: nothing of the environment that runs the tests is seen.
    done = run(**image, command=".venv/bin/python -c 'import sys, mindspore; print(sys.prefix)'")
    assert done.stdout.splitlines()[-1] == str(image["folder"] / ".venv")
    assert done.stdout.splitlines()[-1] != sys.prefix


@pytest.mark.slow
def test_its_command_lists_the_targets(image: Dict[str, Path]) -> None:
    done = run(**image, command=" ".join(json.loads(dict(steps())["CMD"])))
    assert done.returncode == 0
    assert re.search(r"^  grade +a zip against its claims", done.stdout, re.M)


@pytest.mark.slow
def test_a_zip_is_graded_in_it(image: Dict[str, Path]) -> None:
    """The `docker run` of the comment, but for a zip that is refused."""
    (line,) = (line for line in told_commands() if line.startswith("docker run"))
    command = line.partition("contest make")[2]
    hand_in = image["home"] / "team.zip"
    shutil.make_archive(str(hand_in.with_suffix("")), "zip", ROOT / "docs", "results.md")
    done = run(**image, command=f"make{command.replace('/hand-in/team.zip', str(hand_in))}")
    assert done.returncode == 2, done.stderr[-3000:]
    assert "team.zip: " in done.stdout
    verdict = json.loads((image["folder"] / "runs/grade/team/verdict.json").read_text("utf-8"))
    assert verdict["passed"] is False and verdict["refused"] is True
