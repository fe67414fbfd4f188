"""A plan as plain text for people."""

from __future__ import annotations

from typing import Any, Dict, List

from tools.files.progress import format_duration
from tools.scoring.tables import table

_SECOND = 3600


def plan_table(plan: Dict[str, Any]) -> str:
    """The whole plan; `plan` as tools.planning.plan makes it."""
    parts = [
        _head(plan),
        _parameters(plan),
        _memory(plan),
        _hours(plan),
        _score(plan),
        _doubling(plan),
        _calibration(plan),
    ]
    if "dry_run" in plan:
        parts.insert(2, _dry_run(plan["dry_run"]))
    return "\n\n".join(parts)


def _head(plan: Dict[str, Any]) -> str:
    training = plan["training"]
    worker = "card" if training["device"] != "CPU" else "worker"
    shared = training["model_parallel"]
    split = f", each share on {shared} cards" if shared > 1 else ""
    lines = [
        f"{plan['profile']}, budget {plan['budget']}, recipe {plan['recipe']} ({plan['config']})",
        f"{_several(training['cards'], worker)}, {_several(training['data_parallel'], 'share')} of "
        f"{_several(training['batch'], 'row')} of {training['length']} tokens{split}; recompute "
        f"{training['recompute']}, flash attention "
        f"{'on' if training['flash_attention'] else 'off'}",
        f"{training['rows']:,} rows, {_several(training['epochs'], 'epoch')}: "
        f"{_several(training['steps'], 'step')}, "
        f"{training['tokens']:,} tokens, {training['operations']:.3g} operations",
        *(f"- {note}" for note in plan["assumptions"]),
    ]
    return "\n".join(lines)


def _several(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _parameters(plan: Dict[str, Any]) -> str:
    found = plan["parameters"]
    rows = [["parameters", "count"]]
    rows += [[f"  {name}", f"{size:,}"] for name, size in found["by_module"].items()]
    rows += [
        [f"trained, rank {found['rank']}", f"{found['trained']:,}"],
        ["base model", f"{found['total']:,}"],
        [f"ratio, of {found['denominator']:,}", f"{found['ratio']:.9f}"],
    ]
    return table(rows)


def _dry_run(found: Dict[str, Any]) -> str:
    rows = [
        ["dry run: MindFormers' network", ""],
        ["trained parameters", f"{found['trained']:,}"],
        ["base parameters", f"{found['total']:,}"],
        ["weights, GiB", f"{found['bytes'] / (1 << 30):.3f}"],
        ["built in", f"{found['build_seconds']:.1f} s"],
    ]
    if found["compile_seconds"] is not None:
        rows.append(["step compiled in", f"{found['compile_seconds']:.1f} s"])
    rows.append(["process, GiB", f"{found['peak_gib']:.2f}"])
    return (
        f"{table(rows)}\nnames, shapes and bytes are those of the formulas; without a card "
        "MindSpore tells nothing of a device's memory"
    )


def _memory(plan: Dict[str, Any]) -> str:
    memory = plan["memory"]
    where = "a card" if plan["training"]["device"] != "CPU" else "all workers"
    parts = []
    for name, stage in memory["stages"].items():
        rows = [[f"{name}, memory of {where}", "GiB"]]
        rows += [[term, f"{size:.2f}"] for term, size in stage["terms"].items()]
        rows.append(["together", f"{stage['total']:.2f}"])
        limit = memory["limit"]["usable"]
        verdict = "fits" if stage["total"] <= limit else "DOES NOT FIT"
        rows.append([f"may use: {verdict}", f"{limit:.2f}"])
        parts.append(table(rows))
    cache = memory["cache"]
    parts.append(
        f"key-value cache: {cache['a_position']:,.0f} bytes a position, "
        f"{cache['batch']} rows of {cache['positions']}"
    )
    if plan["close"]:
        parts.append("close: a formula that was never held against a card may be 5 % off")
    return "\n\n".join(parts)


def _hours(plan: Dict[str, Any]) -> str:
    hours = plan["hours"]
    step = hours["step_seconds"]
    rows = [["h:mm:ss", "least", "expected", "most"]]
    names = {
        "training": "training, start and checkpoints included",
        "squad": "SQuAD, one model",
        "valid": "validation problems, one checkpoint",
        "math": "test problems, one model",
        "evaluations": f"all of {hours['models']} models, loading included",
        "all": "together",
    }
    for key, name in names.items():
        rows.append([name, *(format_duration(_SECOND * value) for value in hours[key].values())])
    told = ", ".join(f"{step[name]:.3f}" for name in ("low", "middle", "high"))
    return f"{table(rows)}\na step: {told} s"


def _score(plan: Dict[str, Any]) -> str:
    score = plan["score"]
    minimum = score["minimum"]
    rows = [["accuracy", "score", "rank"]]
    for row in score["rows"]:
        mark = " (expected)" if row["accuracy"] == score["accuracy"] else ""
        share = f"{100 * row['accuracy']:.1f} %{mark}"
        rows.append([share, f"{row['score']:.6f}", str(row["rank"])])
    return (
        f"{table(rows)}\nonly with at least {100 * score['keep']:.0f} % of "
        f"the base model's reading (the contest's: F1 {minimum['f1']:.4f}, EM {minimum['em']:.4f})"
    )


def _doubling(plan: Dict[str, Any]) -> str:
    limit = plan["memory"]["limit"]["usable"]
    rows: List[List[str]] = [
        ["twice the", "trained", "GiB", "training", "score", "points to win back"]
    ]
    for row in plan["doubling"]:
        over = "" if row["memory"] <= limit else " !"
        rows.append(
            [
                row["what"],
                f"{row['trained']:,}",
                f"{row['memory']:.2f}{over}",
                format_duration(_SECOND * row["hours"]),
                f"{row['score']:.6f}",
                f"{row['points']:.3f}",
            ]
        )
    return f"{table(rows)}\n!: more than may be used"


def _calibration(plan: Dict[str, Any]) -> str:
    rows = [["measured (configs/measured.yaml)", "", "measured", "formula", "error"]]
    for row in plan["calibration"]:
        figure = f"{'below ' if row['bound'] else ''}{row['measured']:.4g} {row['unit']}"
        error = "within" if row["formula"] <= row["measured"] else "OVER"
        rows.append(
            [
                row["name"],
                row["what"],
                figure,
                f"{row['formula']:.4g} {row['unit']}",
                error if row["bound"] else f"{100 * row['error']:+.1f} %",
            ]
        )
    worst = ", ".join(f"{what} {100 * size:.0f} %" for what, size in plan["errors"].items())
    return f"{table(rows)}\nlargest errors: {worst}"
