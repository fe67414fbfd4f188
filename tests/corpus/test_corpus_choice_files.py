"""Reads CSV files in the layouts of MMLU and CMMLU, from folders and archives, hostile ones too."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.corpus.build import Plan, build_corpus
from tools.corpus.choice_files import read_choices
from tools.corpus.choices import LETTERS, ChoiceEntry, identity_text, parse_question
from tools.corpus.rows import Misfit, read_rows
from tools.files.errors import UserError

MMLU = 'What is 2+2?,3,4,5,6,B\n"A ""q"",\nin two lines?",a,"b,c",d,e,C\n'
CMMLU = "\ufeff,Question,A,B,C,D,Answer\r\n0,下渗率总是？,甲,乙,丙,丁,A\r\n"
FILES = {
    "data/dev/high_school_physics_dev.csv": MMLU,
    "data/test/anatomy_test.csv": "Q?,1,2,3,4,D\n",
    "data/auxiliary_train/arc_easy.csv": "not,read\n",
    "data/README.txt": "not read",
    "cmmlu/test/anatomy.csv": CMMLU,
}


def folder(path: Path, files) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (path / name).write_bytes(data)
    return path


def zipped(path: Path, files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def tarred(path: Path, files) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode("utf-8"))
            archive.addfile(info, io.BytesIO(text.encode("utf-8")))
    return path


def test_both_layouts_from_a_folder_a_zip_and_a_tar(tmp_path):
    sources = [
        folder(tmp_path / "all", FILES),
        zipped(tmp_path / "all.zip", FILES),
        tarred(tmp_path / "all.tar", FILES),
    ]
    found = [list(read_choices([source], strict=True)) for source in sources]
    assert found[0] == found[1] == found[2]
    rows = [entry.row for entry in found[0]]
    assert [row.id for row in rows] == [
        "cmmlu.anatomy-1",
        "mmlu.high_school_physics-1",
        "mmlu.high_school_physics-2",
        "mmlu.anatomy-1",
    ]
    assert [row.answer for row in rows] == ["A", "B", "C", "D"]
    assert rows[2].solution == "The right option is C."
    asked = parse_question(rows[2].problem)
    assert asked.question == 'A "q",\nin two lines?'
    assert asked.options == ("a", "b,c", "d", "e")
    assert asked.subject == "high school physics"
    assert parse_question(rows[0].problem).options == ("甲", "乙", "丙", "丁")


def test_numbers_go_on_over_splits_and_sources(tmp_path):
    splits = {f"{name}/a_{name}.csv": f"{name}?,1,2,3,4,A\n" for name in ("dev", "val")}
    one = folder(tmp_path / "1", splits)
    two = folder(tmp_path / "2", {"test/a_test.csv": "R?,1,2,3,4,A\n"})
    ids = [entry.row.id for entry in read_choices([one, two])]
    assert ids == ["mmlu.a-1", "mmlu.a-2", "mmlu.a-3"]


@pytest.mark.parametrize(
    "line, reason",
    [
        (",1,2,3,4,A", "Question is empty"),
        ("Q?,1,2,3, ,A", "D is empty"),
        ("Q?,1,2,3,4,E", "no letter from A to D"),
        ("Q?,1,2,3,4,a", "no letter from A to D"),
        ("Q?,1,2,3,4,AB", "no letter from A to D"),
        ("Q?,1,2,3,4,", "Answer is empty"),
        ('Q?,1,2,3,"4\nD.5",A', "looks like an option"),
    ],
)
def test_misfits(tmp_path, line, reason):
    source = folder(tmp_path, {"test/a_test.csv": f"P?,1,2,3,4,A\n{line}\n"})
    good, bad = read_choices([source])
    assert isinstance(good, ChoiceEntry) and isinstance(bad, Misfit)
    assert reason in bad.reason and bad.where == f"{source / 'test/a_test.csv'}:2"
    with pytest.raises(UserError) as caught:
        list(read_choices([source], strict=True))
    assert str(caught.value.where).endswith("a_test.csv:2")


@pytest.mark.parametrize(
    "name, content, where, what",
    [
        ("a_test.csv", "P?,1,2,3,4,A\nQ?,1,2,3,A\n", "a_test.csv:2", "5 columns, not 6"),
        ("a_test.csv", 'P?,1,2,3,"4\n5",A\n\nQ?,1\n', "a_test.csv:4", "2 columns, not 6"),
        ("a.csv", f"{CMMLU}1,Q?,1,2,3,4,A,B\n", "a.csv:3", "8 columns, not 7"),
        ("a_test.csv", 'P?,1,2,3,4,A\n"Q?,1,2,3,4,A\n', "a_test.csv:2", "columns, not 6"),
        ("a_test.csv", b"P?,1,2,3,4,A\nQ\xff?,1,2,3,4,A\n", "a_test.csv:2", "not UTF-8"),
        ("a_test.csv", "", "a_test.csv", "is empty"),
        ("a_test.csv", "x" * 200_000, "a_test.csv:1", "not CSV"),
        ("A B_test.csv", "P?,1,2,3,4,A\n", "A B_test.csv", "is no subject"),
        (f"{'a' * 60}_test.csv", "P?,1,2,3,4,A\n", "_test.csv", "is no subject"),
    ],
)
def test_faults_name_file_and_line(tmp_path, name, content, where, what):
    source = folder(tmp_path, {f"test/{name}": content})
    with pytest.raises(UserError) as caught:
        list(read_choices([source]))
    assert what in caught.value.what
    assert str(caught.value.where).endswith(where)


def test_nothing_to_read(tmp_path):
    for source in (folder(tmp_path / "a", {"x/a.csv": MMLU}), zipped(tmp_path / "a.zip", {})):
        with pytest.raises(UserError, match="no CSV file"):
            list(read_choices([source]))


def test_damaged_and_hostile_archives(tmp_path):
    garbage = tmp_path / "garbage.zip"
    garbage.write_bytes(b"PK\x03\x04" + bytes(100))
    outside = zipped(tmp_path / "outside.zip", {"../test/a_test.csv": MMLU})
    link = tmp_path / "link.tar"
    with tarfile.open(link, "w") as archive:
        info = tarfile.TarInfo("test/a_test.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    for path, what in ((garbage, "damaged"), (outside, "leads out"), (link, "a link")):
        with pytest.raises(UserError, match=what):
            list(read_choices([path]))


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8"), max_size=8)] * 6), min_size=1, max_size=5
    )
)
def test_any_csv_gives_entries_misfits_or_one_line(tmp_path_factory, rows):
    import csv

    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    source = folder(tmp_path_factory.mktemp("any"), {"test/a_test.csv": text.getvalue()})
    try:
        found = list(read_choices([source]))
    except UserError as error:
        assert "a_test.csv" in str(error)
        return
    for result in found:
        if isinstance(result, ChoiceEntry):
            assert parse_question(result.row.problem) == result.question
            assert result.row.answer in LETTERS


def test_corpus_holds_questions_apart_and_drops_duplicates(tmp_path):
    lines = [f"Question {n}?,{n},b{n},c,d,{LETTERS[n % 4]}" for n in range(40)]
    again = [f"question {n}?,c,{n},b{n},d,A" for n in range(5)]  # the same, in another order
    files = {"test/a_test.csv": lines[:30], "test/b_test.csv": [*lines[30:], *again]}
    source = folder(tmp_path / "in", {name: "\n".join(part) for name, part in files.items()})
    plan = Plan(train=20, valid=4, test=10, seed=3)
    summary = build_corpus(tmp_path / "out", [source], plan, read=read_choices)
    assert (summary["rows"], summary["unique"], summary["duplicates"]) == (45, 40, 5)
    assert summary["source"] == "in"
    assert set(summary["kinds"]) == {"mmlu.a", "mmlu.b"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "corpus.json",
        "train.jsonl",
        "valid.jsonl",
        "test.jsonl",
    }
    asked = {
        name: [parse_question(row.problem) for row in read_rows(tmp_path / f"out/{name}.jsonl")]
        for name in ("train", "valid", "test")
    }
    sizes = {name: len(questions) for name, questions in asked.items()}
    assert sizes == {"train": 20, "valid": 4, "test": 10}
    everything = [identity_text(one) for questions in asked.values() for one in questions]
    assert len(set(everything)) == len(everything)
    # Subjects in proportion: 30 of 40 questions are of the first.
    assert summary["kinds"]["mmlu.a"]["test"] in (7, 8)


def test_more_rows_than_questions_come_in_other_orders(tmp_path):
    lines = "".join(f"Question {n}?,a,b,c,d,A\n" for n in range(8))
    source = folder(tmp_path / "in", {"test/a_test.csv": lines})
    plan = Plan(train=18, valid=0, test=2, repeat=3)
    summary = build_corpus(tmp_path / "out", [source], plan, read=read_choices)
    rows = list(read_rows(tmp_path / "out" / "train.jsonl"))
    assert len(rows) == 18 and summary["repeated"] == 12
    assert len({row.problem for row in rows}) == 18
    assert {parse_question(row.problem).options[LETTERS.index(row.answer)] for row in rows} == {"a"}
