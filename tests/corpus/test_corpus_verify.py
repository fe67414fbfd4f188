"""A corpus on disk recomputed, both verdicts; the styles come from the corpus.json beside it."""

from __future__ import annotations

import json

import pytest

from tools.corpus.build import Plan, build_corpus
from tools.corpus.grammar import Rounding
from tools.corpus.rows import Row, read_rows
from tools.corpus.verify import faults_of, recorded_styles, verify_block, verify_rows
from tools.corpus.worked.styles import Style, read_styles
from tools.files.errors import UserError
from tools.files.json_lines import read_blocks

STYLES = {
    "multiply": {"style": "schoolbook", "decimals": 4, "significant": None},
    "divide": {"style": "columns", "decimals": 2, "significant": None},
    "function": {"style": "schoolbook", "decimals": None, "significant": 5},
    "add": {"style": "source", "decimals": None, "significant": None},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus(folder, None, Plan(300, 20, 20, styles=read_styles(STYLES, "test")))
    return folder


def test_a_whole_corpus_holds(corpus):
    choices = recorded_styles(corpus / "corpus.json")
    assert choices == read_styles(STYLES, "test")
    for name, count in (("train", 300), ("valid", 20), ("test", 20)):
        found = list(verify_rows(corpus / f"{name}.jsonl", choices))
        assert sum(rows for rows, _ in found) == count
        assert not [fault for _, faults in found for fault in faults]


def test_a_changed_digit_is_named_by_row_and_line(corpus, tmp_path):
    rows = list(read_rows(corpus / "train.jsonl"))
    index = next(at for at, row in enumerate(rows) if row.kind == "divide")
    rows[index] = rows[index]._replace(solution=f"{rows[index].solution}1")
    path = tmp_path / "x.jsonl"
    path.write_text("".join(row.to_line() for row in rows), "utf-8")
    (block,) = read_blocks(path)
    count, faults = verify_block(block, path, read_styles(STYLES, "test"))
    last = rows[index].solution.count("\n") + 1
    assert count == 300 and len(faults) == 1
    start = f"{path}, row {rows[index].id}: solution, line {last}: the answer must be "
    assert faults[0].startswith(start)


ROW = Row("add-1", "add", "计算 1.50 + 2.25 等于多少？", "1.50 + 2.25 = 3.75", "3.75")


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({}, None),
        ({"answer": "3.8"}, "its answer must be 3.75, not 3.8"),
        ({"kind": "subtract"}, "its problem is of kind add, not subtract"),
        ({"problem": "多少？"}, "its problem cannot be read"),
        # The source's own words are not recomputed, only the answer is.
        ({"solution": "so it is"}, None),
        ({"kind": "english", "problem": "What is 1?", "answer": "2"}, None),
    ],
)
def test_rows_in_the_source_s_words(changed, reason):
    faults = faults_of(ROW._replace(**changed), {})
    assert (reason is None and not faults) or reason in faults[0]


def test_an_english_row_is_held_against_its_box():
    choices = {"english": Style("direct", Rounding())}
    row = Row("english-1", "english", "What is $1+1$?", "It is \\boxed{2}.\n#### 2", "2")
    assert not faults_of(row, choices)
    assert faults_of(row._replace(answer="3"), choices)


@pytest.mark.parametrize(
    "summary",
    [
        "",
        "{}",
        '{"styles": 3}',
        '{"styles": {"add": 1}}',
        '{"styles": {"add": {"style": "answer", "decimals": "x", "significant": null}}}',
        '{"styles": {"add": {"style": "answer", "decimals": 99999, "significant": null}}}',
    ],
)
def test_a_summary_that_does_not_say(tmp_path, summary):
    (tmp_path / "corpus.json").write_text(summary)
    with pytest.raises(UserError, match="does not say how its solutions are worked out"):
        recorded_styles(tmp_path / "corpus.json")


def test_the_summary_says_it_as_the_config_does(corpus):
    assert json.loads((corpus / "corpus.json").read_text("utf-8"))["styles"] == STYLES
