"""A finished run and a good package of it, made once and copied for tests that spoil them."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Dict, Iterator

import pytest
from grading_run import copy_of, make_run
from packaging_run import GOOD, TEAM, fill_project, fill_run

from tools.packaging import facts, inspection
from tools.packaging.grading import grader, unpack
from tools.packaging.grading.unpack import Package, open_package
from tools.packaging.page import write_report
from tools.packaging.submission import build_submission
from tools.scoring import scores
from tools.settings.contest import Contest


@pytest.fixture(scope="session", autouse=True)
def rules_read_once() -> Iterator[None]:
    """Reading the same rules hundreds of times is most of what these tests would do."""
    patch = pytest.MonkeyPatch()
    read = cache(inspection.read_contest)
    for module in (facts, grader, inspection, scores, unpack):
        patch.setattr(module, "read_contest", read)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """{"run", "project", "output"} of one good package, for reading only."""
    top = tmp_path_factory.mktemp("packaging")
    run = fill_run(top / "runs" / "tiny", GOOD)
    project = fill_project(top / "project")
    write_report(run, run / "report")
    build_submission(run, TEAM, top / "submission", root=project)
    return {"run": run, "project": project, "output": top / "submission"}


@pytest.fixture
def run(finished: Dict[str, Path], tmp_path: Path) -> Path:
    """A finished run of one's own, report included."""
    return Path(shutil.copytree(finished["run"], tmp_path / "runs" / "tiny"))


@pytest.fixture
def package(finished: Dict[str, Path], tmp_path: Path) -> Path:
    """A good package of one's own, as a folder."""
    return Path(shutil.copytree(finished["output"] / TEAM, tmp_path / TEAM))


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """{"run", "package", "zip"} of a run whose claims all hold, for reading only."""
    top = tmp_path_factory.mktemp("grading")
    run = make_run(top / "runs" / "tiny")
    write_report(run, run / "report")
    made = build_submission(run, TEAM, top / "submission", root=fill_project(top / "project"))
    return {"run": run, "package": made.folder, "zip": made.archive}


@pytest.fixture
def claims(honest: Dict[str, Path], tmp_path: Path) -> Path:
    """An honest package of one's own, to be forged."""
    return copy_of(honest["package"], tmp_path)


@pytest.fixture
def opened(claims: Path, tmp_path: Path) -> Package:
    """The same, opened."""
    return open_package(claims, tmp_path / "run")


@pytest.fixture(scope="session")
def rules() -> Contest:
    """The contest's."""
    return grader.read_contest()
