"""`python -m tools.generate`: files in, files out, resumed, skipped, and one line for a fault."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from byte_model import SHAPE, make_model
from click.testing import CliRunner

from tools.generate import main
from tools.llama.decoder import Decoder as RealDecoder
from tools.llama.shape import LlamaShape

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    {"id": f"q{i}", "kind": "add", "prompt": "1 + " * i + f"{i} =", "reference": str(i)}
    for i in range(7)
]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Models a/ and b/, prompts squad.jsonl (5 rows) and math.jsonl (7 rows)."""
    for seed, name in enumerate("ab"):
        make_model(tmp_path / name, seed)
    for name, count in (("squad", 5), ("math", 7)):
        text = "".join(json.dumps(row) + "\n" for row in ROWS[:count])
        (tmp_path / f"{name}.jsonl").write_text(text)
    return tmp_path


@pytest.fixture(autouse=True)
def compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One decoder for all tests: compiling its graphs would take most of their time."""
    from tools.llama import decoder

    monkeypatch.setattr(decoder, "Decoder", _decoder)


@functools.cache
def _decoder(shape: LlamaShape, places: int) -> Any:
    return RealDecoder(shape, places)


def run(work: Path, *options: Any) -> Any:
    given = [work / option[1:] if str(option).startswith("@") else option for option in options]
    return CliRunner().invoke(main, [str(option) for option in given])


def one(work: Path, *options: Any, output: str = "out/math.jsonl") -> Any:
    fixed = ["--model", "@a", "--prompts", "@math.jsonl", "--output", f"@{output}"]
    return run(work, *fixed, "--max-new-tokens", 6, "--batch-size", 3, *options)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_run_file_and_second_run(work: Path) -> None:
    result = one(work, "--min-new-tokens", 1)
    assert result.exit_code == 0, result.output
    output = work / "out" / "math.jsonl"
    rows = read(output)
    assert [{key: row[key] for key in ROWS[0]} for row in rows] == ROWS
    assert all(isinstance(row["prediction"], str) for row in rows)
    assert {path.name for path in output.parent.iterdir()} == {"math.jsonl", "math.run.json"}
    record = json.loads((output.parent / "math.run.json").read_text())
    assert record["rows"] == 7 and record["resumed_rows"] == 0
    assert record["settings"]["min_new_tokens"] == 1 and record["settings"]["max_new_tokens"] == 6
    assert sum(record["reasons"].values()) == 7 and record["new_tokens"] >= 7
    cut = sum(row.get("cut", False) for row in rows)
    assert cut == record["reasons"]["length"] > 0
    assert f" tokens, {cut} cut at 6 new tokens, " in result.output
    before = output.stat().st_mtime_ns
    again = one(work, "--min-new-tokens", 1)
    assert again.exit_code == 0 and "there already" in again.output
    assert output.stat().st_mtime_ns == before
    # Other settings are another result.
    assert "there already" not in one(work, "--min-new-tokens", 2).output


def test_resumed_after_a_kill(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.llama import predictions

    assert one(work, output="whole/math.jsonl").exit_code == 0
    add = predictions.Unfinished.add

    def add_and_die(self: Any, *row: Any) -> None:
        add(self, *row)
        if len(self.rows) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(predictions.Unfinished, "add", add_and_die)
        one(work)
    assert {path.name for path in (work / "out").iterdir()} == {"math.jsonl.partial"}
    with (work / "out" / "math.jsonl.partial").open("a") as handle:
        handle.write('{"index": 6, "tok')  # the line that the kill tore
    answered: list[int] = []
    monkeypatch.setattr(
        predictions.Unfinished, "add", lambda self, *row: (answered.append(row[0]), add(self, *row))
    )
    assert one(work).exit_code == 0
    assert len(answered) == 3
    whole, resumed = work / "whole", work / "out"
    assert (resumed / "math.jsonl").read_bytes() == (whole / "math.jsonl").read_bytes()
    assert json.loads((resumed / "math.run.json").read_text())["resumed_rows"] == 4
    assert {path.name for path in resumed.iterdir()} == {"math.jsonl", "math.run.json"}


def test_models_by_prompts(work: Path) -> None:
    files = ["--prompts", "@squad.jsonl", "--prompts", "@math.jsonl"]
    lengths = ["--max-new-tokens", "squad=2", "--max-new-tokens", "math=5"]
    both = run(work, "--model", "@a", "--model", "@b/", *files, *lengths, "--output-folder", "@e")
    assert both.exit_code == 0, both.output
    found = {path.relative_to(work / "e").as_posix() for path in (work / "e").rglob("*.jsonl")}
    assert found == {"a/squad.jsonl", "a/math.jsonl", "b/squad.jsonl", "b/math.jsonl"}
    assert (work / "e/a/math.jsonl").read_bytes() != (work / "e/b/math.jsonl").read_bytes()
    limits = {
        name: json.loads((work / f"e/b/{name}.run.json").read_text())["settings"]["max_new_tokens"]
        for name in ("squad", "math")
    }
    assert limits == {"squad": 2, "math": 5}
    # What the second model gave after the first is what it gives alone, by way of a config file.
    (work / "evaluation.json").write_text(
        json.dumps({"max_new_tokens": ["squad=2", "math=5"], "batch_size": 3, "min_new_tokens": 0})
    )
    alone = run(
        work, "--config", "@evaluation.json", "--model", "@b", *files, "--output-folder", "@f"
    )
    assert alone.exit_code == 0, alone.output
    for name in ("squad", "math"):
        assert read(work / f"f/{name}.jsonl") == read(work / f"e/b/{name}.jsonl")


def test_stop_texts_end_an_answer(work: Path) -> None:
    assert one(work, output="free/math.jsonl").exit_code == 0
    free = read(work / "free/math.jsonl")
    stop = next(row["prediction"][1] for row in free if len(row["prediction"]) > 2)
    assert one(work, "--stop", stop).exit_code == 0
    for row, before in zip(read(work / "out/math.jsonl"), free):
        assert row["prediction"] == before["prediction"].split(stop)[0]
    assert json.loads((work / "out/math.run.json").read_text())["reasons"]["stop"]


def test_bos_is_counted(work: Path) -> None:
    assert one(work, output="out/plain.jsonl").exit_code == 0
    assert one(work, "--add-bos", output="out/bos.jsonl").exit_code == 0
    plain, bos = (json.loads((work / f"out/{n}.run.json").read_text()) for n in ("plain", "bos"))
    assert bos["prompt_tokens"] == plain["prompt_tokens"] + 7


def test_faults_are_one_line(work: Path) -> None:
    def refused(result: Any, *parts: str) -> None:
        assert result.exit_code == 2, result.output
        lines = [line for line in result.output.splitlines() if line.startswith(("error", "Error"))]
        assert len(lines) == 1 and all(part in lines[0] for part in parts), result.output
        assert not list(work.rglob("*.partial"))

    refused(one(work, "--max-length", 20), "math.jsonl:4", "positions", "--max-length")
    refused(one(work, "--device", "Ascend", "--engine", "cached"), "--engine", "CPU alone")
    refused(one(work, "--max-new-tokens", "math=0"), "math=0")
    refused(one(work, "--max-new-tokens", "²"), "NAME=N")
    by_name = ["--max-new-tokens", "6", "--max-new-tokens", "valid=5"]
    refused(one(work, *by_name), "no prompts file is named valid.jsonl, those given are math")
    (work / "run.json").write_text(json.dumps({"max_new_tokens": ["squad=2", "valid=5"]}))
    by_config = ["--config", "@run.json", "--model", "@a", "--prompts", "@math.jsonl"]
    refused(run(work, *by_config, "--output", "@o"), "none is given for math.jsonl", "math=N")
    refused(run(work, "--model", "@c", "--prompts", "@math.jsonl", "--output", "@o"), "model.ckpt")
    refused(run(work, "--model", "@a", "--prompts", "@none", "--output", "@o"), "none")
    both = ["--model", "@a", "--model", "@b", "--prompts", "@math.jsonl"]
    refused(run(work, *both, "--output", "@o"), "--output-folder")
    refused(run(work, *both), "--output")
    twice = ["--model", "@a", "--prompts", "@math.jsonl", "--prompts", "@math.jsonl"]
    refused(run(work, *twice, "--output-folder", "@o"), "same name")
    (work / "a" / "model.ckpt").write_bytes(b"\x0a\xff\xff\x03abc")
    refused(one(work), "model.ckpt", "not a whole MindSpore checkpoint")
    (work / "a" / "tokenizer.json").unlink()
    refused(one(work), "tokenizer.json")


def test_a_foreign_tokenizer_is_refused(work: Path) -> None:
    shape = {**SHAPE.to_dict(), "vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2}
    (work / "a" / "model.json").write_text(json.dumps({**shape, "pad_token_id": 0}))
    result = one(work)
    assert result.exit_code == 2 and "outside the model's vocabulary" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from tools.generate import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('mindspore', 'numpy', 'tokenizers') if m in sys.modules])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Example:" in found.stdout and found.stdout.endswith("[]\n")
