"""What the files beside a finetune.yaml say of its training: a profile's, or a run's.

A plan holds what one training and its evaluation would do, each value with the place that says
so. A profile makes several, one for each budget and recipe; a run's resolved files make one.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from tools.packaging.configs.document import Document, NotYaml, Step, is_count, read
from tools.packaging.configs.rules import MODEL


class Told(NamedTuple):
    """A value and where it stands."""

    value: Any
    file: Path
    line: int


class Source:
    """A file of which values are told; empty where it is missing or no YAML."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.document = Document(None)
        # What is no YAML is told where that file is checked.
        with contextlib.suppress(NotYaml, OSError):
            self.document = read(file)[1]

    def told(self, *path: Step) -> Optional[Told]:
        value = self.document.value(*path)
        return None if value is None else Told(value, self.file, self.document.line(*path))


class Plan:
    """Values by name; what no file tells is absent.

    finetune        the MindFormers config
    budget, recipe  of a profile; empty for a run
    fills_in        whether the launch fills in data_parallel, as it does for a profile
    """

    def __init__(self, finetune: Source, budget: str = "", recipe: str = "") -> None:
        self.finetune, self.budget, self.recipe = finetune, budget, recipe
        self.fills_in = bool(budget)
        self._told: Dict[str, Told] = {}

    def add(self, name: str, *choices: Optional[Told]) -> None:
        """Take the first of `choices` that is told."""
        found = [choice for choice in choices if choice is not None]
        if found:
            self._told[name] = found[0]

    def get(self, name: str) -> Optional[Told]:
        return self._told.get(name)

    def value(self, name: str, default: Any = None) -> Any:
        return self._told[name].value if name in self._told else default


def plans_beside(finetune: Path) -> Iterator[Plan]:
    """The plans that the files in the folder of a finetune.yaml make; none where it is alone."""
    if (finetune.parent / "profile.yaml").is_file():
        yield from _profile_plans(finetune)
    elif (finetune.parent / "profile.json").is_file():
        yield _run_plan(finetune)


def _profile_plans(path: Path) -> Iterator[Plan]:
    told, finetune = Source(path.with_name("profile.yaml")), Source(path)
    # Without recipes, a plan of the profile alone.
    for file in sorted(path.parent.parent.glob("recipes/*.yaml")) or [Path()]:
        name, recipe = file.stem, Source(file)
        counts = [n for n in recipe.document.section("counts").values() if is_count(n)]
        total = Told(sum(counts), file, recipe.document.line("counts")) if counts else None
        fit = ("recipes", name)
        for budget in told.document.names("budgets"):
            plan = Plan(finetune, budget, name)
            plan.add("rows", told.told("budgets", budget, "corpus", "train"), total)
            plan.add("epochs", told.told("budgets", budget, "epochs"))
            plan.add("seq_length", told.told(*fit, "seq_length"), _model(finetune, "seq_length"))
            batch = finetune.told("runner_config", "batch_size")
            plan.add("batch_size", told.told(*fit, "batch_size"), batch)
            lengths = ("evaluation", "max_new_tokens")
            plan.add("math_tokens", told.told(*fit, "max_new_tokens"), told.told(*lengths, "math"))
            if "max_new_tokens" not in told.document.names(*fit):
                plan.add("unfitted", told.told(*lengths, "math"))
            plan.add("styles", _styles(recipe))
            plan.add("min_new_tokens", told.told("evaluation", "min_new_tokens"))
            plan.add("denominator", told.told("model", "denominator"))
            for key in ("cards", "device", "pack"):
                plan.add(key, told.told(key))
            yield plan


def _run_plan(path: Path) -> Plan:
    files = {
        name: Source(path.with_name(f"{name}.json"))
        for name in ("profile", "model", "records", "prompts", "tokenizer", "corpus", "evaluation")
    }
    summary = Source(path.parent.parent / "records" / "train.mindrecord.json")
    finetune = Source(path)
    plan = Plan(finetune)
    for key in ("cards", "device"):
        plan.add(key, files["profile"].told(key))
    plan.add("rows", summary.told("rows"))
    plan.add("epochs", finetune.told("runner_config", "epochs"))
    plan.add("batch_size", finetune.told("runner_config", "batch_size"))
    plan.add("seq_length", _model(finetune, "seq_length"))
    plan.add("math_tokens", _math_tokens(files["evaluation"]))
    plan.add("min_new_tokens", files["evaluation"].told("min_new_tokens"))
    plan.add("styles", _styles(files["corpus"]))
    plan.add("denominator", files["model"].told("denominator"))
    plan.add("pack", summary.told("pack"), files["records"].told("pack"))
    for key in ("lora_rank", "lora_alpha", "target_modules"):
        plan.add(f"model.{key}", files["model"].told("pet_config", key))
    for name in ("records", "tokenizer"):
        plan.add(f"{name}.prompt", files[name].told("prompt"))
    plan.add("prompts.prompt", files["prompts"].told("prompt"))
    plan.add("summary.prompt", summary.told("frame"))
    plan.add("records.seq_length", files["records"].told("seq_length"))
    plan.add("summary.seq_length", summary.told("seq_length"))
    for key in ("examples", "left_out", "answer_tokens"):
        plan.add(f"summary.{key}", summary.told(key))
    return plan


def _model(finetune: Source, key: str) -> Optional[Told]:
    return finetune.told(*MODEL, key)


def _styles(source: Source) -> Optional[Told]:
    """Kinds by style of worked solution."""
    names = source.document.names("styles")
    found: Dict[str, List[str]] = {}
    for kind in names:
        found.setdefault(str(source.document.value("styles", kind, "style")), []).append(kind)
    return Told(found, source.file, source.document.line("styles")) if found else None


def _math_tokens(evaluation: Source) -> Optional[Told]:
    """Of `["squad=20", "valid=128", "test=128"]`."""
    entries = evaluation.document.value("max_new_tokens")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        match = re.fullmatch(r"test=(\d{1,9})", str(entry))
        if match:
            line = evaluation.document.line("max_new_tokens", index)
            return Told(int(match[1]), evaluation.file, line)
    return None
