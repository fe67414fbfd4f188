"""The embedded reading set: SQuAD 1.1 in form, and every answer where it says it is."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = ROOT / "material" / "embedded"
README = EMBEDDED / "README.md"


def paragraphs_of(dataset: dict) -> list:
    """All paragraphs, in file order."""
    return [paragraph for article in dataset["data"] for paragraph in article["paragraphs"]]


def questions_of(dataset: dict) -> list:
    """All questions, in file order."""
    return [question for paragraph in paragraphs_of(dataset) for question in paragraph["qas"]]


def duplicates(values: list) -> list:
    """The values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def answer_faults(context: str, question: dict) -> list:
    """What is wrong with one question and its answer, as texts; an empty list if nothing is."""
    name, found = question["id"], []
    if not question["question"].endswith("?") or question["question"].count("?") != 1:
        found.append(f"{name}: not a question")
    if len(question["answers"]) != 1:
        return [*found, f"{name}: not one answer"]
    text, start = question["answers"][0]["text"], question["answers"][0]["answer_start"]
    if context[start : start + len(text)] != text:
        found.append(f"{name}: answer not at answer_start")
    if context.lower().count(text.lower()) != 1:
        found.append(f"{name}: answer does not occur once")
    # A span that begins or ends inside a word is found by accident.
    if not re.search(rf"(?<!\w){re.escape(text)}(?!\w)", context):
        found.append(f"{name}: answer cuts a word")
    if not 1 <= len(text.split()) <= 5 or text != text.strip():
        found.append(f"{name}: answer too long or empty")
    if text.lower() in question["question"].lower():
        found.append(f"{name}: question gives the answer away")
    return found


def faults(dataset: dict) -> list:
    """What is wrong with the set, as texts; an empty list if nothing is."""
    found = []
    for article in dataset["data"]:
        if len(article["paragraphs"]) != 4:
            found.append(f"{article['title']}: not four paragraphs")
        for number, paragraph in enumerate(article["paragraphs"], 1):
            context = paragraph["context"]
            if not 50 <= len(context.split()) <= 90:
                found.append(f"{article['title']} {number}: not 50 to 90 words")
            if context != " ".join(context.split()) or not context.isascii():
                found.append(f"{article['title']} {number}: stray blanks or characters")
            if len(paragraph["qas"]) != 3:
                found.append(f"{article['title']} {number}: not three questions")
            for place, question in enumerate(paragraph["qas"], 1):
                if not re.fullmatch(rf"[a-z]+-{number:02d}-{place}", question["id"]):
                    found.append(f"{question['id']}: wrong id")
                found.extend(answer_faults(context, question))
    texts = {
        "title": [article["title"] for article in dataset["data"]],
        "context": [paragraph["context"] for paragraph in paragraphs_of(dataset)],
        "question": [question["question"] for question in questions_of(dataset)],
        "id": [question["id"] for question in questions_of(dataset)],
    }
    for what, values in texts.items():
        found.extend(f"{value}: {what} twice" for value in duplicates(values))
    return found


def key_sets(value: object, path: str = "") -> set:
    """The paths of all keys of a JSON value, list positions left out."""
    if isinstance(value, dict):
        paths = {f"{path}/{key}" for key in value}
        return paths.union(*(key_sets(part, f"{path}/{key}") for key, part in value.items()))
    if isinstance(value, list):
        return set().union(*(key_sets(part, path) for part in value))
    return set()


@pytest.fixture(scope="module")
def reading() -> dict:
    """Both files together: no text of one may be in the other."""
    asked, trained = (
        json.loads((EMBEDDED / name).read_text(encoding="utf-8"))
        for name in ("reading.json", "reading-train.json")
    )
    assert asked["version"] == trained["version"]
    assert (len(asked["data"]), len(trained["data"])) == (12, 4)
    return {**asked, "data": [*asked["data"], *trained["data"]]}


def test_the_set_has_no_fault(reading):
    assert faults(reading) == []


