"""The report's pictures: what is drawn, and the SVG of it that stands in the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List
from xml.etree import ElementTree

import pytest

from tools.packaging.facts import gather
from tools.packaging.page import words_of
from tools.packaging.pictures import draw_all, right_lines, svg_of_all


def bars(axes: Any) -> List[List[float]]:
    """The lengths of the bars, before and after."""
    from matplotlib.container import BarContainer

    found = [held for held in axes.containers if isinstance(held, BarContainer)]
    return [[round(bar.get_width(), 2) for bar in held] for held in found]


def test_accuracy_and_right_lines_of_both(finished: Dict[str, Path]) -> None:
    (axes,) = draw_all(gather(finished["run"]))["accuracy"].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["all kinds", "add", "divide"]
    assert bars(axes) == [[8.33, 16.67, 0.0], [66.67, 66.67, 66.67]]
    held = axes.collections
    ends = [[round(x, 2) for x in whiskers.get_segments()[0][:, 0]] for whiskers in held[::2]]
    assert ends == [[1.49, 35.39], [39.06, 86.19]]
    # The base model has one right line of 23, the chosen one 8 of 16.
    assert [round(marks.get_offsets()[0][0], 2) for marks in held[1::2]] == [4.35, 50.0]


def test_kinds_that_were_asked_once_only(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    del facts.before["math"]["by_kind"]["divide"]
    (axes,) = draw_all(facts)["accuracy"].axes
    assert [len(side) for side in bars(axes)] == [2, 3]


def test_right_lines_that_are_not_known() -> None:
    math = {"lines": {"share": 0.5, "by_kind": {"add": {"share": 0.25}}}}
    assert [right_lines(math, kind) for kind in (None, "add", "mean")] == [0.5, 0.25, None]
    assert right_lines({}) is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_stays_text_in_either_language(finished: Dict[str, Path], language: str) -> None:
    facts = gather(finished["run"])
    pictures = svg_of_all(facts, words_of(facts, language))
    assert set(pictures) == {"accuracy", "loss", "checkpoints"}
    said = " ".join(pictures.values())
    for english, chinese in (("all kinds", "全部题型"), ("each step", "每一步"), ("step", "步")):
        assert (f">{english}</text>" in said) == (language == "en")
        assert (f">{chinese}</text>" in said) == (language == "zh")
    if language == "zh":
        # Only what is called the same in both languages is in Latin letters.
        for text in re.findall(r">([^<>]*)</text>", said):
            assert not re.search("[A-Za-z]", re.sub("F1|EM|[AB]$", "", text)), text


def test_it_has_the_pages_colours_and_ids_of_its_own(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    ids: List[str] = []
    for language in ("en", "zh"):
        for svg in svg_of_all(facts, words_of(facts, language)).values():
            assert not re.search("#[0-9a-f]{6}", svg)
            assert "var(--blue)" in svg and "var(--ink)" in svg
            assert "<metadata" not in svg and "<style" not in svg
            root = ElementTree.fromstring(svg)
            own = [item.attrib["id"] for item in root.iter() if "id" in item.attrib]
            assert set(re.findall(r'#([\w-]+)[")]', svg)) == set(own)
            ids += own
    assert len(ids) == len(set(ids))


def test_the_same_facts_give_the_same_bytes(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    words = words_of(facts, "zh")
    assert svg_of_all(facts, words) == svg_of_all(facts, words)
