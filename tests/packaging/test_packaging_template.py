"""Any text put into a report is shown as it is, in Markdown and in HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import List

from hypothesis import example, given
from hypothesis import strategies as st

from tools.packaging.page import to_html
from tools.packaging.template import escape, row
from tools.packaging.texts import Words

PRINTABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Co", "Cn")), max_size=60
)


class Reader(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: List[str] = []
        self.cells: List[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        if tag in ("td", "p", "li"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells and data.strip():
            self.cells[-1] += data


def read(markdown: str) -> Reader:
    reader = Reader()
    reader.feed(to_html(markdown, Words("en", {}))[0])
    return reader


def table(*cells: str) -> str:
    return f"{row(*cells)}\n{'| :-- ' * len(cells)}|\n{row(*cells)}"


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@given(PRINTABLE)
@example("a | b")
@example("<script>alert(1)</script>")
@example("[x](javascript:alert(1)) ![y](z.png) **b** _i_ `c` ~~s~~ $m$")
@example("&lt; &amp; &#124; \\| \\")
@example("https://host/ http://x")
@example("# no heading")
@example("- no item")
@example("1. no item")
@example("---")
@example("===")
def test_a_cell_and_an_item_show_their_text(text: str) -> None:
    cell = read(table("a", text))
    assert plain(cell.cells[0]) == plain(text)
    assert set(cell.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td"}
    if plain(text):
        item = read(f"- {escape(text)}")
        assert plain("".join(item.cells)) == plain(text)
        assert set(item.tags) <= {"ul", "li"}


@given(st.text(max_size=60))
def test_any_text_is_one_line(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert all(char.isprintable() for char in escaped)
    assert read(table("a", text)).tags.count("td") == 1


def test_line_breaks_limits_and_nothing() -> None:
    assert escape("a\r\n\n b\tc\x00") == "a ↵ b\\\\tc\\\\x00"
    assert escape("x" * 500, limit=3) == "xxx …"
    assert escape(None) == "–"
    assert escape(escape("a|b")) == "a\\|b"


def test_html_in_the_text_of_a_template_stays_text() -> None:
    assert "script" not in read("<script>x</script>\n\na <b>c</b>").tags


def test_pictures_are_not_loaded() -> None:
    html, _ = to_html("![A](a.png) ![B](http://x.example/b.png)", Words("en", {}))
    assert html == "<p>A B</p>\n"


def test_a_picture_of_the_report_stands_in_its_place() -> None:
    html, _ = to_html("![1 < 2](loss.png)", Words("en", {}), {"loss": "<svg>…</svg>"})
    assert html.strip() == (
        '<figure><svg role="img" aria-label="1 &lt; 2">…</svg>'
        "<figcaption>1 &lt; 2</figcaption></figure>"
    )


def test_headings_name_what_stands_below_them() -> None:
    text = f"## 推理\n\n{table('a', 'b')}\n\n### 推理\n\n### own"
    html, parts = to_html(text, Words("zh", {}))
    assert re.findall(r'<h\d id="([^"]+)"', html) == ["inference-zh", "inference-zh-2", "part-zh"]
    assert parts == [("inference-zh", "推理")]
    assert '<table aria-labelledby="inference-zh">' in html
