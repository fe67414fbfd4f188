"""The report's tables."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

from tools.files.progress import format_duration
from tools.packaging.facts import Example, Facts
from tools.packaging.markdown import Markdown, table, text_table

_HYPERPARAMETERS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("LoRA rank", ("model", "model_config", "pet_config", "lora_rank")),
    ("LoRA alpha", ("model", "model_config", "pet_config", "lora_alpha")),
    ("LoRA dropout", ("model", "model_config", "pet_config", "lora_dropout")),
    ("LoRA on", ("model", "model_config", "pet_config", "target_modules")),
    ("sequence length", ("model", "model_config", "seq_length")),
    ("rows a worker and step", ("runner_config", "batch_size")),
    ("workers", ("parallel_config", "data_parallel")),
    ("epochs", ("runner_config", "epochs")),
    ("optimizer", ("optimizer", "type")),
    ("betas", ("optimizer", "betas")),
    ("weight decay", ("optimizer", "weight_decay")),
    ("schedule", ("lr_schedule", "type")),
    ("learning rate", ("lr_schedule", "learning_rate")),
    ("learning rate at the end", ("lr_schedule", "lr_end")),
    ("warm-up share", ("lr_schedule", "warmup_ratio")),
    ("compute type", ("model", "model_config", "compute_dtype")),
    ("seed", ("seed",)),
)


def all_tables(facts: Facts) -> Dict[str, Optional[Markdown]]:
    """Name -> table; None where there is nothing to show."""
    return {
        "overview": _overview(facts),
        "reading": _reading(facts),
        "kinds": _kinds(facts),
        "judges": _judges(facts),
        "checkpoints": _checkpoints(facts),
        "parameters": _parameters(facts),
        "training": _training(facts),
        "hyperparameters": _hyperparameters(facts),
        "corpus": _corpus(facts),
        "inference": _inference(facts),
        "right": _examples(facts.right),
        "wrong": _examples(facts.wrong),
        "environment": _environment(facts),
        "stages": _stages(facts),
        "hashes": text_table(["what", "file", "sha256"], facts.hashes),
    }


def _overview(facts: Facts) -> Markdown:
    before, after = facts.before, facts.after
    rows = [
        [name, f"{before['squad'][key]:.2f}", f"{after['squad'][key]:.2f}", f"{minimum:.2f}"]
        for name, key, minimum in (
            ("SQuAD F1", "f1", facts.minimum.f1),
            ("SQuAD EM", "em", facts.minimum.em),
        )
    ]
    accuracy = [_percent(scores["math"]["accuracy"]) for scores in (before, after)]
    rows.append(["arithmetic accuracy, %", *accuracy, None])
    return table(["", "before", "after", "to be kept"], rows)


def _reading(facts: Facts) -> Markdown:
    rows: List[List[Any]] = []
    for name, scores in (("base model", facts.before), (_best(facts), facts.after)):
        squad = scores["squad"]
        official = squad.get("official") or {}
        marks = [f"{squad['f1']:.4f}", f"{squad['em']:.4f}", squad["count"]]
        rows.append([name, *marks, *(_decimals(official.get(key)) for key in ("f1", "em"))])
    gate = f"to be kept ({100 * facts.rules.squad.keep:.0f} % of the base model)"
    rows.append([gate, f"{facts.minimum.f1:.4f}", f"{facts.minimum.em:.4f}", None, None, None])
    return table(["", "F1", "EM", "questions", "official F1", "official EM"], rows)


def _kinds(facts: Facts) -> Markdown:
    before, after = facts.before["math"], facts.after["math"]
    rows = [["all kinds", *_share(before), *_share(after)]]
    for kind in sorted({*before["by_kind"], *after["by_kind"]}):
        shares = (before["by_kind"].get(kind), after["by_kind"].get(kind))
        rows.append([kind, *_share(shares[0]), *_share(shares[1])])
    head = ["kind", "before, %", "interval", "right", "after, %", "interval", "right"]
    return table(head, rows)


def _judges(facts: Facts) -> Markdown:
    before, after = facts.before["math"], facts.after["math"]
    rows = []
    for name, share in after["judges"].items():
        mark = f"{name} (counts)" if name == after["judge"] else name
        rows.append([mark, *_share(before["judges"].get(name)), *_share(share)])
    rows.append(["without a number", None, None, before["unanswered"], None, None])
    rows[-1].append(after["unanswered"])
    head = ["judge", "before, %", "interval", "right", "after, %", "interval", "right"]
    return table(head, rows)


def _checkpoints(facts: Facts) -> Markdown:
    rows = []
    for item in facts.checkpoints:
        squad, math, contest = (item.scores[key] for key in ("squad", "math", "contest"))
        low, high = math["interval"]
        rows.append(
            [
                f"{item.number} (best)" if item.number == facts.best else item.number,
                item.step,
                f"{squad['f1']:.2f}",
                f"{squad['em']:.2f}",
                _percent(math["accuracy"]),
                f"{_percent(low)} to {_percent(high)}",
                {True: "yes", False: "no"}.get(contest["eligible"], "not known"),
                f"{contest['score']:.6f}",
            ]
        )
    head = ["checkpoint", "step", "F1", "EM", "accuracy, %", "interval", "eligible", "score"]
    return table(head, rows)


def _parameters(facts: Facts) -> Markdown:
    counts, ratio = facts.parameters, facts.after["parameters"]["ratio"]
    prescribed = counts["denominator"] == facts.rules.denominator
    rows = [
        ["trained parameters", f"{counts['trained']:,}"],
        ["parameters of the model", f"{counts['total']:,}"],
        [
            "divided by (prescribed)" if prescribed else "divided by (the model's own)",
            f"{counts['denominator']:,}",
        ],
        ["low-parameter ratio", f"{ratio:.9f}"],
    ]
    return table(["", "count"], rows)


def _training(facts: Facts) -> Markdown:
    steps = facts.steps
    tail = steps[-max(1, len(steps) // 10) :]
    rows = [
        ["steps", f"{steps[-1].step:,}"],
        ["loss at the first step", f"{steps[0].loss:.4f}"],
        ["loss, mean of the last tenth", f"{sum(step.loss for step in tail) / len(tail):.4f}"],
        ["seconds a step, median", f"{sorted(s.seconds for s in steps)[len(steps) // 2]:.2f}"],
    ]
    return table(["", ""], rows)


def _hyperparameters(facts: Facts) -> Markdown:
    rows = [(name, _find(facts.config, path)) for name, path in _HYPERPARAMETERS]
    return text_table(["setting", "value"], [row for row in rows if row[1] is not None])


def _corpus(facts: Facts) -> Markdown:
    names = ["rows", "unique", "duplicates", "train", "valid", "test"]
    kinds = facts.corpus.get("kinds") or {}
    splits = facts.corpus.get("splits") or {}
    rows = [["all kinds", *({**facts.corpus, **splits}.get(name) for name in names)]]
    names.append("style")
    rows[0].append("")
    rows += [[kind, *(counts.get(name) for name in names)] for kind, counts in kinds.items()]
    return table(["kind", *names], rows)


def _inference(facts: Facts) -> Markdown:
    rows = []
    for name, value in facts.evaluation.items():
        if isinstance(value, list):  # squad=20, math=128
            value = ", ".join(str(item).replace("=", " ") for item in value)
        rows.append([name.replace("_", " "), value])
    return text_table(["setting", "value"], [["decoding", "greedy"], *rows])


def _examples(examples: Sequence[Example]) -> Optional[Markdown]:
    return text_table(["kind", "problem", "answer", "reference"], examples) if examples else None


def _environment(facts: Facts) -> Markdown:
    rows: List[List[Any]] = [
        ["run", facts.run],
        *([name, facts.profile[name]] for name in sorted(facts.profile) if name != "artifacts"),
    ]
    commits = dict.fromkeys(str(stage.get("commit")) for stage in facts.stages)
    rows.append(["commit", ", ".join(commits) or "not known"])
    versions: Dict[str, Any] = {}
    machine: Dict[str, Any] = {}
    for stage in facts.stages:
        versions.update(stage.get("versions") or {})
        machine.update(stage.get("machine") or {})
    rows += [[name, version] for name, version in versions.items()]
    rows += [[name.replace("_mb", ", MB"), value] for name, value in machine.items()]
    return text_table(["", "value"], rows)


def _stages(facts: Facts) -> Markdown:
    rows = [
        [stage.get("stage"), format_duration(stage["seconds"]), f"{stage['peak_memory_mb']:,.0f}"]
        for stage in facts.stages
    ]
    if rows:
        seconds = sum(stage["seconds"] for stage in facts.stages)
        peak = max(stage["peak_memory_mb"] for stage in facts.stages)
        rows.append(["all", format_duration(seconds), f"{peak:,.0f}"])
    return table(["stage", "wall time", "peak memory, MB"], rows)


def _best(facts: Facts) -> str:
    return f"checkpoint {facts.best} (best)"


def _share(share: Optional[Dict[str, Any]]) -> List[Optional[str]]:
    if share is None:
        return [None, None, None]
    low, high = share["interval"]
    interval = f"{_percent(low)} to {_percent(high)}"
    return [_percent(share["accuracy"]), interval, f"{share['correct']} of {share['count']}"]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _decimals(value: Optional[float]) -> Optional[str]:
    return None if value is None else f"{value:.4f}"


def _find(config: Dict[str, Any], path: Sequence[str]) -> Any:
    value: Any = config
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value
