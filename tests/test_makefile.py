"""What make says before there is an environment: help, which lock, and which Pythons it is for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """What the Makefile reads, as in a clone in which nothing has been made."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in ("requirements", "configs", "material/embedded"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "submission").mkdir()
    shutil.copy(ROOT / "submission" / "report.md.j2", tmp_path / "submission")
    return tmp_path


def test_help_is_the_default_and_lists_every_target_of_the_pipeline(empty: Path) -> None:
    done = make(empty)
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {
        "setup",
        "doctor",
        "fetch",
        "convert",
        "finetune",
        "all",
        "submit",
        "grade",
        "test",
        "lint",
    } <= listed


@pytest.fixture
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A Python of another version, or with a module more, as far as `make setup` can tell."""

    def pretend(version: Tuple[int, int], *modules: str) -> str:
        folder = tmp_path_factory.mktemp("python")
        for name in modules:
            (folder / f"{name}.py").touch()
        (folder / "sitecustomize.py").write_text(
            f"import sys; sys.version_info = {version} + (0,)\n"
            "sys.path = [path for path in sys.path if 'site-packages' not in path]\n"
        )
        path = folder / "python"
        # An environment is not made: what would do that says how it was called.
        path.write_text(
            f"#!/bin/sh\nexport PYTHONPATH='{folder}'\n"
            f'test "$1" != -m || {{ echo "CALLED $*"; exit 9; }}\nexec \'{sys.executable}\' "$@"\n'
        )
        path.chmod(0o755)
        return str(path)

    return pretend


@pytest.mark.parametrize(
    "stack, version, fits, wanted",
    [
        *(("cpu", (3, minor), True, "") for minor in (9, 10, 11)),
        ("cpu", (3, 8), False, "requirements/cpu.txt is for 3.9 to 3.11"),
        ("cpu", (3, 12), False, "requirements/cpu.txt is for 3.9 to 3.11"),
        ("cpu", (2, 7), False, "requirements/cpu.txt is for 3.9 to 3.11"),
        ("ascend", (3, 9), True, ""),
        ("ascend", (3, 11), False, "requirements/ascend.txt is for 3.9"),
    ],
)
def test_the_version_check(empty: Path, python, stack, version, fits, wanted) -> None:
    words = (f"STACK={stack}", f"PYTHON_SYSTEM={python(version, 'mindspore')}")
    done = make(empty, "setup", *words)
    assert done.returncode == 2
    flag = " --system-site-packages" if stack == "ascend" else ""
    assert ("CALLED -m venv" in done.stdout) == fits
    if fits:
        assert done.stdout.splitlines()[-1].split() == f"CALLED -m venv{flag} .venv".split()
    else:
        newest = "3.9" if stack == "ascend" else "3.11"
        assert f"error: Python {version[0]}.{version[1]} was found, {wanted}; " in done.stderr
        assert f"PYTHON_SYSTEM=/path/to/python{newest}\n" in done.stderr
    assert not (empty / ".venv").exists()


def test_set_up_asks_for_room(empty: Path, python) -> None:
    """/proc has none. With room it goes on, as in the test above."""
    done = make(empty, "setup", "STACK=cpu", f"PYTHON_SYSTEM={python((3, 9))}", "TMPDIR=/proc")
    assert done.returncode == 2 and "CALLED" not in done.stdout
    assert "error: set-up takes 4.8 GB of disk here, and 1.5 GB in /proc" in done.stderr


def test_cards_need_the_mindspore_of_their_image(empty: Path, python) -> None:
    done = make(empty, "setup", "STACK=ascend", f"PYTHON_SYSTEM={python((3, 9))}")
    assert done.returncode == 2 and "has no MindSpore" in done.stderr
    assert "STACK=cpu" in done.stderr and "CALLED" not in done.stdout


@pytest.mark.parametrize(
    "variables, lock",
    [
        ({}, "cpu"),
        ({"ASCEND_HOME_PATH": "/opt/cann"}, "ascend"),
        ({"ASCEND_TOOLKIT_HOME": "/opt/cann"}, "ascend"),
        ({"ASCEND_HOME_PATH": "/opt/cann", "STACK": "cpu"}, "cpu"),
        ({"STACK": "ascend"}, "ascend"),
    ],
)
def test_the_lock_is_the_machines(empty: Path, monkeypatch, variables, lock) -> None:
    for name in ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "STACK"):
        monkeypatch.delenv(name, raising=False)
    if not variables and Path("/usr/local/Ascend").exists():
        pytest.skip("this machine has cards")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = make(empty, "-n", "setup", f"PYTHON_SYSTEM={sys.executable}")
    assert f"-r requirements/{lock}.txt" in done.stdout and done.returncode == 0
    assert ("material/%s/mindformers" in done.stdout) == (lock == "ascend")


def test_a_stack_that_there_is_not(empty: Path) -> None:
    done = make(empty, "setup", "STACK=gpu")
    assert done.returncode == 2 and "STACK: 'gpu' is neither cpu nor ascend" in done.stderr


def test_pythons_that_do_not_run_are_passed_over(empty: Path, tmp_path_factory) -> None:
    """A version manager leaves a python3.11 on the path that only says that there is none."""
    programs = tmp_path_factory.mktemp("bin")
    for name, lines in (
        ("python3.11", "exit 127"),
        ("python3.10", f"exec '{sys.executable}' \"$@\""),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = ["make", "-n", "setup", "STACK=cpu"]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True, env=environment)
    assert "python3.10 -m venv  .venv\n" in done.stdout and done.stderr == ""


def test_a_python_that_is_not_there_is_one_clear_line(empty: Path) -> None:
    done = make(empty, "setup", "STACK=cpu", "PYTHON_SYSTEM=no-such-python")
    assert done.returncode == 2
    assert "error: no-such-python is not on this machine; install Python 3.11" in done.stderr


def test_the_tests_on_python_39(empty: Path) -> None:
    """In an environment of their own; where there is no Python 3.9 that is said, and no fault."""
    done = make(empty, "-n", "test-py39", "PYTHON39=/opt/python3.9")
    assert "/opt/python3.9 -m venv  .venv39" in done.stdout and " .venv\n" not in done.stdout
    assert ".venv39/bin/python -m pytest" in done.stdout
    done = make(empty, "test-py39", "PYTHON39=")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("skipped: there is no Python 3.9 on this machine")


@pytest.mark.parametrize("words", [("-n", "all"), ("--dry-run", "submit"), ("help",), ("clean",)])
def test_an_empty_clone_stays_as_it_is(empty: Path, words: Tuple[str, ...]) -> None:
    before = sorted(path.name for path in empty.iterdir())
    done = make(empty, *words)
    assert done.returncode == 0, done.stderr
    if len(words) == 2:
        assert "tools.run runs/smollm2-135m-quick " in done.stdout
        assert "runs/smollm2-135m-quick/run.mk is not made yet" in done.stdout
        assert "tools.finetune" in done.stdout
    assert sorted(path.name for path in empty.iterdir()) == before


def test_run_mk_says_what_the_profile_fetches(empty: Path) -> None:
    """It is read by the make that makes the files alone, and made by no make itself."""
    assert "tools.fetch" not in make(empty, "-n", "convert", "RUN=r").stdout
    (empty / "runs" / "r").mkdir(parents=True)
    (empty / "runs" / "r" / "run.mk").write_text("WEIGHTS := $(M)/x.gguf\nTOKENIZER := $(R)/t\n")
    done = make(empty, "-n", "convert", "RUN=r")
    assert "tools.fetch --profile" in done.stdout and "not made yet" not in done.stdout
    assert "--tokenizer runs/r/t " in done.stdout
    assert [path.name for path in (empty / "runs" / "r").iterdir()] == ["run.mk"]


def test_commands_are_shown_on_demand(empty: Path) -> None:
    (empty / ".venv" / "bin").mkdir(parents=True)
    python = empty / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\necho what the stage says\n")
    python.chmod(0o755)
    words = ("fetch", "PROFILE=tiny", "RUN=r", "PIPELINE_LOCKED=yes")
    said = make(empty, *words).stdout.splitlines()[1:]
    assert said == ["what the stage says"]
    shown = make(empty, *words, "V=1").stdout.splitlines()[1:]
    assert shown[0].startswith(".venv/bin/python -m tools.stage --run runs/r --stage fetch -- ")
    assert shown[1:] == said


def test_given_records_take_the_place_of_our_own(empty: Path) -> None:
    (empty / "x.mindrecord").touch()
    ours, given = (
        make(empty, "-n", "convert", *words) for words in ((), ("RECORDS=x.mindrecord",))
    )
    assert ours.returncode == given.returncode == 0
    assert "convert records" in ours.stdout and "given-records" not in ours.stdout
    assert "convert records" not in given.stdout
    assert "given-records" in given.stdout and "--input 'x.mindrecord'" in given.stdout
    # What is held out is made all the same.
    assert "convert math" in given.stdout and "convert prompts" in given.stdout


def test_a_training_that_begins_with_an_adapter(empty: Path) -> None:
    """It is made again where the adapter is newer, and for nothing else that lies there."""
    first = empty / "first"
    (first / "adapters").mkdir(parents=True)
    (first / "adapters" / "5.ckpt").touch()
    words = ("PROFILE=tiny", "RUN=r", "PIPELINE_LOCKED=yes")
    done = make(empty, "-n", "finetune", *words, "INIT=first/")
    assert "--resume 'auto' --init 'first/'" in done.stdout and done.returncode == 0
    assert "--init" not in make(empty, "-n", "finetune", *words).stdout
    files = make(empty, "-p", "-n", "finetune", *words, "INIT=first/").stdout
    (rule,) = (line for line in files.splitlines() if line.startswith("runs/r/finetune/run.json:"))
    assert rule.split()[-1] == "first/adapters/5.ckpt"


@pytest.mark.parametrize("name", ["RECORDS", "INIT"])
def test_a_path_with_white_space_is_refused(empty: Path, name: str) -> None:
    done = make(empty, "finetune", f"{name}=a b")
    assert done.returncode == 2
    assert f"{name}: 'a b' has white space; move it" in done.stderr


def test_test_problems_are_asked_of_the_base_and_the_chosen_checkpoint(empty: Path) -> None:
    done = make(empty, "-n", "evaluate", "PROFILE=tiny", "RUN=r")
    asked = [line for line in done.stdout.splitlines() if "tools.generate" in line]
    found = {}
    for line in asked:
        (stage,) = re.findall(r"--stage (\S+)", line)
        found[stage] = re.findall(r"--prompts \S+/(\w+)\.jsonl", line)
    assert found == {
        "baseline": ["squad", "test"],
        "evaluate": ["squad", "valid"],
        "evaluate-test": ["test"],
    }
    (chosen,) = [line for line in asked if "--stage evaluate-test" in line]
    assert "runs/r/evaluate/best.json" in chosen and chosen.count("--model") == 1


def test_grading_needs_a_zip_and_takes_its_variables(empty: Path) -> None:
    (empty / ".venv").mkdir()
    (empty / ".venv" / "installed").touch()
    done = make(empty, "grade")
    assert done.returncode == 2
    assert "error: SUBMISSION: name the zip: make grade SUBMISSION=team.zip" in done.stderr
    done = make(empty, "-n", "grade", "SUBMISSION=my team.zip", "DEPTH=score", "GRADE=--seed 3")
    assert ".venv/bin/python -m tools.grade 'my team.zip' --depth 'score' --seed 3" in done.stdout


def test_the_doctor_comes_after_set_up(empty: Path) -> None:
    words = ("-n", "doctor", "PROFILE=tiny", "RUN=other", "CARDS=1")
    asked = "tools.doctor --profile 'tiny' --run 'runs/other' --cards '1'"
    done = make(empty, *words, "STACK=cpu")
    assert done.returncode == 0 and " -m venv " in done.stdout and asked in done.stdout
    (empty / ".venv").mkdir()
    (empty / ".venv" / "installed").touch()
    assert " -m venv " not in make(empty, *words).stdout


@pytest.fixture
def trained(empty: Path) -> Path:
    """Two runs, one trained and merged, one in the middle of its training; a submission."""
    for path, text in {
        "runs/a/finetune/loss.csv": "step,loss\n1,2.0\n2,1.5\n",
        "runs/a/merged/1/model.ckpt": "x",
        "runs/a/report/report.md": "x",
        "runs/b/finetune.work/loss.csv": "step,loss\n1,2.0\n",
        "submission/team/MANIFEST.json": "x",
        "submission/team.zip": "x",
    }.items():
        (empty / path).parent.mkdir(parents=True, exist_ok=True)
        (empty / path).write_text(text)
    return empty


def files(folder: Path) -> set:
    roots = (folder / "runs", folder / "submission")
    return {
        path.relative_to(folder).as_posix()
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(".j2")
    }


@pytest.mark.parametrize("target", ["clean", "distclean"])
def test_clean_keeps_what_takes_hours(trained: Path, target: str) -> None:
    (trained / "material" / "tiny").mkdir()
    # RUN of the environment names no run to be removed.
    environment = {**os.environ, "RUN": "a"}
    done = subprocess.run(["make", target], cwd=trained, env=environment, capture_output=True)
    assert done.returncode == 0
    assert files(trained) == {
        "runs/a/finetune/loss.csv",
        "runs/a/report/report.md",
        "runs/b/finetune.work/loss.csv",
        "submission/team.zip",
    }
    assert (trained / "material" / "embedded").is_dir()
    assert (trained / "material" / "tiny").is_dir() == (target == "clean")


def test_a_run_goes_by_its_name_and_is_told_first(trained: Path) -> None:
    done = make(trained, "clean", "RUN=a")
    assert done.returncode == 0
    assert re.match(r"removing runs/a: [0-9]+ MB, 2 losses of a training\n", done.stdout)
    assert {name.split("/")[1] for name in files(trained)} == {"b", "team", "team.zip"}


@pytest.mark.parametrize("name", ["", ".", "..", "../runs", "a/../b", "none"])
def test_what_is_no_runs_name_removes_nothing(trained: Path, name: str) -> None:
    before = files(trained)
    done = make(trained, "clean", f"RUN={name}")
    assert done.returncode == 2 and "error: RUN: " in done.stderr
    assert files(trained) == before


@pytest.fixture
def asked(empty: Path) -> Path:
    """A clone that is set up, in whose run two checkpoints are merged, and whose Python echoes."""
    (empty / ".venv" / "bin").mkdir(parents=True)
    (empty / ".venv" / "installed").touch()
    python = empty / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nfor word; do printf "[%s]" "$word"; done\n')
    python.chmod(0o755)
    for name in ("9", "10"):
        (empty / "runs" / "tiny-quick" / "merged" / name).mkdir(parents=True)
    (empty / "runs" / "tiny-quick" / "merged" / "done").touch()
    return empty


def test_the_chosen_checkpoint_is_asked_or_the_last(asked: Path) -> None:
    run = "runs/tiny-quick"
    done = make(asked, "ask", "PROFILE=tiny")
    assert done.stdout == f"[-m][tools.ask][--model][{run}/merged/10][--base][{run}/base]"
    (asked / run / "evaluate").mkdir()
    (asked / run / "evaluate" / "best.json").write_text('{\n  "checkpoint": 9,\n  "step": 8\n}\n')
    assert f"[--model][{run}/merged/9]" in make(asked, "ask", "PROFILE=tiny").stdout


@pytest.mark.parametrize(
    "text",
    ["计算 4204.22 + -2369.17 等于多少？", "", "-h", 'it\'s $5 `id` "x" $(shell touch made) #'],
)
def test_a_problem_is_passed_on_as_it_is_written(asked: Path, text: str) -> None:
    told = make(asked, "ask", "PROFILE=tiny", f"Q={text}").stdout
    assert told.endswith(f"[runs/tiny-quick/base][--][{text}]")
    environment = {**os.environ, "Q": text}
    words = ["make", "ask", "PROFILE=tiny"]
    done = subprocess.run(words, cwd=asked, capture_output=True, text=True, env=environment)
    assert done.stdout == told and not (asked / "made").exists()


def test_without_a_run_the_published_adapter_is_asked(empty: Path) -> None:
    plain = make(empty, "ask", "PROFILE=tiny")
    assert plain.returncode == 2 and not (empty / "runs").exists()
    said, *_ = plain.stderr.splitlines()
    assert said.startswith("error: runs/tiny-quick holds no merged model, and no adapter of tiny")
    assert "run 'make all'" in said
    folder = "material/embedded/adapters/smollm2-135m"
    (empty / folder).mkdir(parents=True, exist_ok=True)
    for name in ("run.json", "adapter_model.safetensors", "finetune.yaml"):
        (empty / folder / name).touch()
    done = make(empty, "-n", "ask", "Q=1", f"PYTHON_SYSTEM={sys.executable}")
    assert done.returncode == 0, done.stderr
    run = "runs/adapter-smollm2-135m"
    adapter = f"--adapters {folder} --config {folder}/finetune.yaml"
    assert f"{adapter} --output {run}/adapter/merged" in done.stdout
    last = done.stdout.replace("\\\n", "").splitlines()[-1]
    assert f"--model {run}/adapter/merged/1   --base {run}/base --trained {folder} " in last
    # Neither corpus nor records are made for it, and -n makes nothing.
    assert "convert weights" in done.stdout and "convert tokenizer" in done.stdout
    assert "convert math" not in done.stdout and "convert records" not in done.stdout
    assert "pip install" in done.stdout and not (empty / ".venv").exists()
    # A run that is named is meant.
    named = make(empty, "ask", "PROFILE=tiny", "RUN=mine")
    assert named.returncode == 2 and "error: runs/mine holds no merged model; run" in named.stderr


@pytest.fixture
def adapter(empty: Path) -> Path:
    folder = empty / "adapters" / "tiny-one"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{\n  "profile": "tiny",\n  "base": {}\n}\n')
    return folder


def test_a_published_adapter_is_measured_in_a_run_of_its_own(empty: Path, adapter: Path) -> None:
    for word, asked in (("", False), ("BASELINE=again", True)):
        done = make(empty, "-n", "evaluate", "ADAPTER=adapters/tiny-one/", *word.split())
        assert done.returncode == 0 and "tools.finetune" not in done.stdout
        (line,) = [line for line in done.stdout.splitlines() if "tools.publish" in line]
        assert "--base runs/adapter-tiny-one/base --output runs/adapter-tiny-one/adapter" in line
        assert ("--baseline" in line) == asked
        assert "--profile 'tiny'" in done.stdout and "--untrained" in done.stdout


@pytest.mark.parametrize(
    "words, fault",
    [
        (("evaluate", "ADAPTER=adapters"), "'adapters' holds no run.json"),
        (("evaluate", "ADAPTER=a b"), "'a b' has white space"),
        (("all", "ADAPTER=adapters/tiny-one"), "it goes with `make evaluate`"),
    ],
)
def test_what_is_no_published_adapter(empty: Path, adapter: Path, words, fault) -> None:
    done = make(empty, *words)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "*** ADAPTER: " in done.stderr and fault in done.stderr
