"""tools.check as a command: both verdicts of each subcommand, and the exit codes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools import check
from tools.corpus.build import Plan, build_corpus
from tools.corpus.train_json import convert_rows
from tools.corpus.worked.styles import read_styles
from tools.packaging import inspection

ROOT = Path(__file__).resolve().parents[1]
MULTIPLY = {"multiply": {"style": "schoolbook", "decimals": 4, "significant": None}}


def invoke(*words: object):
    return CliRunner().invoke(check.main, [str(word) for word in words])


def test_good_configs() -> None:
    path = ROOT / "configs/tiny/finetune.yaml"
    result = invoke("configs", path)
    assert (result.exit_code, result.output) == (0, "1 file checked\n")
    assert invoke("configs", path, ROOT / "configs/contest.yaml").output == "2 files checked\n"


def test_bad_configs(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\na: 2\nb: /home/me\n")
    result = invoke("configs", path)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{path}:2: a key stands twice: 'a' in line 2; take one of the two out",
        f"{path}:3: absolute path /home/me: it exists on one machine only; write a relative one",
        "2 faults",
    ]
    assert result.stdout == ""
    missing = invoke("configs", tmp_path / "none.yaml")
    assert missing.exit_code == 2
    assert "none.yaml: no YAML file; name a config" in missing.output


@pytest.mark.parametrize(("faults", "code"), [([], 0), (["a: missing"], 1)])
def test_submissions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faults: list, code: int):
    monkeypatch.setattr(inspection, "check_contents", lambda opened: faults)
    result = invoke("submission", tmp_path)
    assert result.exit_code == code
    assert result.stderr.splitlines() == [*faults, "1 fault"][: 2 * len(faults)]
    assert ("complete" in result.stdout) == (code == 0)


def test_what_is_no_submission(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"no zip")
    result = invoke("submission", path)
    assert result.exit_code == 2
    assert result.output == f"error: {path}: neither a folder nor a zip; name TEAM.zip\n"
    assert invoke("submission", tmp_path / "none").exit_code == 2


@pytest.mark.parametrize("script", ["check", "report", "stage", "submit"])
def test_help_loads_nothing_heavy(script: str) -> None:
    code = (
        f"import sys, tools.{script}\n"
        "heavy = {'mindspore', 'numpy', 'yaml', 'pydantic', 'jinja2', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n")
    runner = CliRunner()
    module = __import__(f"tools.{script}", fromlist=["main"])
    assert "Example:" in runner.invoke(module.main, ["--help"]).output


def test_corpora(tmp_path: Path) -> None:
    plan = Plan(60, 4, 4, styles=read_styles(MULTIPLY, "test"))
    build_corpus(tmp_path, None, plan)
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    result = invoke("corpus", train, test)
    assert (result.exit_code, result.stdout) == (0, "64 rows recomputed\n")
    lines = train.read_text("utf-8").splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if '"multiply"' in line)
    lines[at] = lines[at].replace("#### ", "#### 1")
    train.write_text("".join(lines), "utf-8")
    result = invoke("corpus", train, test)
    assert result.exit_code == 1 and result.stdout == ""
    first, count = result.stderr.splitlines()
    assert first.startswith(f"{train}, row multiply-") and "the answer must be" in first
    assert count == "1 fault"
    train.write_text("{}\n")
    assert invoke("corpus", train).exit_code == 2
    (tmp_path / "corpus.json").unlink()
    assert "corpus.json" in invoke("corpus", test).output


def test_rows_without_a_summary(tmp_path: Path) -> None:
    source, rows = tmp_path / "train.json", tmp_path / "rows.jsonl"
    source.write_text(
        '{"problem": "计算 12.34 * 5.60 等于多少？", "solution": "12.34 * 5.60 = 69.1040"}\n'
        '{"problem": "What is $1+1$?", "solution": "$\\\\boxed{2}$"}\n',
        "utf-8",
    )
    styles = {**MULTIPLY, "english": {"style": "answer", "decimals": None, "significant": None}}
    convert_rows(source, rows, styles=read_styles(styles, "test"))
    words = ("corpus", rows, "--styles")
    result = invoke(*words, "multiply=schoolbook:4,english=answer")
    assert (result.exit_code, result.stdout) == (0, "2 rows recomputed\n"), result.output
    # To another number of decimals, the answer is another.
    result = invoke(*words, "multiply=schoolbook:2,english=answer")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{rows}, row multiply-1: solution, line 7: the answer must be 69.1",
        "1 fault",
    ]
    assert invoke(*words, "multiply=cubist:4").exit_code == 2
    assert invoke("corpus", rows).exit_code == 2  # nothing says how it was made


def test_a_stack_is_forced(tmp_path: Path) -> None:
    """A callback of the contest's release: a fault under the other, where that is asked for."""
    path = tmp_path / "finetune.yaml"
    text = (ROOT / "configs/llama3-8b/contest/finetune-4x32.yaml").read_text("utf-8")
    path.write_text(text, "utf-8")
    for options, code in (((), 0), (("--stack", "contest"), 0), (("--stack", "pypi"), 1)):
        result = invoke("configs", *options, path)
        assert result.exit_code == code
        assert ("'CheckpointMointor' is unknown to MindFormers" in result.output) == code
    assert invoke("configs", "--stack", "other", path).exit_code == 2


def test_splits_that_share_a_problem(tmp_path: Path) -> None:
    """In other words, too: operands in another order are the same problem."""
    build_corpus(tmp_path, None, Plan(60, 14, 14))
    names = [tmp_path / f"{name}.jsonl" for name in ("train", "valid", "test")]
    assert invoke("corpus", *names).exit_code == 0
    train, _, test = names
    lines = test.read_text("utf-8").splitlines()
    at = next(at for at, line in enumerate(lines) if '"add"' in line)
    row = json.loads(lines[at])
    a, b = re.findall(r"-?\d+\.\d+", row["problem"])[:2]
    turned = {**row, "id": "add-turned", "problem": f"计算 {b} + {a} 等于多少？"}
    with train.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(turned) + "\n")
    result = invoke("corpus", *names)
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [f"{test}:{at + 1}: its problem stands in {train}:61 too; take it out of one", "1 fault"],
    )
    # Within one split a problem may be repeated, and another folder is another corpus.
    assert invoke("corpus", train).exit_code == 0
    (tmp_path / "other").mkdir()
    for name in ("test.jsonl", "corpus.json"):
        shutil.copy(tmp_path / name, tmp_path / "other")
    assert invoke("corpus", train, tmp_path / "other" / "test.jsonl").exit_code == 0
