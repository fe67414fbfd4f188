"""MindRecord files: what is read back is what was laid out, every row once and in order."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.corpus.rows import write_rows
from tools.files.errors import UserError
from tools.records import mindrecord
from tools.records.examples import encode_examples, fits, layout
from tools.records.mindrecord import RecordSettings, write_records
from tools.records.prompts import render_answer, render_prompt
from tools.records.tokenizers import SpecialIds, open_tokenizer


def read(path):
    from mindspore.mindrecord import FileReader

    reader = FileReader(str(path))
    found = list(reader.get_next())
    reader.close()
    return [np.stack([item[name] for item in found]) for name in ("input_ids", "labels")]


def examples_of(rows, tokenizer, frame="alpaca"):
    prompts = [render_prompt(frame, row.problem) for row in rows]
    return encode_examples(prompts, [render_answer(frame, r.solution) for r in rows], tokenizer)


def test_round_trip_in_order_over_several_batches(
    rows, rows_file, sentencepiece_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(mindrecord, "_BATCH_ROWS", 7)
    folder = tmp_path / "a folder 文"
    output = folder / "train.mindrecord"
    tokenizer = open_tokenizer(sentencepiece_file)
    examples = examples_of(rows, tokenizer)
    length = sorted(e.size for e in examples)[-5] - 1  # the four longest are one too long or more
    summary = write_records(rows_file, sentencepiece_file, output, RecordSettings(length))
    kept = [e for e in examples if fits(e, length)]
    assert 0 < len(kept) < len(rows)
    for found, expected in zip(read(output), layout(kept, length, tokenizer.pad_id)):
        assert found.dtype == np.int32
        assert np.array_equal(found, expected)
    assert summary == json.loads((folder / "train.mindrecord.json").read_text("utf-8"))
    tokens = sum(e.size for e in kept)
    assert summary["rows"] == len(kept)
    assert summary["left_out"] == len(rows) - len(kept)
    assert summary["longest"] == max(e.size for e in examples)
    assert summary["tokens"] == tokens
    assert summary["used"] == round(tokens / (len(kept) * (length + 1)), 6)
    assert summary["tokenizer"]["kind"] == "sentencepiece"
    assert (summary["tokenizer"]["eos"], summary["tokenizer"]["pad"]) == (2, 3)
    assert sorted(p.name for p in folder.iterdir()) == [
        f"train.mindrecord{suffix}" for suffix in ("", ".db", ".json")
    ]
    # MindFormers reads through MindDataset, which opens the .db by the name of the file.
    from mindspore.dataset import MindDataset

    dataset = MindDataset(str(output), columns_list=["input_ids", "labels"], shuffle=False)
    assert dataset.get_dataset_size() == len(kept)


def test_the_same_input_gives_the_same_bytes(rows_file, tiktoken_file, tmp_path):
    outputs = [tmp_path / name / "x.mindrecord" for name in "ab"]
    for output in outputs:
        write_records(rows_file, tiktoken_file, output, RecordSettings(600))
    for suffix in ("", ".db", ".json"):
        contents = [output.with_name(output.name + suffix).read_bytes() for output in outputs]
        assert contents[0] == contents[1]


def test_ids_come_from_the_model(rows_file, smollm2_file, tmp_path):
    model = tmp_path / "model.json"
    config = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "vocab_size": 49152}
    model.write_text(json.dumps(config))
    output = tmp_path / "x.mindrecord"
    settings = RecordSettings(800, "smollm2", model=model)
    write_records(rows_file, smollm2_file, output, settings)
    ids, _ = read(output)
    assert ids[0, 0] == 1  # <|im_start|>
    assert ids[0, -1] == 2
    # Given ids go before the model's.
    settings = settings._replace(ids=SpecialIds(pad=0))
    summary = write_records(rows_file, smollm2_file, output, settings)
    assert summary["tokenizer"]["pad"] == 0
    assert read(output)[0][0, -1] == 0
    with pytest.raises(UserError, match="give --eos-id"):
        write_records(rows_file, smollm2_file, output, RecordSettings(800))


@pytest.fixture
def old(rows_file, sentencepiece_file, tmp_path):
    """A finished output, which nothing that fails may touch."""
    output = tmp_path / "out" / "x.mindrecord"
    write_records(rows_file, sentencepiece_file, output, RecordSettings(700))
    return output


def test_failures_leave_the_old_output(old, rows, sentencepiece_file, tmp_path):
    before = {path.name: path.read_bytes() for path in old.parent.iterdir()}
    good = tmp_path / "rows.jsonl"
    write_rows(good, rows)
    broken = tmp_path / "broken.jsonl"
    broken.write_text(good.read_text("utf-8") + "{\n", encoding="utf-8")
    control = tmp_path / "control.jsonl"
    write_rows(control, [*rows, rows[0]._replace(solution="1<|eot_id|>")])
    for source, settings, fault in [
        (broken, RecordSettings(700), rf"broken\.jsonl:{len(rows) + 1}: not valid JSON"),
        (control, RecordSettings(700), "control token"),
        (good, RecordSettings(5), "none of its 43 rows fits into 5 tokens"),
        (good, RecordSettings(60, strict=True), "tokens, 61 fit; choose a greater"),
        (good, RecordSettings(0), "--seq-length: 0 is no length"),
        (good, RecordSettings(700, frame="squad"), "'squad' is unknown"),
    ]:
        with pytest.raises(UserError, match=fault):
            write_records(source, sentencepiece_file, old, settings)
        assert {path.name: path.read_bytes() for path in old.parent.iterdir()} == before


def test_an_error_of_mindspore_is_one_line(rows_file, sentencepiece_file, tmp_path, monkeypatch):
    from mindspore.mindrecord import FileWriter

    def fail(self, *args, **kwargs):
        raise RuntimeError("no space\n  on device")

    monkeypatch.setattr(FileWriter, "write_raw_data", fail)
    with pytest.raises(UserError, match=r"x\.mindrecord: MindSpore could not .*no space on device"):
        write_records(rows_file, sentencepiece_file, tmp_path / "x.mindrecord", RecordSettings(700))
    assert list(tmp_path.iterdir()) == []
