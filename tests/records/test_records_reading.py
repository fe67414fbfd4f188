"""SQuAD files as the organisers read them: their own labels, and faults by place."""

from __future__ import annotations

import json

import pytest

from tools.files.errors import UserError
from tools.records.reading import Question, read_questions
from tools.scoring.logs import read_log
from tools.scoring.squad import em_f1


@pytest.mark.shared
def test_the_first_54_labels_of_the_organisers_log(shared):
    questions = list(read_questions(shared / "squad" / "dev-v1.1-super-bowl-50.json"))
    log = read_log(shared / "contest" / "base-squad-eval.log")
    assert len(questions) == 54
    labels = [answer.references[0] for answer in log.answers[:54]]
    assert [question.answers[0] for question in questions] == labels
    # Each label stands in its passage.
    assert all(q.answers[0] in q.passage for q in questions)
    assert em_f1(questions[0].answers[0], "Denver Broncos") == (1.0, 1)


def test_the_embedded_set(request):
    path = request.config.rootpath / "material" / "embedded" / "reading.json"
    questions = list(read_questions(path))
    assert len(questions) == 48
    assert all(question.id.endswith("-1") for question in questions)
    every = list(read_questions(path, every=True))
    assert len(every) == 144 and every[::3] == questions
    assert [question.id[-2:] for question in every[:3]] == ["-1", "-2", "-3"]
    assert list(read_questions(path, limit=5)) == questions[:5]
    assert questions[0].answers == ("Ferdinand Magellan",)


def document():
    question = {"id": "a", "question": "Why?", "answers": [{"text": "so"}, {"text": "thus"}]}
    second = {"id": "b", "question": "How?", "answers": []}
    return {"data": [{"paragraphs": [{"context": "It is so.", "qas": [question, second]}]}]}


def write(tmp_path, value):
    path = tmp_path / "dev.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_all_answers_of_the_first_question(tmp_path):
    (question,) = read_questions(write(tmp_path, document()))
    assert question == Question("a", "It is so.", "Why?", ("so", "thus"))


def remove(*place):
    def change(value):
        for step in place[:-1]:
            value = value[step]
        del value[place[-1]]

    return change


def put(value, *place):
    def change(target):
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value

    return change


PARAGRAPH = ("data", 0, "paragraphs", 0)
FIRST = (*PARAGRAPH, "qas", 0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (remove("data"), "data is missing"),
        (put({}, "data"), "data is not a list"),
        (put([], "data"), "holds no paragraph"),
        (put([1], "data"), "data[0] is not an object"),
        (put(3, *PARAGRAPH, "context"), "data[0].paragraphs[0].context is not a text"),
        (put([], *PARAGRAPH, "qas"), "data[0].paragraphs[0].qas holds no question"),
        (remove(*FIRST, "question"), "data[0].paragraphs[0].qas[0].question is missing"),
        (put([], *FIRST, "answers"), "data[0].paragraphs[0].qas[0].answers holds no answer"),
        (put(["so"], *FIRST, "answers"), "qas[0].answers[0] is not an object"),
        (put(" ", *FIRST, "id"), "qas[0].id is not a text"),
        (put("\ud800", *FIRST, "id"), "qas[0].id holds half of a surrogate pair"),
    ],
)
def test_faults_name_their_place(tmp_path, change, fault):
    value = document()
    change(value)
    path = write(tmp_path, value)
    with pytest.raises(UserError) as caught:
        list(read_questions(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize("text", ["", "[", '{"data": ', "[" * 200_000, "7" * 10])
def test_no_json_document(tmp_path, text):
    with pytest.raises(UserError):
        list(read_questions(write(tmp_path, text)))


def test_no_utf8(tmp_path):
    path = tmp_path / "dev.json"
    path.write_bytes(b'{"data": "\xff"}')
    with pytest.raises(UserError, match="not UTF-8"):
        list(read_questions(path))