def test_counts(reading):
    assert reading["version"] == "1.1"
    assert len(reading["data"]) == 16
    assert len(paragraphs_of(reading)) == 64
    assert len(questions_of(reading)) == 192


def test_keys_are_those_of_squad(reading):
    assert key_sets(reading) == {
        "/version",
        "/data",
        "/data/title",
        "/data/paragraphs",
        "/data/paragraphs/context",
        "/data/paragraphs/qas",
        "/data/paragraphs/qas/id",
        "/data/paragraphs/qas/question",
        "/data/paragraphs/qas/answers",
        "/data/paragraphs/qas/answers/text",
        "/data/paragraphs/qas/answers/answer_start",
    }


@pytest.mark.shared
def test_keys_are_in_the_real_set_too(reading, shared):
    real = json.loads((shared / "squad" / "dev-v1.1-super-bowl-50.json").read_text("utf-8"))
    assert key_sets(reading) - {"/version"} <= key_sets(real)


def test_first_questions_are_of_many_kinds(reading):
    words = [paragraph["qas"][0]["question"].split()[0] for paragraph in paragraphs_of(reading)]
    assert {"Who", "When", "Where", "What", "Which", "How"} <= set(words)
    assert max(Counter(words).values()) <= len(words) // 4


def test_readme_states_the_counts(reading):
    lengths = [len(paragraph["context"].split()) for paragraph in paragraphs_of(reading)]
    readme = README.read_text(encoding="utf-8")
    assert f"| paragraphs | 64, of {min(lengths)} to {max(lengths)} words |" in readme
    assert "| questions | 192, three a paragraph, with one answer each |" in readme


def shift_answer(dataset):
    questions_of(dataset)[0]["answers"][0]["answer_start"] += 1


def repeat_answer(dataset):
    paragraph = paragraphs_of(dataset)[0]
    paragraph["context"] += " " + paragraph["qas"][0]["answers"][0]["text"]


def cut_answer(dataset):
    answer = questions_of(dataset)[0]["answers"][0]
    answer["text"] = answer["text"][:-1]


def empty_answer(dataset):
    questions_of(dataset)[0]["answers"][0]["text"] = ""


def give_answer_away(dataset):
    question = questions_of(dataset)[0]
    question["question"] = f"Is it {question['answers'][0]['text']}?"


def take_question(dataset):
    paragraphs_of(dataset)[0]["qas"].pop()


def lengthen_context(dataset):
    paragraphs_of(dataset)[0]["context"] += " and so on" * 10


def take_paragraph(dataset):
    dataset["data"][0]["paragraphs"].pop()


def repeat_question(dataset):
    first, second = questions_of(dataset)[:2]
    second["question"] = first["question"]


def repeat_id(dataset):
    questions_of(dataset)[12]["id"] = questions_of(dataset)[0]["id"]


def repeat_context(dataset):
    paragraphs_of(dataset)[1]["context"] = paragraphs_of(dataset)[0]["context"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (shift_answer, "oceans-01-1: answer not at answer_start"),
        (repeat_answer, "oceans-01-1: answer does not occur once"),
        (cut_answer, "oceans-01-1: answer cuts a word"),
        (empty_answer, "oceans-01-1: answer too long or empty"),
        (give_answer_away, "oceans-01-1: question gives the answer away"),
        (take_question, "Oceans_and_seas 1: not three questions"),
        (lengthen_context, "Oceans_and_seas 1: not 50 to 90 words"),
        (take_paragraph, "Oceans_and_seas: not four paragraphs"),
        (repeat_question, "Who gave the Pacific its name?: question twice"),
        (repeat_id, "oceans-01-1: id twice"),
        (repeat_context, "context twice"),
    ],
)
def test_a_spoilt_set_is_refused(reading, spoil, expected):
    spoilt = copy.deepcopy(reading)
    spoil(spoilt)
    assert any(fault.endswith(expected) for fault in faults(spoilt))
