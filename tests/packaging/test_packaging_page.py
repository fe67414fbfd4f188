"""report.html as text: one file, both languages, in order, named; see also the browser's test."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from packaging_run import NASTY, fill_run

from tools.packaging.facts import gather
from tools.packaging.page import in_both, render_page
from tools.packaging.report import TEMPLATES
from tools.packaging.texts import Text

SECTIONS = (
    *("verdict", "kinds", "scores", "training", "checkpoints", "data", "inference", "examples"),
    *("environment", "hashes"),
)
VOID = {"meta", "link", "br", "img", "rect", "line", "path"}


class Page(HTMLParser):
    """Tags with their attributes, and the texts with the tags that they stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: List[Tuple[str, Dict[str, str]]] = []
        self.texts: List[Tuple[str, str]] = []  # language of its span, or "", and the text
        self._open: List[Tuple[str, Dict[str, str]]] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if data.strip() and tag not in ("style", "script", "title"):
            language = attributes["lang"] if attributes.get("class") == "t" else ""
            self.texts.append((language, data.strip()))


@pytest.fixture(scope="module")
def text(finished: Dict[str, Path]) -> str:
    return (finished["run"] / "report/report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_needs_nothing_else(text: str, page: Page) -> None:
    assert text.startswith("<!doctype html>")
    sources = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("src", "href")
        if name in attributes
    ]
    assert {source for source in sources if not source.startswith("#")} == {"data:,"}
    style = re.search("<style>(.*)</style>", text, re.S)[1]
    assert not re.search(r"url\(|@import|@font-face", style)
    assert {tag for tag, _ in page.tags} & {"img", "iframe", "object", "form"} == set()


def test_its_one_script_is_the_one_that_may_run(text: str, page: Page) -> None:
    (script,) = re.findall("<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv")]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_order_of_its_parts(page: Page) -> None:
    sections = [a["id"] for tag, a in page.tags if tag == "section" and "id" in a]
    assert tuple(sections) == SECTIONS
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert links == [f"#{name}" for name in SECTIONS[1:]]


def test_headings_ids_and_names(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(named) <= set(ids)
    for tag, attributes in page.tags:
        if tag in ("section", "nav") or attributes.get("role") in ("img", "region", "group"):
            assert "aria-labelledby" in attributes
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if tag == "svg":
            assert attributes["aria-hidden"] == "true"
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table") == 12


def test_both_languages_stand_in_pairs(page: Page) -> None:
    languages = [language for language, _ in page.texts if language]
    assert languages == ["en", "zh-Hans"] * (len(languages) // 2)
    assert len(languages) > 300
    english = [text for language, text in page.texts if language == "en"]
    assert not [text for text in english if re.search(r"[\u4e00-\u9fff]", text)]
    chinese = [text for language, text in page.texts if language == "zh-Hans"]
    assert all(re.search(r"[\u3000-\u9fff]", text) for text in chinese)
    # What stands outside of the pairs is data: numbers, names of files and packages, answers.
    for text in (text for language, text in page.texts if not language):
        assert not re.search(r"\b(the|of|and|before|after|answer|accuracy)\b", text), text


def test_answers_stand_beside_the_reference_and_do_nothing(text: str, page: Page) -> None:
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
    data = [text for language, text in page.texts if not language]
    assert data.count(NASTY) == 4
    wrong = data.index(NASTY)
    assert data[wrong - 1 : wrong + 2] == ["计算 9 + 10 等于多少？", NASTY, "19"]


def test_a_model_that_is_not_eligible(tmp_path: Path) -> None:
    worse = {"math_before": 12, "math_after": 0, "squad_before": 4, "squad_after": 3}
    page = render_page(gather(fill_run(tmp_path / "run", worse)), "", TEMPLATES)
    assert '<section id="verdict" class="not_eligible"' in page
    assert "which does not count without eligibility." in page
    assert "没有参赛资格，不作数。" in page
    assert "No answer was right." in page


def test_the_rank_stands_large_for_the_contest_model_only(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    assert "Rank of 20" not in render_page(facts, "", TEMPLATES)
    own = render_page(facts._replace(contest_model=True), "", TEMPLATES)
    assert re.search(r"Rank of 20</span>.*?<dd>3</dd>", own, re.S)


def test_what_is_shown_for_a_value() -> None:
    assert in_both(None) == "–"
    assert in_both(3) == 3
    assert in_both(Text("F1", "F1")) == "F1"
    english, chinese = in_both(Text("<a> 90 %", "甲")).split("</span>")[:2]
    assert english == '<span class="t" lang="en">&lt;a&gt; 90\u00a0%'
    assert chinese == '<span class="t" lang="zh-Hans">甲'
