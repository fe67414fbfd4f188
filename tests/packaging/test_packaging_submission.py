"""The package that is made: exactly the files expected, the same bytes each time, or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict

import pytest
from packaging_run import TEAM, write

from tools.files.errors import CheckFailed, UserError
from tools.files.hashing import content_of
from tools.packaging.facts import Hash, gather
from tools.packaging.inspection import check_submission
from tools.packaging.layout import PARTS, check_team, run_files, source_files
from tools.packaging.page import render_markdown, render_page, write_report
from tools.packaging.submission import build_submission
from tools.scoring.logs import read_log
from tools.scoring.scores import score_run

EXPECTED = {
    "MANIFEST.json",
    "adapter/adapter.ckpt",
    *(f"configs/{name}.json" for name in ("corpus", "evaluation", "model", "profile", "records")),
    "configs/finetune.yaml",
    "data/corpus.json",
    "data/records.json",
    "logs/squad/baseline.log",
    "logs/squad/best.log",
    "logs/training/worker_0.log",
    "logs/training/worker_1.log",
    *(
        f"predictions/{number}-{kind}.jsonl"
        for number in range(1, 6)
        for kind in ("squad", "valid")
    ),
    *(f"predictions/{name}.jsonl" for name in ("baseline-squad", "baseline-test", "best-test")),
    *(f"report/{name}.png" for name in ("accuracy", "checkpoints", "loss")),
    "report/hashes.json",
    "report/report.html",
    "report/report.md",
    *(f"scores/{name}.json" for name in (*range(1, 6), "baseline", "best", "best-test")),
    "source/Dockerfile",
    "source/Makefile",
    "source/configs/contest.yaml",
    "source/pyproject.toml",
    "source/requirements/cpu.txt",
    *(f"source/tools/{name}.py" for name in ("convert", "finetune", "generate", "merge")),
    "source/tools/records/__init__.py",
    *(f"source/tools/training/{name}.py" for name in ("inputs", "packed_rows", "worker")),
    "stages/convert-math.json",
    "stages/finetune.json",
    "training/loss.csv",
    "training/parameters.json",
    "training/run.json",
    "training/steps.json",
    "weights/model.ckpt",
    "weights/model.json",
    "weights/tokenizer.model",
}


def files_below(folder: Path) -> set:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_exactly_these(finished: Dict[str, Path]) -> None:
    output = finished["output"]
    assert {path.name for path in output.iterdir()} == {TEAM, f"{TEAM}.zip"}
    assert files_below(output / TEAM) == EXPECTED
    with zipfile.ZipFile(output / f"{TEAM}.zip") as archive:
        assert archive.namelist() == sorted(f"{TEAM}/{name}" for name in EXPECTED)
        assert archive.testzip() is None
        for info in archive.infolist():
            kept = (output / info.filename).read_bytes()
            assert archive.read(info) == kept
            stored = info.filename.endswith((".ckpt", ".png"))
            assert (info.compress_type == zipfile.ZIP_STORED) == stored


def test_what_the_training_began_with_is_handed_in(
    finished: Dict[str, Path], run: Path, tmp_path: Path
) -> None:
    begun = write(run / "finetune/init.ckpt", b"matrices of an earlier training")
    digest = content_of(begun).sha256
    record = {"path": "runs/first/finetune", "sha256": "ab" * 32, "matrices_sha256": digest}
    told = json.loads((run / "finetune/run.json").read_text())
    write(run / "finetune/run.json", {**told, "init": {**record, "base": None, "init": None}})
    write_report(run, run / "report")
    made = build_submission(run, TEAM, tmp_path / "out", root=finished["project"])
    assert files_below(made.folder) == EXPECTED | {"adapter/init.ckpt"}
    assert digest in (made.folder / "report/report.md").read_text("utf-8")
    assert json.loads((made.folder / "training/run.json").read_text())["init"]["path"]


def test_good_packages_pass(finished: Dict[str, Path]) -> None:
    assert check_submission(finished["output"] / TEAM) == []
    assert check_submission(finished["output"] / f"{TEAM}.zip") == []


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_the_same_run_gives_the_same_zip(
    finished: Dict[str, Path], run: Path, tmp_path: Path, mask: int
) -> None:
    """In another folder, years later, by somebody whose new files have other permissions."""
    for index, path in enumerate(sorted(run.rglob("*"), reverse=True)):
        os.utime(path, (2e9 + index, 2e9 + index))
    write(run / "stages/submit.json", {"stage": "submit", "seconds": 1.5, "peak_memory_mb": 9})
    before = os.umask(mask)
    try:
        made = build_submission(run, TEAM, tmp_path / "a b" / "out", root=finished["project"])
    finally:
        os.umask(before)
    assert made.archive.read_bytes() == (finished["output"] / f"{TEAM}.zip").read_bytes()
    assert made.files == len(EXPECTED)


def test_the_report_can_be_made_again_from_the_package_alone(
    finished: Dict[str, Path], tmp_path: Path
) -> None:
    """Every figure of it is traced to a file handed in: nothing else is at hand here."""
    package, run = finished["output"] / TEAM, tmp_path / "tiny"
    for name, path in run_files(finished["run"], 3, [1, 2, 3, 4, 5]).items():
        target = run / path.relative_to(finished["run"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(package / name, target)
    # A grader scores the answers again, and so has what was judged.
    scored = (run / "evaluate/3/squad.jsonl", run / "evaluate/test.jsonl")
    parameters, scores = run / "finetune/parameters.json", run / "evaluate/scores.json"
    base, styles = run / "baseline/scores.json", run / "config/records.json"
    score_run(*scored, parameters, scores, base, styles)
    # Of the large files that are not handed in, only the hashes are.
    hashes = json.loads((package / "report/hashes.json").read_text())["hashes"]
    facts = gather(run)._replace(hashes=[Hash(**item) for item in hashes])
    assert render_markdown(facts) == (package / "report/report.md").read_text("utf-8")
    page = render_page(facts)
    assert page == (package / "report/report.html").read_text("utf-8")


def test_the_files_that_the_report_names_are_handed_in(finished: Dict[str, Path]) -> None:
    text = (finished["output"] / TEAM / "report/report.md").read_text("utf-8")
    lines = [line for line in text.split("\n") if line.startswith("*Source:* ")]
    named = set(re.findall(r"`([^`]+)`", " ".join(lines)))
    assert len(lines) == 12
    assert named - EXPECTED == {"stages/", "scores/K.json"}
    for digest in re.findall(r"\| ([0-9a-f]{64}) \|", text):
        assert digest in (finished["output"] / TEAM / "report/hashes.json").read_text()


def test_a_report_of_an_earlier_state_is_not_handed_in(
    finished: Dict[str, Path], run: Path, tmp_path: Path
) -> None:
    losses = run / "finetune/loss.csv"
    losses.write_text(losses.read_text().replace("1,3.800000", "1,3.900000"))
    with pytest.raises(UserError, match="not the report of this run as it stands"):
        build_submission(run, TEAM, tmp_path / "out", root=finished["project"])
    assert not (tmp_path / "out").exists()
    write_report(run, run / "report")
    assert build_submission(run, TEAM, tmp_path / "out", root=finished["project"]).files


def test_an_answer_that_looks_like_a_path_does_not_spoil_the_report(
    finished: Dict[str, Path], run: Path, tmp_path: Path
) -> None:
    answers = run / "evaluate/judged.jsonl"
    rows = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
    rows[8]["prediction"] = "so\n4 /5/6"
    write(answers, rows)
    facts = write_report(run, run / "report")
    assert [item["reference"] for item in facts.wrong] == ["21", "23", "25"]
    build_submission(run, TEAM, tmp_path / "out", root=finished["project"])


def test_copies_and_logs_are_the_runs(finished: Dict[str, Path]) -> None:
    run, folder = finished["run"], finished["output"] / TEAM
    pairs = {
        "adapter/adapter.ckpt": "finetune/adapters/3.ckpt",
        "weights/model.ckpt": "merged/3/model.ckpt",
        "logs/training/worker_1.log": "finetune/logs/worker_1.log",
        "predictions/best-test.jsonl": "evaluate/test.jsonl",
        "predictions/baseline-squad.jsonl": "baseline/squad.jsonl",
        "data/records.json": "records/train.mindrecord.json",
        "training/steps.json": "finetune/adapters/steps.json",
        "predictions/4-valid.jsonl": "evaluate/4/valid.jsonl",
        "scores/5.json": "evaluate/5/scores.json",
        "scores/best-test.json": "evaluate/scores.json",
    }
    for name, source in pairs.items():
        assert (folder / name).read_bytes() == (run / source).read_bytes()
    scores = json.loads((folder / "scores/3.json").read_text())
    log = read_log(folder / "logs/squad/best.log")
    assert log.reported == {key: scores["squad"][key] for key in ("f1", "em", "count")}
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    assert list(manifest) == ["format", "team", "run", "commit", "lock_sha256", "files"]
    assert (manifest["team"], manifest["run"], manifest["commit"]) == (TEAM, "tiny", None)
    assert set(manifest["files"]) == EXPECTED - {"MANIFEST.json"}


def test_a_link_stands_for_the_weights(finished: Dict[str, Path], tmp_path: Path) -> None:
    url = "https://files.example/best.ckpt"
    made = build_submission(finished["run"], "a", tmp_path, url, root=finished["project"])
    assert files_below(made.folder) == EXPECTED - {"weights/model.ckpt"} | {"weights/weights.json"}
    link = json.loads((made.folder / "weights/weights.json").read_text())
    weights = (finished["run"] / "merged/3/model.ckpt").read_bytes()
    entry = json.loads((finished["output"] / TEAM / "MANIFEST.json").read_text())
    digest = entry["files"]["weights/model.ckpt"]["sha256"]
    assert link == {"url": url, "bytes": len(weights), "sha256": digest}
    assert check_submission(made.archive) == []


@pytest.mark.parametrize("url", ["ftp://x/y", "https://me:word@x/y", "x", "https://x y"])
def test_what_is_no_link(finished: Dict[str, Path], tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="is not a link"):
        build_submission(finished["run"], "a", tmp_path, url, root=finished["project"])


@pytest.mark.parametrize(
    "name", ["a", "枪心如火", "PEFT小队", "dian-team", "debias_world1", "x" * 64]
)
def test_names_of_teams(name: str) -> None:
    assert check_team(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a b", "a.zip", "x" * 65, "a\n", "é"])
def test_what_is_no_name_of_a_team(name: str) -> None:
    with pytest.raises(UserError, match="cannot name a submission"):
        check_team(name)


@pytest.mark.parametrize(
    "name",
    [
        "report/report.html",
        "finetune/logs/worker_0.log",
        "finetune/adapters/3.ckpt",
        "merged/3/model.ckpt",
        "baseline/squad.jsonl",
        "config/finetune.yaml",
    ],
)
def test_a_run_that_lacks_something(
    finished: Dict[str, Path], run: Path, tmp_path: Path, name: str
) -> None:
    (run / name).unlink()
    with pytest.raises(UserError) as caught:
        build_submission(run, TEAM, tmp_path / "out", root=finished["project"])
    assert Path(name).name in str(caught.value)
    assert not list((tmp_path / "out").glob("*"))


def test_a_package_that_would_be_refused_is_not_made(
    finished: Dict[str, Path], run: Path, tmp_path: Path
) -> None:
    made = build_submission(run, TEAM, tmp_path / "out", root=finished["project"])
    before = made.archive.read_bytes()
    config = (run / "config/finetune.yaml").read_text()
    config = config.replace("only_save_strategy: false", "only_save_strategy: true")
    write(run / "config/finetune.yaml", config.replace("./output", "/home/me/output"))
    write_report(run, run / "report")
    with pytest.raises(CheckFailed) as caught:
        build_submission(run, TEAM, tmp_path / "out", root=finished["project"])
    assert "only_save_strategy is True: left on" in caught.value.what
    assert "configs/finetune.yaml:2: absolute path /home/me/output" in caught.value.what
    assert made.archive.read_bytes() == before
    assert {path.name for path in (tmp_path / "out").iterdir()} == {TEAM, f"{TEAM}.zip"}
    assert check_submission(made.folder) == []


def test_in_a_checkout_the_source_is_what_git_tracks(tmp_path: Path) -> None:
    words = "submission/method.md"
    own = (words, "artifacts.lock")
    # Small sets go in, the published adapter does not: it is no entry's own.
    sets = ("material/embedded/x.json", "material/embedded/adapters/y/adapter_model.safetensors")
    names = ("tools/a.py", "tools/new.py", "configs/x.yaml", "notes.txt", "Makefile", *sets, *own)
    for name in names:
        write(tmp_path / name, "x\n")
    assert {"source/tools/a.py", "source/tools/new.py"} < set(source_files(tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run(
        [*git, "add", "tools/a.py", "configs", "notes.txt", "Makefile", "material"], check=True
    )
    assert set(source_files(tmp_path)) == {
        *("source/Makefile", "source/configs/x.yaml", "source/tools/a.py"),
        "source/material/embedded/x.json",
        "source/submission/method.md",
        "source/artifacts.lock",
    }


def test_the_source_handed_in_runs_by_itself(finished: Dict[str, Path], tmp_path: Path) -> None:
    for name, path in source_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / name)
    assert {name for name in PARTS["source"] if not (tmp_path / name).is_file()} == set()
    tracked = {name.removeprefix("source/") for name in source_files()}
    assert {"requirements/cpu.txt", "material/embedded/reading.json", "LICENSE"} <= tracked
    config = ["--profile", "tiny", "--budget", "quick", "--recipe", "plain", "--seed", "1"]
    for words in (
        ["tools.run", "runs/r", *config],
        ["tools.report", "--run", str(finished["run"]), "--output", "runs/r/report"],
    ):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=tmp_path / "source",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    made = tmp_path / "source/runs/r/report/report.html"
    assert made.read_bytes() == (finished["run"] / "report/report.html").read_bytes()
