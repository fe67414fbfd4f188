"""Every word in both languages, with the same values in both."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Dict, Set

import pytest

from tools.corpus.kinds import KINDS
from tools.files.errors import UserError
from tools.packaging.stages import ORDER
from tools.packaging.texts import Words, read_texts
from tools.scoring.arithmetic import JUDGES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    f"{group}.{name}": text for group, items in read_texts().items() for name, text in items.items()
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Names that are the same in both languages.
NAMES = {"F1", "EM", "sha256"}


def fields(text: str) -> Set[str]:
    return {f"{name}:{spec}" for _, name, spec, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_every_text_is_said_in_both_languages(key: str) -> None:
    text: Dict[str, str] = TEXTS[key]
    assert set(text) == {"en", "zh"} and all(text.values())
    assert not CHINESE.search(text["en"])
    bare = re.sub(r"\{[^}]*\}", "", text["zh"])
    if re.search(r"[A-Za-z]", re.sub(r"\{[^}]*\}", "", text["en"])) and text["en"] not in NAMES:
        assert CHINESE.search(bare), "no Chinese in it"
    assert fields(text["en"]) == fields(text["zh"])


def test_what_a_run_may_name_has_a_label() -> None:
    groups = read_texts()
    assert set(groups["kinds"]) == set(KINDS)
    assert set(groups["judges"]) == set(JUDGES)


def test_the_stages_are_those_of_the_makefile() -> None:
    stages = re.findall(r"^\t\$\(call stage,([\w-]+),", (ROOT / "Makefile").read_text(), re.M)
    # Of a published adapter, which no package is made of.
    assert set(stages) - {"measure", "merge-published"} == set(ORDER)


def test_values_and_labels_are_filled_in() -> None:
    english, chinese = (Words(language, {"run": "{run}"}) for language in ("en", "zh"))
    assert english.say("words.counts", judge="x") == "x (counts)"
    assert chinese.say("words.counts", judge=chinese.label("judges", "rounded")) == (
        "舍入后相等（为准）"
    )
    assert english.label("kinds", "new_kind") == chinese.label("kinds", "new_kind") == "new kind"
    # A value with braces is no template.
    assert english.say("page.subtitle", about="{0.x}") == "{0.x} · run {run}"
    assert chinese.of_english("kinds")["add"] == "加法"


@pytest.mark.parametrize(
    ("key", "values", "what"),
    [
        ("words.nothing", {}, "words.nothing: 'nothing' cannot be said"),
        ("nothing", {}, "nothing: 'nothing' cannot be said"),
        ("words.counts", {}, "words.counts: 'judge' cannot be said"),
        ("captions.checkpoints", {"best": 1, "minimum": None}, "captions.checkpoints: "),
    ],
)
def test_what_cannot_be_said(key: str, values: dict, what: str) -> None:
    with pytest.raises(UserError) as caught:
        Words("en", {}).say(key, **values)
    assert caught.value.what.startswith(what)
    assert str(caught.value.where).endswith("submission/texts.yaml")
