"""What both forms of a report, report.md and report.html, are filled with."""

from __future__ import annotations

from typing import Any, Dict

from tools.packaging import layout, sentences
from tools.packaging.facts import Facts
from tools.packaging.run_tables import run_tables
from tools.packaging.tables import score_tables, sources_of_scores
from tools.packaging.texts import label, say


def parts(facts: Facts) -> Dict[str, Any]:
    """The names that report.md.j2 and report.html.j2 may use; words are in both languages."""
    scores = sources_of_scores(facts)
    return {
        "facts": facts,
        "opening": sentences.opening(facts),
        "subtitle": sentences.subtitle(facts),
        "tone": sentences.tone(facts),
        "verdict": sentences.verdict(facts),
        "claims": sentences.claims(facts),
        "notes": sentences.notes(facts),
        "shown": sentences.figures(facts),
        "tables": {**score_tables(facts), **run_tables(facts)},
        # Of what is no table or chart; those have their own.
        "sources": {
            "verdict": (*scores, layout.BEST, layout.PARAMETERS),
            "cards": scores,
            "data": (layout.CORPUS, layout.RECORDS),
            "answers": layout.scored_files(layout.CHOSEN)[1:],
        },
        "say": say,
        "label": label,
    }
