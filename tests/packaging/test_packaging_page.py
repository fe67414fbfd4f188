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
from tools.packaging.page import render_page

SECTIONS = (
    *("kinds", "reading", "training", "checkpoints", "data", "inference", "examples"),
    *("environment", "hashes"),
)
LANGUAGES = ("en", "zh")
SIDES = ["right"] * 8 + ["wrong"] * 4
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Tags with their attributes, and the texts with the tags that they stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: List[Tuple[str, Dict[str, str]]] = []
        self.texts: List[Tuple[str, str]] = []  # language of its article, and the text
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
        tag = self._open[-1][0] if self._open else ""
        if data.strip() and tag not in ("style", "script", "title"):
            languages = [found["lang"] for name, found in self._open if name == "article"]
            self.texts.append((languages[0] if languages else "", data.strip()))


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_order_of_its_parts(page: Page, language: str) -> None:
    own = [f"{name}-{language}" for name in SECTIONS]
    parts = [a["id"] for tag, a in page.tags if tag == "h2" and a["id"].endswith(language)]
    assert parts == own
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert [link for link in links if link.endswith(language)] == [f"#{name}" for name in own]


def test_headings_ids_and_names(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == len(LANGUAGES)
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(named) <= set(ids)
    for tag, attributes in page.tags:
        if tag in ("nav", "svg") or attributes.get("role") == "group":
            assert attributes["aria-label"]
        if attributes.get("role") == "region":
            assert "aria-labelledby" in attributes
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
    assert [tag for tag, _ in page.tags].count("table") == len(LANGUAGES) * 12


def test_both_languages_say_the_same(text: str, page: Page) -> None:
    """Tag by tag and figure by figure."""
    articles = re.findall(r"<article.*?</article>", text, re.S)
    english, chinese = (Page(article) for article in articles)
    assert [tag for tag, _ in english.tags] == [tag for tag, _ in chinese.tags]
    assert len(english.texts) > 300

    def figures(found: Page) -> List[List[str]]:
        # The languages name them in another order within a sentence.
        return [sorted(re.findall(r"\d+(?:\.\d+)?", text)) for _, text in found.texts]

    assert figures(english) == figures(chinese)


def test_each_article_is_in_its_language(page: Page) -> None:
    answers = [NASTY.split("\n")[0], "计算"]
    english = [text for language, text in page.texts if language == "en"]
    foreign = [text for text in english if re.search(r"[\u4e00-\u9fff]", text)]
    assert all(any(answer in text for answer in answers) for text in foreign)
    for language, text in page.texts:
        if language == "zh-Hans":
            assert not re.search(r"\b(the|of|and|before|after|answer|accuracy)\b", text), text


def test_answers_stand_beside_the_reference_and_do_nothing(text: str, page: Page) -> None:
    assert "<script>alert" not in text
    # Four wrong ones in each language.
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 8
    data = [text for _, text in page.texts]
    assert data.count(NASTY) == 8
    wrong = data.index(NASTY)
    assert data[wrong - 1 : wrong + 2] == ["add: 计算 9 + 10 等于多少？", NASTY, "expected: 19"]
    classes = [a["class"] for tag, a in page.tags if tag == "pre"]
    assert classes == [f"{side}-{language}" for language in ("en", "zh") for side in SIDES]


def test_pictures_stand_in_it(page: Page) -> None:
    told = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert len(told) == 3 * len(LANGUAGES)
    assert told[0].startswith("Arithmetic accuracy on the test problems by kind")
    assert "8.33% before and 66.67% after" in told[0] and "8.33% 变为 66.67%" in told[3]


def test_a_model_that_is_not_eligible(tmp_path: Path) -> None:
    worse = {"math_before": 12, "math_after": 0, "squad_before": 4, "squad_after": 3}
    page = render_page(gather(fill_run(tmp_path / "run", worse)))
    assert '<body class="not_eligible">' in page
    assert "which does not count without eligibility." in page
    assert "没有参赛资格，不作数。" in page
    assert "No answer was right." in page


def test_the_rank_stands_large_for_the_contest_model_only(finished: Dict[str, Path]) -> None:
    facts = gather(finished["run"])
    assert "Rank of 20" not in render_page(facts)
    own = render_page(facts._replace(contest_model=True))
    assert re.search(r"Rank of 20</th>\s*<td[^>]*>3</td>", own)
