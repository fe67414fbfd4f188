"""tools.grade as a command: what is printed, where the verdict goes, exit codes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import List

import pytest
from click.testing import CliRunner, Result

from tools import grade
from tools.packaging.grading import grader as grading
from tools.packaging.grading.comparison import compare
from tools.packaging.grading.verdict import Verdict, write_verdict


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> List[grading.Request]:
    """What the command asks for; the measured figure is the number of problems of a kind."""
    asked: List[grading.Request] = []

    def measure(request: grading.Request) -> Verdict:
        asked.append(request)
        row = compare("scores/1.json", "problems", 20, request.per_kind)
        archive = {"name": request.archive.name, "sha256": None}
        grader = {"commit": None, "versions": {}, "machine": {}}
        verdict = Verdict(archive, "a", False, request.depth, [row], [], grader)
        write_verdict(verdict, request.output)
        return verdict

    monkeypatch.setattr(grading, "grade", measure)
    return asked


def call(*words: object) -> Result:
    return CliRunner().invoke(grade.main, [str(word) for word in words])


def a_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/x", "x")
    return path


def test_a_verdict_that_says_yes(requests: List[grading.Request], tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip")
    result = call(path, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert "a.zip: all 1 claims hold, by verify" in result.output
    assert result.output.splitlines()[-1] == str(tmp_path / "out" / "verdict.html")
    (request,) = requests
    assert request.seed == grading.seed_of(path)
    assert request.depth == "verify" and request.base is None


def test_a_verdict_that_says_no(requests: List[grading.Request], tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip")
    words = ("--depth", "score", "--per-kind", 21, "--seed", 9, "--json", "--output", tmp_path)
    result = call(path, *words)
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content == json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert content["passed"] is False and content["depth"] == "score"
    assert (requests[0].seed, requests[0].per_kind) == (9, 21)


def test_a_hostile_zip_is_exit_code_1_and_named(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil", "x")
    result = call(path, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "../../evil: its name leads out of the package" in result.output
    assert "refused and not unpacked" in result.output
    assert {item.name for item in (tmp_path / "out").iterdir()} == {"verdict.html", "verdict.json"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no.zip",), "does not exist"),
        (("x.zip",), "neither a folder nor a zip"),
        (("x.zip", "--depth", "deep"), "'deep' is not one of"),
        (("x.zip", "--base", "none.ckpt"), "does not exist"),
        (("x.zip", "--seed", "0"), "0 is not in the range"),
        ((), "Missing argument 'ZIP'"),
    ],
)
def test_bad_usage_is_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.zip").write_bytes(b"no zip")
    result = call(*words)
    assert result.exit_code == 2 and told in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"x.zip"}
