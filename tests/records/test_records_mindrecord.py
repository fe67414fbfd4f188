"""MindRecord files: what is read back is what was laid out, every row once and in order."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from records_rows import write_rows

from tools.corpus.kinds import ENGLISH
from tools.files import json_lines
from tools.files.errors import UserError
from tools.records import encoding
from tools.records.examples import IGNORED, encode_examples, layout
from tools.records.mindrecord import READING, RecordSettings, write_records
from tools.records.prompts import render_answer, render_prompt
from tools.records.reading import read_questions
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
    monkeypatch.setattr(json_lines, "_BLOCK_ROWS", 7)
    folder = tmp_path / "a folder 文"
    output = folder / "train.mindrecord"
    tokenizer = open_tokenizer(sentencepiece_file)
    examples = examples_of(rows, tokenizer)
    length = int(sorted(examples.sizes)[-5]) - 1  # the four longest are one too long or more
    summary = write_records(rows_file, sentencepiece_file, output, RecordSettings(length))
    kept = examples.take(np.flatnonzero(examples.sizes <= length + 1))
    assert 0 < len(kept.sizes) < len(rows)
    for found, expected in zip(read(output), layout(kept, length, tokenizer.pad_id)):
        assert found.dtype == np.int32
        assert np.array_equal(found, expected)
    assert summary == json.loads((folder / "train.mindrecord.json").read_text("utf-8"))
    count = len(kept.sizes)
    assert summary["rows"] == summary["examples"] == count
    assert summary["left_out"] == len(rows) - count
    assert summary["longest"] == max(examples.sizes) == summary["lengths"]["all"]["max"]
    assert summary["tokens"] == sum(kept.sizes)
    assert summary["answer_tokens"] == sum(kept.answers)
    assert summary["most_labels"] == max(kept.answers)
    assert summary["used"] == round(sum(kept.sizes) / (count * (length + 1)), 6)
    assert summary["lengths"]["all"]["count"] == len(rows)
    assert summary["over"]["all"] == round((len(rows) - count) / len(rows), 6)
    assert summary["pack"] is False
    assert summary["tokenizer"]["kind"] == "sentencepiece"
    assert (summary["tokenizer"]["eos"], summary["tokenizer"]["pad"]) == (2, 3)
    assert sorted(p.name for p in folder.iterdir()) == [
        f"train.mindrecord{suffix}" for suffix in ("", ".db", ".json")
    ]
    # MindFormers reads through MindDataset, which opens the .db by the name of the file.
    from mindspore.dataset import MindDataset

    dataset = MindDataset(str(output), columns_list=["input_ids", "labels"], shuffle=False)
    assert dataset.get_dataset_size() == count


def test_reading_questions_stand_behind_the_rows(rows, rows_file, sentencepiece_file, tmp_path):
    """Each copy has every question of the four titles that are for training, and none asked."""
    output = tmp_path / "x.mindrecord"
    summary = write_records(rows_file, sentencepiece_file, output, RecordSettings(700, reading=2))
    asked = {item.id for item in read_questions(READING.with_name("reading.json"))}
    questions = list(read_questions(READING, every=True))
    assert len(questions) == 48 and not asked & {item.id for item in questions}
    assert summary["examples"] == len(rows) + 2 * 48
    assert summary["lengths"]["reading"]["count"] == 2 * 48
    tokenizer = open_tokenizer(sentencepiece_file)
    prompts = [render_prompt("squad", item.passage, item.question) for item in questions]
    answers = [render_answer("squad", item.answers[0]) for item in questions]
    expected = layout(encode_examples(prompts, answers, tokenizer), 700, tokenizer.pad_id)
    for found, wanted in zip(read(output), expected):
        for copy in (found[len(rows) : -48], found[-48:]):
            assert np.array_equal(copy, wanted)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("about: x\nstyles:\n  add: {style: source}\n  function: {style: source}\n")
    return path


def test_what_our_writer_worked_out_must_fit_a_row(
    rows, rows_file, sentencepiece_file, tmp_path, recipe
):
    tokenizer, folder = open_tokenizer(sentencepiece_file), tmp_path / "records"
    sizes = examples_of(rows, tokenizer).sizes
    ours = int(max(size for row, size in zip(rows, sizes) if row.kind != ENGLISH))
    longest = next(row for row, size in zip(rows, sizes) if size == ours)
    output = folder / "x.mindrecord"
    with pytest.raises(UserError) as caught:
        settings = RecordSettings(ours - 2, recipe=recipe)
        write_records(rows_file, sentencepiece_file, output, settings)
    # At the line of the kind's style, or where there is none of the styles.
    line = {"add": 3, "function": 4}.get(longest.kind, 2)
    assert caught.value.where == f"{recipe}:{line}"
    fault = f"{longest.kind}: a prompt with its solution takes {ours} tokens, {ours - 1} fit"
    assert caught.value.what == fault and "raise seq_length of own" in caught.value.remedy
    assert list(folder.iterdir()) == []
    write_records(rows_file, sentencepiece_file, output, RecordSettings(ours - 1, recipe=recipe))
    assert output.is_file()


def test_what_our_writer_worked_out_must_fit_the_answer(
    rows, rows_file, sentencepiece_file, tmp_path, recipe
):
    tokenizer, folder = open_tokenizer(sentencepiece_file), tmp_path / "records"
    answers = examples_of(rows, tokenizer).answers - 1
    ours = max(size for row, size in zip(rows, answers) if row.kind != ENGLISH)
    settings = RecordSettings(512, recipe=recipe, most_new=int(ours))
    write_records(rows_file, sentencepiece_file, folder / "x.mindrecord", settings)
    settings = settings._replace(most_new=int(ours) - 1)
    with pytest.raises(
        UserError, match=f"a solution takes {ours} tokens, {ours - 1} fit; raise max_n"
    ):
        write_records(rows_file, sentencepiece_file, folder / "y.mindrecord", settings)
    assert not (folder / "y.mindrecord").exists()


def test_english_rows_may_be_too_long(rows, sentencepiece_file, tmp_path, recipe):
    long = rows[-1]._replace(solution=rows[-1].solution * 50)
    write_rows(tmp_path / "train.jsonl", [rows[0], long])
    settings = RecordSettings(200, recipe=recipe, most_new=100)
    output = tmp_path / "x.mindrecord"
    summary = write_records(tmp_path / "train.jsonl", sentencepiece_file, output, settings)
    assert (summary["examples"], summary["left_out"]) == (1, 1)


def test_the_same_input_gives_the_same_bytes(rows_file, tiktoken_file, tmp_path):
    outputs = [tmp_path / name / "x.mindrecord" for name in "ab"]
    for output in outputs:
        write_records(rows_file, tiktoken_file, output, RecordSettings(600))
    for suffix in ("", ".db", ".json"):
        contents = [output.with_name(output.name + suffix).read_bytes() for output in outputs]
        assert contents[0] == contents[1]


@pytest.mark.parametrize("pack", [False, True])
def test_several_processes_give_the_same_bytes(
    rows, sentencepiece_file, tmp_path, monkeypatch, pack
):
    source = tmp_path / "rows.jsonl"
    write_rows(source, [row._replace(id=f"{row.id}-{i}") for i in range(4) for row in rows])
    monkeypatch.setattr(json_lines, "_BLOCK_ROWS", 30)
    settings = RecordSettings(400, pack=pack)
    outputs = [tmp_path / name / "x.mindrecord" for name in ("one", "two")]
    monkeypatch.setattr(encoding, "cores", lambda: 1)
    write_records(source, sentencepiece_file, outputs[0], settings)
    monkeypatch.setattr(encoding, "cores", lambda: 2)
    write_records(source, sentencepiece_file, outputs[1], settings)
    for suffix in ("", ".db", ".json"):
        contents = [output.with_name(output.name + suffix).read_bytes() for output in outputs]
        assert contents[0] == contents[1]


def test_packed_rows_hold_every_example_once(rows, rows_file, sentencepiece_file, tmp_path):
    output = tmp_path / "x.mindrecord"
    summary = write_records(rows_file, sentencepiece_file, output, RecordSettings(500, pack=True))
    tokenizer = open_tokenizer(sentencepiece_file)
    examples = examples_of(rows, tokenizer)
    found = []
    for ids, labels in zip(*read(output)):
        ends = np.flatnonzero((ids == tokenizer.eos_id) & (labels == tokenizer.eos_id)) + 1
        parts = list(zip(np.split(ids, ends), np.split(labels, ends)))
        assert (parts[-1][0] == tokenizer.pad_id).all() and (parts[-1][1] == IGNORED).all()
        found += [(i.tolist(), t.tolist()) for i, t in parts[:-1]]
    expected = []
    for index in range(len(rows)):
        one = examples.take(np.array([index]))
        ids, labels = layout(one, int(one.sizes[0]) - 1, tokenizer.pad_id)
        expected.append((ids[0].tolist(), labels[0].tolist()))
    assert sorted(found) == sorted(expected)
    assert summary["pack"] is True
    assert summary["examples"] == len(rows)
    assert summary["rows"] == len(read(output)[0]) < len(rows) / 2
    tokens = sum(map(int, examples.sizes))
    assert summary["tokens"] == tokens
    assert summary["used"] == round(tokens / (summary["rows"] * 501), 6)
    assert summary["most_labels"] == (read(output)[1] != IGNORED).sum(1).max()


def test_packing_needs_an_end_that_stands_at_the_end_only(rows_file, smollm2_file, tmp_path):
    ids = SpecialIds(eos=2, pad=2)  # <|im_end|>, which the chat frame holds
    settings = RecordSettings(800, "smollm2", ids, pack=True)
    fault = r"row add-0: its prompt or answer in the frame smollm2 holds the end id 2.*--pack"
    with pytest.raises(UserError, match=fault):
        write_records(rows_file, smollm2_file, tmp_path / "x.mindrecord", settings)
    assert list(tmp_path.iterdir()) == []
    write_records(
        rows_file, smollm2_file, tmp_path / "x.mindrecord", settings._replace(frame="alpaca")
    )


def test_faults_of_other_processes(rows, sentencepiece_file, tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "_BLOCK_ROWS", 10)
    monkeypatch.setattr(encoding, "cores", lambda: 2)
    source, output = tmp_path / "rows.jsonl", tmp_path / "out" / "x.mindrecord"
    many = rows * 4
    many[80] = many[80]._replace(solution="1<|eot_id|>")
    many[120] = many[120]._replace(problem=" ")
    write_rows(source, many)
    place = re.escape(f"{source}, row {many[80].id}: holds the control token <|eot_id|>")
    with pytest.raises(UserError, match=place):
        write_records(source, sentencepiece_file, output, RecordSettings(700))
    many[80] = rows[0]
    write_rows(source, many[:100])
    source.write_text(source.read_text("utf-8") + "{}\n", "utf-8")
    with pytest.raises(UserError, match=re.escape(f'{source}:101: "id" is missing')):
        write_records(source, sentencepiece_file, output, RecordSettings(700))
    assert list(output.parent.iterdir()) == []


def test_a_text_that_the_tokenizer_refuses_is_named(rows, tiktoken_file, tmp_path):
    source = tmp_path / "rows.jsonl"
    write_rows(source, [*rows[:3], rows[3]._replace(id="long", problem=" " * 1_000_000 + "a")])
    fault = re.escape(f"{source}, row long: the tokenizer cannot encode a text")
    with pytest.raises(UserError, match=fault):
        write_records(source, tiktoken_file, tmp_path / "x.mindrecord", RecordSettings(700))


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


def bad_sources(rows, folder):
    """A row of each fault behind good ones, and what is said of it."""
    good = [row.to_line().encode() for row in rows[:2]]
    fields = rows[0]._asdict()
    number = json.dumps({**fields, "solution": 7}).encode()
    missing = json.dumps({key: fields[key] for key in fields if key != "problem"}).encode()
    for name, content, fault in [
        ("no-json", b"".join([*good, b"{\n"]), ":3: not valid JSON"),
        ("missing", b"".join([*good, missing]), ':3: "problem" is missing'),
        ("number", b"".join([*good, number, b"\n{"]), ':3: "solution" is not a string'),
        ("utf-8", b"".join([*good, b"\n", b'{"id": "\xff"}\n']), ":4: the text is not valid UTF-8"),
        ("long", b"".join([*good, b" " * 10_000_001]), ":3: the row is longer than 10 MB"),
        ("empty", b"", ": the file holds no rows"),
        ("blank", b"\n \n", ": the file holds no rows"),
        ("array", b"[" + b",".join([*good, number]) + b"]", ':3: "solution" is not a string'),
        ("cut", b"[" + b",".join(good), ":3: the file ends where"),
        ("no-rows", b"[]", ": the file holds no rows"),
        ("value", b"3", ":1: a row is not a JSON object"),
    ]:
        path = folder / f"{name}.json"
        path.write_bytes(content)
        yield path, f"{name}.json{fault}"


def test_bad_rows(old, rows, sentencepiece_file, tmp_path):
    before = {path.name: path.read_bytes() for path in old.parent.iterdir()}
    for source, fault in bad_sources(rows, tmp_path):
        with pytest.raises(UserError, match=re.escape(fault)) as caught:
            write_records(source, sentencepiece_file, old, RecordSettings(700))
        assert "\n" not in str(caught.value)
        assert {path.name: path.read_bytes() for path in old.parent.iterdir()} == before


def test_an_array_gives_what_lines_give(rows, rows_file, sentencepiece_file, tmp_path):
    array = tmp_path / "array" / rows_file.name
    array.parent.mkdir()
    array.write_text(json.dumps([row._asdict() for row in rows], indent=1), encoding="utf-8")
    outputs = [tmp_path / name / "x.mindrecord" for name in "ab"]  # a file holds its own name
    for source, output in zip((rows_file, array), outputs):
        write_records(source, sentencepiece_file, output, RecordSettings(700))
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


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
