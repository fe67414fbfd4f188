"""`make finetune RECORDS=…`: a MindRecord of the organisers' flow trains as it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from pipeline_make import checkout, make

from tools.packaging.grading.grader import Request, grade
from tools.records.conversation_records import write_conversation_records
from tools.records.conversations import write_conversations
from tools.records.writer import FIELDS

pytestmark = pytest.mark.slow

NAME = "train-fastchat192.mindrecord"


def row_by_row(source: Path, target: Path) -> None:
    """The rows written anew as the organisers' script does: one at a time, of open length."""
    from mindspore.dataset import MindDataset
    from mindspore.mindrecord import FileWriter

    target.parent.mkdir()
    rows = MindDataset(str(source), columns_list=list(FIELDS), shuffle=False)
    writer = FileWriter(str(target), shard_num=1)
    column = {"type": "int32", "shape": [-1]}
    writer.add_schema(dict.fromkeys(FIELDS, column), "qa")
    for row in rows.create_dict_iterator(num_epochs=1, output_numpy=True):
        writer.write_raw_data([row])
    writer.commit()


def test_from_conversations_to_a_verdict(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    run, given = project / "runs" / "given", tmp_path / "given" / NAME
    done = make(project, "convert", "RUN=given", "CARDS=1")
    assert done.returncode == 0, done.stderr[-3000:]
    write_conversations(run / "corpus" / "train.jsonl", tmp_path / "c.json", "none")
    own = tmp_path / "own" / NAME
    made = write_conversation_records(
        tmp_path / "c.json", run / "base" / "tokenizer.model", own, 192
    )
    assert (made["rows"], made["cut"], made["masked"]) == (168, 0, 0)
    row_by_row(own, given)

    words = ("RUN=given", "CARDS=1", f"RECORDS={given}")
    done = make(project, "submit", "TEAM=given", *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    copy = run / "records" / "given" / NAME
    assert (run / "records" / "train.mindrecord").resolve() == copy
    assert copy.read_bytes() == given.read_bytes()
    steps = json.loads((run / "finetune" / "run.json").read_text("utf-8"))["steps"]
    assert steps == 168 // 4
    with (run / "finetune" / "loss.csv").open() as handle:
        losses = [float(row["loss"]) for row in csv.DictReader(handle)]
    assert len(losses) == steps and sum(losses[-5:]) < sum(losses[:5])
    assert NAME in (run / "report" / "report.md").read_text("utf-8")

    done = make(project, "-q", "evaluate", *words, "PIPELINE_LOCKED=yes")
    assert done.returncode == 0, "a second make would do something"
    verdict = grade(Request(project / "submission" / "given.zip", tmp_path / "verdict"))
    assert verdict.passed
    assert [NAME in note for note in verdict.notes] == [True]
