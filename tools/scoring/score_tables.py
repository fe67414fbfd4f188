"""Scores as plain text for people."""

from __future__ import annotations

import unicodedata
from typing import Any, Dict, Iterable, List, Optional, Sequence

from tools.scoring.arithmetic import JUDGES, Verdict
from tools.scoring.stated_number import Number, power_of_ten


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left, the others to the right, below a head (row 0)."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell + _room(cell, width) if column == 0 else _room(cell, width) + cell
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _room(text: str, width: int) -> str:
    return " " * (width - _width(text))


def squad_table(scores: Dict[str, Any]) -> str:
    """F1 and EM, the contest's and the official ones."""
    official = scores["official"]
    rows = [
        ["metric", "F1", "EM", "references"],
        ["contest (EmF1Metric)", _percent(scores["f1"]), _percent(scores["em"]), "first only"],
        [
            "official SQuAD 1.1",
            _percent(official["f1"]),
            _percent(official["em"]),
            str(official["references"]),
        ],
    ]
    return f"{scores['count']} questions{_cut(scores)}\n{table(rows)}"


def math_table(scores: Dict[str, Any]) -> str:
    """Accuracy by judge and, by the contest's judge, by kind; right lines by kind where known."""
    head = ["right", "of", "accuracy", "95 % interval"]
    judges = [["judge", *head]]
    for name, share in scores["judges"].items():
        mark = " (contest)" if name == scores["judge"] else ""
        judges.append([name + mark, *_share_cells(share)])
    lines = scores.get("lines")
    kinds = [["kind", *head]]
    kinds += [[kind, *_share_cells(share)] for kind, share in scores["by_kind"].items()]
    if lines:
        kinds[0].append("right lines")
        for row in kinds[1:]:
            row.append(_lines_cell(lines["by_kind"].get(row[0])))
        kinds.append(["all", *_share_cells(scores), _lines_cell(lines)])
    without = f"{scores['unanswered']} answers hold no number{_cut(scores)}"
    return f"{table(judges)}\n\n{table(kinds)}\n\n{without}"


def contest_table(result: Dict[str, Any]) -> str:
    """Score, eligibility, rank, and what more would bring."""
    words = {True: "yes", False: "no", None: "not known"}
    rank = "none" if result["rank"] is None else str(result["rank"])
    rows = [
        ["contest", "value"],
        ["accuracy", f"{100 * result['accuracy']:.2f} %"],
        ["low-parameter ratio", f"{result['ratio']:.9f}"],
        ["score", f"{result['score']:.9f}"],
        ["eligible", words[result["eligible"]]],
        ["rank", rank],
        ["one more point of accuracy", f"{result['worth']['point']:+.6f}"],
        ["twice the trained parameters", f"{result['worth']['doubling']:+.6f}"],
    ]
    following = result["worth"]["next"]
    if following:
        needed = following["accuracy"]
        reach = "out of reach" if needed is None else f"{100 * needed:.2f} %"
        rows.append([f"accuracy for rank {following['rank']}", reach])
    return table(rows)


def disagreement_table(verdicts: Iterable[Verdict]) -> str:
    """A Markdown table of answers with every judge's verdict on each."""
    shown = list(verdicts)
    names = list(shown[0].right) if shown else list(JUDGES)
    rows: List[List[str]] = [["id", "kind", "answer", "reference", *names]]
    for verdict in shown:
        marks = ["yes" if verdict.right[name] else "no" for name in names]
        cells = [verdict.id, verdict.kind, _cell(verdict.found), _cell(verdict.wanted)]
        rows.append([cell.replace("|", "/") for cell in cells] + marks)
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def run_table(scores: Dict[str, Any]) -> str:
    """The four parts of scores.json in a line each."""
    contest, lines = scores["contest"], scores["math"].get("lines")
    told = f", right lines {_lines_cell(lines)}" if lines else ""
    return "\n".join(
        [
            f"SQuAD F1 {scores['squad']['f1']:.2f}, EM {scores['squad']['em']:.2f}"
            f"{_cut(scores['squad'])}",
            f"accuracy {100 * scores['math']['accuracy']:.2f} % ({scores['math']['judge']}){told}"
            f"{_cut(scores['math'])}",
            f"trained {scores['parameters']['trained']}, ratio {scores['parameters']['ratio']:.9f}",
            f"eligible {contest['eligible']}, score {contest['score']:.9f}, rank {contest['rank']}",
        ]
    )


def checkpoints_table(result: Dict[str, Any]) -> str:
    """Every checkpoint's scores, the chosen one marked."""
    words = {True: "yes", False: "no", None: "not known"}
    rows = [["checkpoint", "step", "F1", "EM", "accuracy", "right lines", "eligible", "score"]]
    for row in result["checkpoints"]:
        chosen = " (chosen)" if row["checkpoint"] == result["checkpoint"] else ""
        rows.append(
            [
                f"{row['checkpoint']}{chosen}",
                str(row["step"]),
                _percent(row["f1"]),
                _percent(row["em"]),
                f"{100 * row['accuracy']:.2f} %",
                _lines_cell(row.get("lines")),
                words[row["eligible"]],
                f"{row['score']:.6f}",
            ]
        )
    return table(rows)


def _share_cells(share: Dict[str, Any]) -> List[str]:
    low, high = (f"{100 * end:.1f}" for end in share["interval"])
    accuracy = _percent(100 * share["accuracy"])
    return [str(share["correct"]), str(share["count"]), accuracy, f"{low} to {high}"]


def _cut(scores: Dict[str, Any]) -> str:
    cut = scores.get("cut")
    return f", {cut} of {scores['count']} were cut at the limit of new tokens" if cut else ""


def _lines_cell(lines: Optional[Dict[str, Any]]) -> str:
    if not lines:
        return "-"
    return f"{lines['right']} of {lines['count']}, {_percent(100 * lines['share'])} %"


def _percent(value: float) -> str:
    return f"{value:.2f}"


def _cell(value: Any) -> str:
    """A number at the length that a cell of a table has room for."""
    if not isinstance(value, Number):
        return "none" if value is None else ascii(value)[:40]
    if value.decimals is None:
        return str(value.value)[:40]
    if value.exponent is None:
        return f"{value.value.numerator / value.value.denominator:.{min(value.decimals, 9)}f}"
    mantissa = value.value / power_of_ten(value.exponent)
    return f"{float(mantissa):.{min(value.decimals, 9)}f}E{value.exponent:+d}"
