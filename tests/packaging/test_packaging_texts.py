"""Every word in both languages, with the same values in both."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Set

import pytest
from packaging_run import write

from tools.corpus.kinds import KINDS
from tools.files.errors import UserError
from tools.packaging.stages import ORDER, PACKAGING
from tools.packaging.texts import Text, label, read_texts, say
from tools.scoring.arithmetic import JUDGES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {
    f"{group}.{name}": text for group, items in read_texts().items() for name, text in items.items()
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Names that are the same in both languages.
NAMES = {"SQuAD F1", "SQuAD EM", "F1", "EM", "LoRA alpha", "LoRA dropout", "betas"}


def fields(text: str) -> Set[str]:
    return {f"{name}:{spec}" for _, name, spec, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_every_text_is_said_in_both_languages(key: str) -> None:
    text = TEXTS[key]
    assert not CHINESE.search(text.en)
    bare = re.sub(r"\{[^}]*\}", "", text.zh)
    if re.search(r"[A-Za-z]", re.sub(r"\{[^}]*\}", "", text.en)) and text.en not in NAMES:
        assert CHINESE.search(bare), "no Chinese in it"
    assert fields(text.en) == fields(text.zh)


def test_what_a_run_may_name_has_a_label() -> None:
    groups = read_texts()
    assert set(groups["kinds"]) == set(KINDS)
    assert set(groups["judges"]) == set(JUDGES)
    assert set(groups["stages"]) == set(ORDER) - set(PACKAGING)


def test_the_stages_are_those_of_the_makefile() -> None:
    stages = re.findall(r"^\t\$\(STAGE\) ([\w-]+) --", (ROOT / "Makefile").read_text(), re.M)
    # Of a published adapter, which no package is made of.
    assert set(stages) - {"measure", "merge-published"} == set(ORDER)


def test_values_and_labels_are_filled_in() -> None:
    judge = label("judges", "rounded")
    assert say("cells.counts", judge=judge) == Text("rounded (counts)", "舍入后相等（为准）")
    assert str(say("cells.interval", low=1, high=2.345)) == "1.00 to 2.35"
    assert label("kinds", "new_kind") == Text("new kind", "new kind")
    # A value with braces is no template.
    assert say("page.subtitle", about="{0.x}", run="{run}").en == "{0.x} · run {run}"


@pytest.mark.parametrize(
    ("key", "values", "what"),
    [
        ("cells.nothing", {}, "has no text 'cells.nothing'"),
        ("nothing", {}, "has no text 'nothing'"),
        ("cells.counts", {}, "cells.counts: 'judge' cannot be filled in"),
        ("cells.interval", {"low": "x", "high": 1}, "cells.interval: "),
    ],
)
def test_what_cannot_be_said(key: str, values: dict, what: str) -> None:
    with pytest.raises(UserError) as caught:
        say(key, **values)
    assert caught.value.what.startswith(what)
    assert str(caught.value.where).endswith("submission/texts.yaml")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("a:\n  b: {en: x}\n", "a.b.zh: field required"),
        ("a:\n  b: {en: x, zh: ''}\n", "a.b.zh: string should have"),
        ("a:\n  b: {en: x, zh: y, fr: z}\n", "a.b.fr: extra inputs"),
        ("a: x\n", "a: input should be"),
    ],
)
def test_a_text_that_lacks_a_language(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read_texts(write(tmp_path / "texts.yaml", content))
    assert what in caught.value.what
    assert re.search(r"texts\.yaml:\d+$", str(caught.value.where))
