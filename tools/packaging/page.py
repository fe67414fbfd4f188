"""report.html: one file, in both languages, that needs no other file and no network."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tools.packaging import sentences
from tools.packaging.charts import charts
from tools.packaging.facts import Facts
from tools.packaging.markdown import to_html
from tools.packaging.parts import parts
from tools.packaging.run_tables import shortened
from tools.packaging.template import fill
from tools.packaging.texts import Text, say

# As `lang` attributes name them; the same as in report.js.
ENGLISH, CHINESE = "en", "zh-Hans"


class Card(NamedTuple):
    """A measure before and after, from 0 to 100; `least` is what must be kept."""

    name: Text
    before: float
    after: float
    least: Optional[float]
    note: Text


def render_page(facts: Facts, method: str, templates: Path) -> str:
    """Fill in report.html.j2, its style and script put in.

    method  what the team writes itself, as Markdown; may be empty.
    """
    from markupsafe import Markup

    script = (templates / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    values = {
        **parts(facts),
        "style": Markup((templates / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        # The page may run this script and nothing else.
        "script_hash": f"sha256-{digest}",
        "title": Text(*(f"{say('page.title')[side]} · {facts.run}" for side in range(2))),
        "measures": _measures(facts),
        "cards": _cards(facts),
        "charts": charts(facts),
        # to_html lets no HTML of the text through.
        "method": Markup(to_html(method)) if method.strip() else None,
        "shortened": shortened,
    }
    return fill(templates / "report.html.j2", values, autoescape=True, finalize=in_both)


def in_both(value: Any) -> Any:
    """A Text as two spans, of which the page shows that of its language; None as a dash."""
    from markupsafe import Markup

    if value is None:
        return "–"
    if not isinstance(value, Text):
        return value
    # A percent sign does not begin a line.
    value = Text(*(side.replace(" %", "\u00a0%") for side in value))
    if value.en == value.zh:
        return value.en
    span = Markup('<span class="t" lang="{}">{}</span>')
    return span.format(ENGLISH, value.en) + span.format(CHINESE, value.zh)


def _measures(facts: Facts) -> List[Tuple[Text, str]]:
    """What stands large in the verdict: the score, the rank where it means something, the rest."""
    contest = facts.after["contest"]
    shown = [(say("cards.score"), f"{contest['score']:.6f}")]
    if facts.eligible and facts.contest_model and contest["rank"] is not None:
        shown.append((say("cards.rank", teams=sentences.teams(facts)), str(contest["rank"])))
    shown.append((say("cards.accuracy"), f"{100 * facts.after['math']['accuracy']:.2f} %"))
    ratio = facts.after["parameters"]["ratio"]
    return [*shown, (say("cards.ratio"), f"{ratio:.6f}")]


def _cards(facts: Facts) -> List[Card]:
    cards = []
    for key in ("f1", "em"):
        least = getattr(facts.minimum, key)
        before, after = facts.before["squad"][key], facts.after["squad"][key]
        cards.append(
            Card(say(f"cards.{key}"), before, after, least, say("cards.keep", least=least))
        )
    math: Dict[str, Any] = facts.after["math"]
    shares = [100 * scores["math"]["accuracy"] for scores in (facts.before, facts.after)]
    low, high = (100 * end for end in math["interval"])
    note = say("cards.interval", low=low, high=high)
    return [*cards, Card(say("cards.accuracy"), *shares, None, note)]
