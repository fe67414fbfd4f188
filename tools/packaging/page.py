"""The report: report.md, and report.html with both languages, from one template and its words."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from tools.files.atomic import atomic_path, write_json
from tools.files.progress import format_duration
from tools.files.text import read_text
from tools.packaging import layout
from tools.packaging.facts import Facts, gather
from tools.packaging.pictures import right_lines, save_all, svg_of_all
from tools.packaging.provenance import ROOT
from tools.packaging.template import Markdown, code, escape, fill, row, table
from tools.packaging.texts import LANGUAGES, Words, read_texts
from tools.scoring.arithmetic import wilson

TEMPLATES = ROOT / "submission"
SUMS = ("add", "subtract")
_UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


def write_report(
    run: Union[str, Path], output: Union[str, Path], templates: Path = TEMPLATES
) -> Facts:
    """Write report.md, report.html, hashes.json and three figures into `output`, all or nothing.

    The page needs no other file and no network. `output` is replaced as a whole. Raises
    UserError naming what the run lacks.
    """
    facts, method = gather(Path(run)), own_words(templates)
    with atomic_path(output) as folder:
        folder.mkdir()
        save_all(facts, folder)
        # The hashed files are too large to be handed in, their hashes are not.
        write_json(folder / "hashes.json", {"hashes": [item._asdict() for item in facts.hashes]})
        text = render_markdown(facts, method, templates)
        (folder / "report.md").write_text(text, encoding="utf-8")
        page = render_page(facts, method, templates)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return facts


def own_words(templates: Path = TEMPLATES) -> str:
    """Return what the team adds, as Markdown: submission/method.md, if it is there."""
    path = templates / "method.md"
    return read_text(path) if path.is_file() else ""


def render_markdown(
    facts: Facts, method: str = "", templates: Path = TEMPLATES, language: str = "en"
) -> str:
    """Fill in report.md.j2; every value that it shows is escaped."""
    words = words_of(facts, language)
    commits = list(dict.fromkeys(str(stage.get("commit")) for stage in facts.stages))
    values = {
        **facts._asdict(),
        "facts": facts,
        "layout": layout,
        "say": words.say,
        "label": words.label,
        "opening": opening(facts, words),
        "verdict": verdict(facts, words),
        "commits": commits,
        "dirty": any(commit.endswith("-dirty") for commit in commits),
        "head": partial(_head, words),
        "source": partial(_source, words),
        "share": partial(_share, words),
        "percent": _percent,
        "counts": lambda counts, names: [counts.get(name) for name in names],
        "merged": _merged,
        "right_lines": right_lines,
        "duration": format_duration,
        "shortened": shortened,
        "code": code,
        "row": row,
        "method": Markdown(method.strip()),
    }
    return fill(templates / "report.md.j2", values, autoescape=False, finalize=escape)


def render_page(facts: Facts, method: str = "", templates: Path = TEMPLATES) -> str:
    """Fill in report.html.j2 with the report in both languages, its pictures in it."""
    script = (templates / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    articles = []
    for language, tag in LANGUAGES.items():
        words = words_of(facts, language)
        text = render_markdown(facts, method, templates, language)
        html, parts = to_html(text, words, svg_of_all(facts, words))
        head, _, body = html.partition("<h2")
        articles.append(
            {
                "language": tag,
                "title": f"{words.say('page.title')} · {facts.run}",
                "contents": words.say("page.contents"),
                "parts": parts,
                "head": head,
                "body": f"<h2{body}",
            }
        )
    values = {
        "articles": articles,
        "tone": facts.tone,
        "style": (templates / "report.css").read_text(encoding="utf-8"),
        "script": script,
        # The page may run this script and nothing else.
        "script_hash": f"sha256-{digest}",
    }
    return fill(
        templates / "report.html.j2", values, autoescape=False, finalize=lambda value: value
    )


def to_html(
    text: str, words: Words, pictures: Optional[Dict[str, str]] = None
) -> Tuple[str, List[Tuple[str, str]]]:
    """Return a Markdown report as HTML, and (id, HTML) of its headings of the second level.

    HTML in the text stays text. `NAME.png` becomes the picture NAME with its caption; any other
    picture is not loaded: its words stay. Tables are named by the heading above them.
    """
    from markdown_it import MarkdownIt

    drawn = pictures or {}

    def image(tokens: Any, place: int, options: Any, environment: Any) -> str:
        caption = parser.renderer.renderInlineAsText(tokens[place].children, options, environment)
        caption = _html(caption)
        svg = drawn.get(str(tokens[place].attrs["src"]).replace(".png", ""))
        if svg is None:
            return caption
        svg = svg.replace("<svg", f'<svg role="img" aria-label="{caption}"', 1)
        return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.renderer.rules["image"] = image  # type: ignore[attr-defined]
    tokens = parser.parse(text)
    names = {words.say(f"headings.{name}"): name for name in read_texts()["headings"]}
    heading, taken, parts = "", [], []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            title = tokens[place + 1].content
            heading = f"{names.get(title, 'part')}-{words.language}"
            taken.append(heading)
            heading += f"-{taken.count(heading)}" if taken.count(heading) > 1 else ""
            token.attrSet("id", heading)
            if token.tag == "h2":
                parts.append((heading, _html(title)))
        elif token.type in ("table_open", "code_block"):
            token.attrSet("aria-labelledby" if token.tag == "table" else "class", heading)
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        elif token.type == "td_open" and tokens[place - 1].type == "tr_open":
            token.tag = tokens[place + 2].tag = "th"
            token.attrSet("scope", "row")
        elif token.type == "inline" and [child.type for child in token.children] == ["image"]:
            tokens[place - 1].hidden = tokens[place + 1].hidden = True  # no paragraph around it
    html = parser.renderer.render(tokens, parser.options, {})
    # A wide table scrolls by itself; the page around it does not.
    scroll = r'<div class="scroll" role="region" tabindex="0"\1><table\1>'
    html = re.sub(r"<table( [^>]*)?>", scroll, html).replace("</table>", "</table></div>")
    return html, parts


def words_of(facts: Facts, language: str) -> Words:
    """Return the words of a language, which may name what was measured."""
    tail = facts.steps[-max(1, len(facts.steps) // 10) :]
    values = {
        **facts._asdict(),
        "first": facts.steps[0],
        "last": facts.steps[-1],
        "tail": sum(step.loss for step in tail) / len(tail),
        "teams": len(facts.rules.leaderboard),
        "about": facts.profile.get("about") or facts.profile.get("profile", facts.run),
    }
    judge = Words(language, {}).label("judges", facts.after["math"]["judge"])
    return Words(language, {**values, "judge": judge})


def opening(facts: Facts, words: Words) -> str:
    """Say what the model can do now that it could not before, or that this cannot be told."""
    seconds = sum(step.seconds for step in facts.steps)
    unit, size = next((pair for pair in _UNITS if seconds >= 2 * pair[1]), _UNITS[-1])
    low, high = facts.after["math"]["interval"]
    sides = [
        [scores["math"]["by_kind"].get(kind) for kind in SUMS]
        for scores in (facts.before, facts.after)
    ]
    was, right = (sum(share["correct"] for share in side if share) for side in sides)
    count = sum(share["count"] for share in sides[1] if share)
    sums = ""
    if count:
        ends = dict(zip(("low", "high"), wilson(right, count)))
        sums = words.say("opening.sums", right=right, count=count, was=was, **ends)
    return words.say(
        f"opening.{facts.progress}",
        time=words.say(f"opening.{unit}", amount=seconds / size),
        unit=words.say("opening.given" if facts.records.get("given") else "opening.unseen"),
        low=low,
        high=high,
        sums=sums,
    )


def verdict(facts: Facts, words: Words) -> List[str]:
    """Say whether the model is eligible and what reading came to, the score, the rank."""
    names = ["kept", "score"] if facts.eligible else ["lost", "score_void"]
    if not facts.eligible or facts.after["contest"]["rank"] is None:
        return [words.say(f"verdict.{name}") for name in (*names, "no_rank")]
    names.append("rank" if facts.contest_model else "rank_void")
    return [words.say(f"verdict.{name}") for name in names]


def shortened(answer: str, first: int = 20, last: int = 4, width: int = 100) -> str:
    """Return an answer whose middle lines, and whose lines beyond `width`, give way to an ellipsis.

    The end stays: a worked solution has its result there.
    """
    lines = answer.strip().splitlines()
    if len(lines) > first + last + 1:
        lines = [*lines[:first], "…", *lines[-last:]]
    return "\n".join(line if len(line) <= width else line[:width] + " …" for line in lines)


def _head(words: Words, *names: str, numbers: bool = True) -> Markdown:
    return table([words.say(f"words.{name}") for name in names], [], numbers)


def _source(words: Words, *files: str) -> Markdown:
    listed = words.say("page.list").join(f"`{name}`" for name in files)
    return Markdown(f"*{words.say('page.source')}* {listed}")


def _share(words: Words, share: Optional[Dict[str, Any]]) -> List[Optional[str]]:
    """Return the cells of a share: in percent, its interval, right of how many."""
    if share is None:
        return [None, None, None]
    low, high = map(_percent, share["interval"])
    interval = words.say("words.range", low=low, high=high)
    return [_percent(share["accuracy"]), interval, words.say("words.of", **share)]


def _percent(share: Optional[float]) -> Optional[str]:
    return None if share is None else f"{share:.2%}"


def _merged(stages: List[Dict[str, Any]], part: str) -> Dict[str, Any]:
    """Return "versions" or "machine" of all stages."""
    return {name: value for stage in stages for name, value in (stage.get(part) or {}).items()}


def _html(text: str) -> str:
    from markupsafe import escape as escape_html

    return str(escape_html(text))
