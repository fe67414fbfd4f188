"""The report's tables on how the model was made: training, data, answers, versions, hashes."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from tools.files.progress import format_duration
from tools.packaging import layout
from tools.packaging.facts import Facts
from tools.packaging.sentences import tail_loss
from tools.packaging.tables import Table, columns
from tools.packaging.texts import label, say

_PET = ("model", "model_config", "pet_config")
_SETTINGS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("lora_rank", (*_PET, "lora_rank")),
    ("lora_alpha", (*_PET, "lora_alpha")),
    ("lora_dropout", (*_PET, "lora_dropout")),
    ("target_modules", (*_PET, "target_modules")),
    ("seq_length", ("model", "model_config", "seq_length")),
    ("batch_size", ("runner_config", "batch_size")),
    ("workers", ("parallel_config", "data_parallel")),
    ("epochs", ("runner_config", "epochs")),
    ("optimizer", ("optimizer", "type")),
    ("lora_plus_ratio", ("optimizer", "lora_plus_ratio")),
    ("betas", ("optimizer", "betas")),
    ("weight_decay", ("optimizer", "weight_decay")),
    ("schedule", ("lr_schedule", "type")),
    ("learning_rate", ("lr_schedule", "learning_rate")),
    ("lr_end", ("lr_schedule", "lr_end")),
    ("warmup_ratio", ("lr_schedule", "warmup_ratio")),
    ("compute_type", ("model", "model_config", "compute_dtype")),
    ("seed", ("seed",)),
)


def run_tables(facts: Facts) -> Dict[str, Table]:
    """Name -> table of what the run used and did."""
    tables = (training, hyperparameters, corpus, inference, environment, stages, hashes)
    return {table.__name__: table(facts) for table in tables}


def training(facts: Facts) -> Table:
    """Steps, the loss at both ends, how long a step took."""
    steps = facts.steps
    rows = [
        [say("cells.steps"), f"{steps[-1].step:,}"],
        [say("cells.first_loss"), f"{steps[0].loss:.4f}"],
        [say("cells.tail_loss"), f"{tail_loss(facts):.4f}"],
        [say("cells.step_time"), f"{sorted(s.seconds for s in steps)[len(steps) // 2]:.2f}"],
    ]
    return Table(say("captions.training"), columns("item", "value"), rows, (layout.LOSSES,))


def hyperparameters(facts: Facts) -> Table:
    """The settings of the training that people ask for first."""
    found = [(name, _find(facts.config, path)) for name, path in _SETTINGS]
    rows = [[label("settings", name), value] for name, value in found if value is not None]
    head = columns("setting", "value")
    return Table(say("captions.hyperparameters"), head, rows, (layout.FINETUNE,), numbers=False)


def corpus(facts: Facts) -> Table:
    """Rows by kind, before and after duplicates went, and by split."""
    names = ["rows", "unique", "duplicates", "train", "valid", "test"]
    by_kind = facts.corpus.get("kinds") or {}
    splits = facts.corpus.get("splits") or {}
    totals = {**facts.corpus, **splits}
    rows: List[List[Any]] = [[say("cells.all_kinds"), *(totals.get(name) for name in names), None]]
    names.append("style")
    for kind, counts in by_kind.items():
        rows.append([label("kinds", kind), *(counts.get(name) for name in names)])
    return Table(say("captions.corpus"), columns("kind", *names), rows, (layout.CORPUS,))


def inference(facts: Facts) -> Table:
    """The settings of the decoding."""
    rows: List[List[Any]] = [[say("cells.decoding"), say("cells.greedy")]]
    for name, value in facts.evaluation.items():
        if isinstance(value, list):  # squad=20, test=128
            value = ", ".join(str(item).replace("=", " ") for item in value)
        rows.append([label("decoding", name), value])
    head, files = columns("setting", "value"), (layout.EVALUATION,)
    return Table(say("captions.inference"), head, rows, files, numbers=False)


def shortened(answer: str, first: int = 20, last: int = 4, width: int = 100) -> str:
    """An answer whose middle lines, and whose lines beyond `width`, give way to an ellipsis.

    The end stays: a worked solution has its result there.
    """
    lines = answer.strip().splitlines()
    if len(lines) > first + last + 1:
        lines = [*lines[:first], "…", *lines[-last:]]
    return "\n".join(line if len(line) <= width else line[:width] + " …" for line in lines)


def environment(facts: Facts) -> Table:
    """The profile, the commit, versions and the machine."""
    rows: List[List[Any]] = [[say("cells.run"), facts.run]]
    for name in sorted(facts.profile):
        if name != "artifacts":
            rows.append([label("environment", name), facts.profile[name]])
    commits = dict.fromkeys(str(stage.get("commit")) for stage in facts.stages)
    rows.append([say("cells.commit"), ", ".join(commits) or say("cells.unknown")])
    versions: Dict[str, Any] = {}
    machine: Dict[str, Any] = {}
    for stage in facts.stages:
        versions.update(stage.get("versions") or {})
        machine.update(stage.get("machine") or {})
    # Packages keep their names in both languages.
    rows += [[name, version] for name, version in versions.items()]
    rows += [[label("environment", name), value] for name, value in machine.items()]
    head, files = columns("item", "value"), (layout.PROFILE, layout.STAGES)
    return Table(say("captions.environment"), head, rows, files, numbers=False)


def stages(facts: Facts) -> Table:
    """Wall time and memory of every stage, and of all."""
    rows: List[List[Any]] = [
        [
            label("stages", str(stage.get("stage"))),
            format_duration(stage["seconds"]),
            f"{stage['peak_memory_mb']:,.0f}",
        ]
        for stage in facts.stages
    ]
    if rows:
        seconds = sum(stage["seconds"] for stage in facts.stages)
        peak = max(stage["peak_memory_mb"] for stage in facts.stages)
        rows.append([say("cells.all_stages"), format_duration(seconds), f"{peak:,.0f}"])
    head = columns("stage", "time", "memory")
    return Table(say("captions.stages"), head, rows, (layout.STAGES,))


def hashes(facts: Facts) -> Table:
    """What was used and made, by its sha256."""
    rows = [
        [label("hashes", item.name), item.file, item.packed, item.sha256] for item in facts.hashes
    ]
    head = [*columns("what", "file", "packed"), "sha256"]
    return Table(say("captions.hashes"), head, rows, (layout.HASHES,), numbers=False)


def _find(config: Dict[str, Any], path: Sequence[str]) -> Any:
    value: Any = config
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value
