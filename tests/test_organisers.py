"""The organisers' forms from the command line: one flow from train.json, and given records."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tools.convert import main
from tools.records.vocabulary import train_sentencepiece

PROBLEM = {"problem": "计算 1.00 + 1.00 等于多少？", "solution": "1.00 + 1.00 = 2.00"}
COMMANDS = ("conversations", "conversation-records", "squad-records", "given-records")


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tokenizer.model"
    train_sentencepiece([str(PROBLEM)] * 20, 300, path)
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name):
    assert "Example:" in run(name, "--help")


def test_from_train_json_to_given_records(model, tmp_path):
    source, conversations = tmp_path / "train.json", tmp_path / "c.json"
    empty = {**PROBLEM, "solution": ""}
    source.write_text("\n".join(map(json.dumps, [PROBLEM, PROBLEM, empty])))
    done = run("conversations", "--input", source, "--output", conversations, "--prompt", "none")
    assert done == f"{conversations}: 3 conversations\n"
    first = json.loads(conversations.read_text("utf-8"))[0]["conversations"]
    assert first == [
        {"from": "human", "value": PROBLEM["problem"]},
        {"from": "gpt", "value": PROBLEM["solution"]},
    ]
    record = tmp_path / "train-fastchat.mindrecord"
    options = ("--input", conversations, "--tokenizer", model, "--output", record)
    done = run("conversation-records", *options, "--seq-length", 400)
    assert f"{record}: 3 rows, 0 cut without their EOS, 1 masked whole, 1 without a label" in done
    assert "script stops" not in done
    taken = tmp_path / "records" / "train.mindrecord"
    config = tmp_path / "records.json"
    config.write_text(json.dumps({"seq_length": 400, "vocab_size": 300, "prompt": "none"}))
    options = ("--config", config, "--input", record, "--output", taken)
    done = run("given-records", *options)
    assert f"{taken}: 3 rows of train-fastchat.mindrecord, 1 without a label" in done
    done = run("given-records", *options, "--vocab-size", 200, code=2)
    assert "the model's vocabulary 200 ids" in done
    cut = ("--input", conversations, "--tokenizer", model, "--output", tmp_path / "x.mindrecord")
    done = run("conversation-records", *cut, "--seq-length", 5, code=2)
    assert "c.json: none of its 3 rows has a label to train on" in done
    marked = {**PROBLEM, "solution": "see ASSISTANT: " + "5" * 400}
    source.write_text("\n".join(map(json.dumps, [PROBLEM, marked])))
    run("conversations", "--input", source, "--output", conversations, "--prompt", "none")
    done = run("conversation-records", *cut, "--seq-length", 400)
    assert "1 cut and masked, at which the organisers' script stops" in done


def test_the_organisers_frame_is_the_default(tmp_path):
    source, output = tmp_path / "train.json", tmp_path / "c.json"
    source.write_text(json.dumps(PROBLEM))
    run("conversations", "--input", source, "--output", output)
    assert json.loads(output.read_text("utf-8"))[0]["conversations"][0]["value"] == (
        "Below is an instruction that describes a task. Write a response that appropriately "
        f"completes the request.\n\n### Instruction:\n{PROBLEM['problem']}\n\n### Response:"
    )


def test_squad(model, tmp_path):
    paragraph = {
        "context": "Denver won.",
        "qas": [{"id": "1", "question": "Who?", "answers": [{"text": "Denver"}]}],
    }
    source, output = tmp_path / "dev.json", tmp_path / "squad.mindrecord"
    source.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    options = ("--input", source, "--tokenizer", model, "--output", output)
    assert run("squad-records", *options) == f"{output}: 1 questions, 0 cut\n"
    summary = json.loads((tmp_path / "squad.mindrecord.json").read_text("utf-8"))
    assert summary["seq_length"] == 8192
    assert run("squad-records", *options, "--seq-length", 40).endswith("1 questions, 1 cut\n")
    done = run("squad-records", *options, "--seq-length", 1, code=2)
    assert "its answer has" in done
