"""What a corpus costs in tokens: tokens.json and corpus.png, for each tokenizer asked about.

Not in corpus.json, since it depends on tokenizer, prompt and seq_length too: there a change of
one of these would make the corpus anew, and all that is made of it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from tools.corpus.grammar import Rounding, parse
from tools.corpus.kinds import ENGLISH, in_order
from tools.corpus.rows import Row, read_rows
from tools.corpus.worked.restate import restate
from tools.corpus.worked.styles import STYLES, Style
from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.records.corpus_picture import draw_corpus
from tools.records.lengths import Text, measure
from tools.settings.resolve import read_resolved

# Rows lie mixed in the file: so many from its beginning tell the percentiles of all.
_MEASURED_ROWS = 10_000
_STYLE_ROWS = 100
# To how many places the styles are compared, whatever the recipe has.
_PLACES, _FUNCTION_PLACES = Rounding(decimals=4), Rounding(significant=6)


def describe_corpus(
    folder: Path,
    tokenizers: Sequence[Path],
    frame: str,
    seq_length: int,
    records: Optional[Path] = None,
) -> Dict[str, Any]:
    """Write FOLDER/tokens.json and FOLDER/corpus.png; return what tokens.json says.

    For each tokenizer, by kind: percentiles of the lengths of the training examples (prompt,
    solution and EOS), the share of those that do not fit into `seq_length`, and what each style
    of solution costs, as mean and longest over the same 100 problems. `records`, made of this
    corpus with the first tokenizer, have counted their lengths already: these are taken.

    Raises UserError where the folder holds no corpus, where the records were made with another
    frame or length, and as `measure` does.
    """
    counts = _counts(folder / "corpus.json")
    rows = list(itertools.islice(read_rows(folder / "train.jsonl"), _MEASURED_ROWS))
    texts = [(row.kind, row.problem, row.solution) for row in rows]
    styled = _in_every_style(rows)
    found = {}
    counted = _counted(records, frame, seq_length) if records else None
    for path in tokenizers:
        name = path.parent.name + "/" + path.name
        found[name] = counted or measure(texts, path, frame, seq_length)
        counted = None  # of the first tokenizer alone
        costs = measure(styled, path, frame, seq_length)["lengths"] if styled else {}
        found[name]["styles"] = _by_kind(costs, list(counts))
    measured = next(iter(found.values()))["lengths"]
    summary = {
        "rows_measured": measured["all"]["count"] if measured else 0,
        "prompt": frame,
        "style_places": {"decimals": _PLACES.decimals, "function": _FUNCTION_PLACES.significant},
        "tokenizers": found,
    }
    with contextlib.ExitStack() as stack:
        # tokens.json last: its existence means that the picture is there.
        tokens, picture = (
            stack.enter_context(atomic_path(folder / name))
            for name in ("tokens.json", "corpus.png")
        )
        draw_corpus(counts, summary, picture)
        tokens.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return summary


def _counted(records: Path, frame: str, seq_length: int) -> Dict[str, Any]:
    told = read_resolved(Path(f"{records}.json"), ["frame", "seq_length", "lengths", "over"])
    if (told["frame"], told["seq_length"]) != (frame, seq_length):
        what = f"were made with --prompt {told['frame']} --seq-length {told['seq_length']}"
        raise UserError(what, records, "give the same, or leave out --records")
    return {key: told[key] for key in ("seq_length", "lengths", "over")}


def _counts(path: Path) -> Dict[str, Any]:
    try:
        counts = json.loads(path.read_text("utf-8"))
        return {kind: dict(counts["kinds"][kind]) for kind in in_order(counts["kinds"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError("no corpus stands here", path, "make it with `convert math`") from error


def _in_every_style(rows: Sequence[Row]) -> List[Text]:
    taken: Dict[str, int] = {}
    texts: List[Text] = []
    for row in rows:
        if taken.get(row.kind, 0) >= _STYLE_ROWS:
            continue
        taken[row.kind] = taken.get(row.kind, 0) + 1
        plain = row if row.kind == ENGLISH else row._replace(solution="")
        for name in STYLES[row.kind]:
            texts.append((_label(row.kind, name), row.problem, _stated(plain, name)))
    return texts


def _stated(row: Row, name: str) -> str:
    rounding = _FUNCTION_PLACES if row.kind == "function" else _PLACES
    if name == "source" and row.kind != ENGLISH:
        from tools.corpus.render import solution_text

        return solution_text(parse(row.problem))
    return restate(row, {row.kind: Style(name, rounding)}).solution


def _label(kind: str, style: str) -> str:
    return f"{kind} {style}"


def _by_kind(
    costs: Dict[str, Dict[str, Any]], kinds: Sequence[str]
) -> Dict[str, Dict[str, Dict[str, Any]]]:
    result: Dict[str, Dict[str, Dict[str, Any]]] = {}
    for kind in kinds:
        for style in STYLES[kind]:
            cost = costs.get(_label(kind, style))
            if cost:
                result.setdefault(kind, {})[style] = {"mean": cost["mean"], "max": cost["max"]}
    return result
