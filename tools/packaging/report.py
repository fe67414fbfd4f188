"""The report: report.md and report.html with the figures, from a run's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from tools.files.atomic import atomic_path, write_json
from tools.packaging.facts import Facts, gather
from tools.packaging.figures import draw_figures
from tools.packaging.markdown import Markdown, code, escape, table, text_table
from tools.packaging.page import render_page
from tools.packaging.parts import parts
from tools.packaging.provenance import ROOT
from tools.packaging.run_tables import shortened
from tools.packaging.tables import Table
from tools.packaging.template import fill
from tools.packaging.texts import say

TEMPLATES = ROOT / "submission"


def write_report(
    run: Union[str, Path], output: Union[str, Path], templates: Path = TEMPLATES
) -> Facts:
    """Write report.md, report.html, hashes.json and three figures into `output`, all or nothing.

    The page needs no other file and no network. `output` is replaced as a whole. Raises
    UserError naming what the run lacks.
    """
    facts = gather(Path(run))
    with atomic_path(output) as folder:
        folder.mkdir()
        draw_figures(facts, folder)
        # The hashed files are too large to be handed in, their hashes are not.
        write_json(folder / "hashes.json", {"hashes": [item._asdict() for item in facts.hashes]})
        text = render_markdown(facts, templates)
        (folder / "report.md").write_text(text, encoding="utf-8")
        page = render_page(facts, _method(templates), templates)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return facts


def render_markdown(facts: Facts, templates: Path = TEMPLATES) -> str:
    """The template report.md.j2 filled in; every value that it shows is escaped.

    In English alone: Markdown has no switch, and report.html has both languages.
    """
    values = parts(facts)
    values["tables"] = {name: _table(content) for name, content in values["tables"].items()}
    values.update(code=code, shortened=shortened)
    values["method"] = Markdown(_method(templates).strip())
    return fill(templates / "report.md.j2", values, autoescape=False, finalize=escape)


def _method(templates: Path) -> str:
    """What the team adds in its own words: submission/method.md, if it is there."""
    path = templates / "method.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _table(content: Table) -> Markdown:
    cells = (table if content.numbers else text_table)(content.head, content.rows)
    files = ", ".join(f"`{name}`" for name in content.sources)
    return Markdown(f"{cells}\n\n{say('page.source')} {files}")
