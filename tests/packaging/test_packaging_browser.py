"""report.html in headless Chromium: on a phone, in the dark, in Chinese, without scripts, on A4."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from packaging_browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on this machine"),
]
LANGUAGES = ("en", "zh-Hans")
PHONE, DESKTOP = 360, 1280
# A4 less the margins of report.css, in CSS pixels.
PAPER = round((210 - 2 * 14) / 25.4 * 96)

# Every text that is seen, with its contrast to what lies behind it (WCAG 2, relative luminance).
CONTRASTS = """(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
      if (color[3] !== 0) throw new Error("half transparent: " + e.outerHTML);
    }
    throw new Error("no background");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("script")) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    found.push([node.data.trim(), (Math.max(...pair) + .05) / (Math.min(...pair) + .05)]);
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest, finished: Dict[str, Path]) -> None:
    """Nothing chosen or emulated by an earlier test."""
    browser = request.getfixturevalue("browser")
    media(browser)
    speaks(browser, "en-US")
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    browser.open(address(finished), DESKTOP)
    browser.value("localStorage.clear()")


def address(finished: Dict[str, Path]) -> str:
    return (finished["run"] / "report/report.html").as_uri()


def media(browser: Browser, kind: str = "", scheme: str = "light") -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", media=kind, features=features)


def speaks(browser: Browser, language: str) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64)"
    browser.call("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)


def shown(browser: Browser) -> str:
    return browser.value("document.body.innerText")


def named(browser: Browser) -> List[Dict[str, Any]]:
    """Role, name and level of what assistive technology is told."""
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{item["name"]: item["value"].get("value") for item in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


def test_nothing_is_complained_of_and_nothing_else_is_asked_for(
    browser: Browser, finished: Dict[str, Path]
) -> None:
    browser.open(address(finished), DESKTOP)
    events = [event["method"] for event in browser.events]
    asked = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked[0] == address(finished)
    assert [url for url in asked[1:] if not url.startswith("data:")] == []
    loud = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
    assert not loud & set(events)


def test_a_complaint_would_be_heard(
    browser: Browser, finished: Dict[str, Path], tmp_path: Path
) -> None:
    text = (finished["run"] / "report/report.html").read_text("utf-8")
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(
        text.replace("</body>", "<script>1</script><img src='x.png'></body>"), "utf-8"
    )
    browser.open(spoilt.as_uri(), DESKTOP)
    said = [e["params"]["entry"]["text"] for e in browser.events if e["method"] == "Log.entryAdded"]
    assert len(said) == 2
    assert all("Content Security Policy" in text for text in said)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [PHONE, 600, DESKTOP])
def test_the_page_does_not_scroll_sideways(
    browser: Browser, finished: Dict[str, Path], width: int, language: str
) -> None:
    browser.open(f"{address(finished)}?lang={language}", width)
    assert browser.value("[innerWidth, document.documentElement.scrollWidth]") == [width, width]
    # Nothing is cut off by hiding it: what is wider than the page scrolls in a box of its own.
    outside = """[...document.querySelectorAll("article *")].filter(
      e => !e.closest(".scroll, svg") && e.checkVisibility()
        && e.getBoundingClientRect().right > innerWidth + 1).length"""
    assert browser.value(outside) == 0
    assert browser.value("document.documentElement.lang") == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_on_paper(browser: Browser, finished: Dict[str, Path], language: str) -> None:
    browser.open(f"{address(finished)}?lang={language}", PAPER)
    media(browser, "print", "dark")
    assert browser.value("document.documentElement.scrollWidth") <= PAPER
    background = "getComputedStyle(document.documentElement).getPropertyValue('--page')"
    assert browser.value(background) == "#fcfdfe"  # in the dark too, paper is white
    assert not browser.value("document.getElementById('switch').checkVisibility()")
    media(browser)
    printed = browser.call("Page.printToPDF", preferCSSPageSize=True)
    pdf = base64.b64decode(printed["data"])
    boxes = re.findall(rb"/MediaBox\s*\[([^\]]*)\]", pdf)
    assert 3 <= len(boxes) <= 20
    for box in boxes:
        sides = [float(side) for side in box.split()]
        # A4 is 595.28 by 841.89 points; the browser's are whole pixels.
        assert sides[:2] == [0, 0]
        assert abs(sides[2] - 595.28) < 1
        assert abs(sides[3] - 841.89) < 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(
    browser: Browser, finished: Dict[str, Path], scheme: str, language: str
) -> None:
    media(browser, scheme=scheme)
    browser.open(f"{address(finished)}?lang={language}", DESKTOP)
    contrasts = browser.value(CONTRASTS)
    assert len(contrasts) > 300
    assert [item for item in contrasts if item[1] < 4.5] == []


@pytest.mark.parametrize(
    ("speaking", "language", "heading"),
    [
        ("en-GB", "en", "Fine-tuning report"),
        ("zh-CN", "zh-Hans", "微调报告"),
        ("zh-TW", "zh-Hans", "微调报告"),
        ("de-DE", "en", "Fine-tuning report"),
    ],
)
def test_it_begins_in_the_readers_language(
    browser: Browser, finished: Dict[str, Path], speaking: str, language: str, heading: str
) -> None:
    speaks(browser, speaking)
    browser.open(address(finished), DESKTOP)
    assert browser.value("document.documentElement.lang") == language
    assert heading in shown(browser)
    assert browser.value("document.title").startswith(heading)


def test_the_switch(browser: Browser, finished: Dict[str, Path]) -> None:
    assert "Versions and machine" in shown(browser)
    browser.value("document.querySelector('button[lang=zh-Hans]').click()")
    text = shown(browser)
    assert "版本与机器" in text
    assert "Versions and machine" not in text
    pressed = "[...document.querySelectorAll('button')].map(b => b.getAttribute('aria-pressed'))"
    assert browser.value(pressed) == ["false", "true"]
    # The choice outlives the page, and an address outranks it.
    browser.open(address(finished), DESKTOP)
    assert browser.value("document.documentElement.lang") == "zh-Hans"
    browser.open(f"{address(finished)}?lang=en", DESKTOP)
    assert browser.value("document.documentElement.lang") == "en"


def test_without_scripts_it_is_english(browser: Browser, finished: Dict[str, Path]) -> None:
    speaks(browser, "zh-CN")
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(address(finished), PHONE)
    text = shown(browser)
    assert "Fine-tuning report" in text
    assert "微调报告" not in text
    assert not browser.value("document.getElementById('switch').checkVisibility()")


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_has_a_name_in_its_language(
    browser: Browser, finished: Dict[str, Path], language: str
) -> None:
    browser.open(f"{address(finished)}?lang={language}", PHONE)
    nodes = named(browser)
    roles = {"button", "link", "image", "region", "table", "heading", "navigation", "group"}
    found = [node for node in nodes if node["role"] in roles]
    assert [node for node in found if not node["name"].strip()] == []
    count = {role: sum(node["role"] == role for node in found) for role in roles}
    assert count["image"] == 3
    assert count["button"] == 2
    assert count["table"] == 12
    pictures = [node["name"] for node in found if node["role"] == "image"]
    words = {
        "en": ("8.33", "steps", "chosen"),
        "zh-Hans": ("8.33", "步", "选中"),
    }
    for name, word in zip(pictures, words[language]):
        assert word in name
    # A name in one language does not carry the other.
    for node in found:
        if node["role"] not in ("button", "group") and language == "en":
            assert not re.search(r"[\u4e00-\u9fff]", node["name"]), node
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
