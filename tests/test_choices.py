"""The command that makes a corpus of choice questions."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tools.convert import main
from tools.corpus.rows import read_rows
from tools.packaging.grading.choices import EMBEDDED


def invoke(*arguments):
    return CliRunner().invoke(main, ["choices", *map(str, arguments)])


def test_a_corpus_of_the_embedded_questions(tmp_path):
    folder = tmp_path / "corpus"
    result = invoke("--input", EMBEDDED, "--folder", folder, "--valid", 4, "--test", 24)
    assert result.exit_code == 0, result.output
    assert "76 train, 4 valid, 24 test, 104 rows read, 0 misfits, 4 subjects" in result.output
    names = {path.name for path in folder.iterdir()}
    assert names == {"train.jsonl", "valid.jsonl", "test.jsonl", "corpus.json"}


def test_settings_from_a_config_and_letters_with_their_options(tmp_path):
    config = tmp_path / "corpus.json"
    styles = {"choice": {"style": "option", "decimals": None, "significant": None}}
    told = {"train": 152, "valid": 4, "test": 24, "seed": 2, "repeat": 2, "styles": styles}
    config.write_text(json.dumps({**told, "weights": None, "recipe": "choices"}))
    result = invoke("--config", config, "--input", EMBEDDED, "--folder", tmp_path / "corpus")
    assert result.exit_code == 0, result.output
    rows = list(read_rows(tmp_path / "corpus/train.jsonl"))
    assert len(rows) == 152 and sum(row.id.endswith("#2") for row in rows) == 76
    for row in rows:
        stated = row.solution.removeprefix(f"The right option is {row.answer}.")
        assert f"\n{row.answer}.{stated}" in row.problem
    summary = json.loads((tmp_path / "corpus/corpus.json").read_text("utf-8"))
    assert {counts["style"] for counts in summary["kinds"].values()} == {"option"}


@pytest.mark.parametrize(
    "more, fault",
    [
        (["--test", 99], "rows"),
        (["--styles", "choice=schoolbook"], "no style 'schoolbook' for choice"),
        (["--strict", "--input", "nowhere"], "does not exist"),
    ],
)
def test_faults_are_one_line_and_leave_nothing(tmp_path, more, fault):
    result = invoke("--input", EMBEDDED, "--folder", tmp_path / "corpus", *more)
    assert result.exit_code == 2 and fault in result.output, result.output
    assert [*tmp_path.rglob("*.json*")] == []
