"""The report: report.md and report.html with the figures, from a run's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Union

from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.packaging import sentences, tables
from tools.packaging.facts import Facts, gather
from tools.packaging.figures import draw_figures
from tools.packaging.markdown import escape, to_html
from tools.packaging.provenance import ROOT

TEMPLATES = ROOT / "submission"


def write_report(
    run: Union[str, Path], output: Union[str, Path], templates: Path = TEMPLATES
) -> Facts:
    """Write report.md, report.html and three figures into `output`, all or nothing.

    The page needs no other file and no network. `output` is replaced as a whole. Raises
    UserError naming what the run lacks.
    """
    facts = gather(Path(run))
    with atomic_path(output) as folder:
        folder.mkdir()
        draw_figures(facts, folder)
        text = render_markdown(facts, templates)
        (folder / "report.md").write_text(text, encoding="utf-8")
        page = render_html(facts, text, folder, templates)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return facts


def render_markdown(facts: Facts, templates: Path = TEMPLATES) -> str:
    """The template report.md.j2 filled in; every value that it shows is escaped."""
    return _render(templates / "report.md.j2", context(facts), markdown=True)


def render_html(facts: Facts, text: str, folder: Path, templates: Path = TEMPLATES) -> str:
    """`text` (report.md, its pictures in `folder`) in the frame of report.html.j2."""
    from markupsafe import Markup

    values = {
        "title": sentences.title(facts),
        "tone": "good" if facts.eligible else "bad",
        # to_html lets no HTML of the text through.
        "body": Markup(to_html(text, folder)),
    }
    return _render(templates / "report.html.j2", values, markdown=False)


def context(facts: Facts) -> Dict[str, Any]:
    """The names that report.md.j2 may use."""
    return {
        "title": sentences.title(facts),
        "verdict": sentences.verdict(facts),
        "caveats": sentences.caveats(facts),
        "corpus_note": sentences.corpus(facts),
        "records_note": sentences.records(facts),
        "questions": facts.after["squad"]["count"],
        "judge": facts.after["math"]["judge"],
        "tables": tables.all_tables(facts),
        "facts": facts,
    }


def _render(path: Path, values: Dict[str, Any], markdown: bool) -> str:
    from jinja2 import Environment, StrictUndefined, TemplateError

    environment = Environment(
        autoescape=not markdown,
        finalize=escape if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(path.read_text(encoding="utf-8")).render(values)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else str(path)
        raise UserError(f"the template cannot be used, {error}", where, "correct it") from error
