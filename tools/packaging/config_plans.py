"""Rules between a finetune.yaml and the files beside it: a profile's, or a run's.

A plan is what one training and its evaluation would do, each value with the place that says so.
A profile makes one for each of its budgets and recipes, a run's resolved files make one.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

from tools.files.errors import UserError
from tools.packaging.config_rules import MODEL, POSITIONS, at, contest, count, is_count, workers
from tools.settings.lines import Step, Yaml, read_yaml
from tools.settings.native import PACKED_ARCH
from tools.training.inputs import count_steps

Fault = Tuple[Path, int, str]

# What says a value: FILE/keys/to/it, of several places the first that says anything.
_MODEL = "finetune.yaml/model/model_config"
_FIT, _SUMMARY = "profile.yaml/recipes/{recipe}", "train.mindrecord.json"
_ADAPTER = ("lora_rank", "lora_alpha", "target_modules")
_PLACES = {
    "cards": ["profile.yaml/cards", "profile.json/cards"],
    "device": ["profile.yaml/device", "profile.json/device"],
    "target": ["finetune.yaml/context/device_target"],
    "parallel": ["finetune.yaml/parallel_config"],
    "rows": ["profile.yaml/budgets/{budget}/corpus/train", "recipe/counts", f"{_SUMMARY}/rows"],
    "epochs": ["profile.yaml/budgets/{budget}/epochs", "finetune.yaml/runner_config/epochs"],
    "seq_length": [f"{_FIT}/seq_length", f"{_MODEL}/seq_length"],
    "batch_size": [f"{_FIT}/batch_size", "finetune.yaml/runner_config/batch_size"],
    "math_tokens": [
        f"{_FIT}/max_new_tokens",
        "profile.yaml/evaluation/max_new_tokens/math",
        "evaluation.json/max_new_tokens",
    ],
    "min_new_tokens": ["profile.yaml/evaluation/min_new_tokens", "evaluation.json/min_new_tokens"],
    "styles": ["recipe/styles", "corpus.json/styles"],
    "denominator": ["profile.yaml/model/denominator", "model.json/denominator"],
    # Of a run alone.
    "arch": ["finetune.yaml/model/arch/type"],
    "pack": [f"{_SUMMARY}/pack", "records.json/pack"],
    "left_out": [f"{_SUMMARY}/left_out"],
    "examples": [f"{_SUMMARY}/examples"],
    "answer_tokens": [f"{_SUMMARY}/answer_tokens"],
    "length of the records": ["records.json/seq_length"],
    "length of the rows": [f"{_SUMMARY}/seq_length"],
    "prompt": [f"{_SUMMARY}/frame", "records.json/prompt"],
    "prompt of the records": ["records.json/prompt"],
    "prompt of the tokenizer": ["tokenizer.json/prompt"],
    "prompt of the reading": ["prompts.json/prompt"],
    **{key: [f"{_MODEL}/pet_config/{key}"] for key in _ADAPTER},
    **{f"{key} of the model": [f"model.json/pet_config/{key}"] for key in _ADAPTER},
}
# Two values that have to be equal, and what is done where they are not.
_EQUAL = [
    # The one decides what is trained on, the other what is planned for.
    ("device", "target", "make them equal"),
    # Records of another length are refused after the base weights were loaded, or cut.
    ("seq_length", "length of the records", "make the records again"),
    ("seq_length", "length of the rows", "make the records again"),
    # Training and inference take the same prompt, token for token: teams lost 10 to 30 points.
    ("prompt of the records", "prompt", "resolve the run again"),
    ("prompt of the tokenizer", "prompt", "resolve the run again"),
    ("prompt of the reading", "prompt", "resolve the run again"),
    # The launch counts and checks what model.json says, the merge reads finetune.yaml.
    *((f"{key} of the model", key, "resolve the run again") for key in _ADAPTER),
]
# The style whose solutions take hundreds of tokens; of others the records tell the longest.
_WORKED = "schoolbook"
# What an entry of the contest left standing, and by which its solutions were cut.
_SHORT = 128
# Of the examples, above which a length was chosen that does not fit the data.
_MOST_LEFT_OUT = 0.05


class Told(NamedTuple):
    """A value and where it stands."""

    value: Any
    file: Path
    content: Yaml
    keys: Tuple[Step, ...]

    def fault(self, what: str) -> Fault:
        return self.file, self.content.line(*self.keys), what


class Plan(NamedTuple):
    """Values by name; what no file tells is absent. A run has no budget and no recipe."""

    told: Dict[str, Told]
    finetune: Dict[str, Any]
    budget: str = ""
    recipe: str = ""

    def counts(self, *names: str) -> List[int]:
        """The values of these names, where all of them are counts; else zeros."""
        values = [self.told[name].value for name in names if name in self.told]
        whole = len(values) == len(names) and all(map(is_count, values))
        return values if whole else [0] * len(names)

    def __str__(self) -> str:
        return f" of the recipe {self.recipe}" if self.recipe else ""


def plan_faults(finetune: Path) -> Iterator[Fault]:
    """Yield what is wrong between a finetune.yaml and the files beside it; nothing if alone."""
    for plan in plans_beside(finetune):
        for rule in RULES:
            yield from rule(plan)


def plans_beside(finetune: Path) -> Iterator[Plan]:
    """Yield the plans that the files in the folder of a finetune.yaml make."""
    folder = finetune.parent
    names = {place.partition("/")[0] for places in _PLACES.values() for place in places}
    files = {name: _read(folder / name) for name in names}
    files[_SUMMARY] = _read(folder.parent / "records" / _SUMMARY)
    mapping = _section(files["finetune.yaml"])
    if (folder / "profile.json").is_file():
        yield Plan(_tell(files), mapping)
    for file in sorted(folder.parent.glob("recipes/*.yaml")) or [Path()]:
        files["recipe"] = _read(file)
        for budget in map(str, _section(files["profile.yaml"], "budgets")):
            yield Plan(_tell(files, budget=budget, recipe=file.stem), mapping, budget, file.stem)


def _read(file: Path) -> Told:
    """What is no YAML is told where that file is checked; here it tells nothing."""
    content = Yaml(None, None)
    with contextlib.suppress(UserError, OSError):
        content = read_yaml(file)
    return Told(content.value, file, content, ())


def _section(told: Told, *keys: str) -> Dict[str, Any]:
    value = told.content.get(*keys)
    return value if isinstance(value, dict) else {}


def _tell(files: Dict[str, Told], **names: str) -> Dict[str, Told]:
    told: Dict[str, Told] = {}
    for name, places in _PLACES.items():
        for place in places:
            file, *steps = place.split("/")
            keys: List[Step] = [names.get(step.strip("{}"), step) for step in steps]
            value = files[file].content.get(*keys)
            if name == "rows" and isinstance(value, dict):
                value = sum(filter(is_count, value.values()))
            if name == "math_tokens" and isinstance(value, list):  # ["squad=20", "test=128"]
                told_there = {str(entry): index for index, entry in enumerate(value)}
                entry = next((entry for entry in told_there if entry.startswith("test=")), "")
                keys.append(told_there.get(entry, 0))
                value = int(entry[5:]) if entry[5:].isdecimal() else None
            if value is not None:
                told.setdefault(name, files[file]._replace(value=value, keys=tuple(keys)))
    return told


def cards(plan: Plan) -> Iterator[Fault]:
    """Cards are data × model × pipeline parallel; a profile's launch fills in the first."""
    (wanted,) = plan.counts("cards")
    number = workers(plan.finetune)
    if plan.budget:
        number = number // count(plan.finetune, "parallel_config.data_parallel", 1) * wanted
    if wanted and number != wanted and "parallel" in plan.told:
        what = f"parallel_config needs {number} cards, there are {wanted}; data × model × pipeline"
        yield plan.told["parallel"].fault(f"{what} parallel has to be their number")


def equal(plan: Plan) -> Iterator[Fault]:
    """What two files say has to be the same; the reasons stand in the table."""
    for name, other, remedy in _EQUAL:
        own, theirs = plan.told.get(name), plan.told.get(other)
        if own and theirs and own.value != theirs.value:
            what = f"{own.keys[-1]} is {own.value}, {theirs.file.name} has {theirs.value}"
            yield own.fault(f"{what}; {remedy}")


def lengths(plan: Plan) -> Iterator[Fault]:
    """A solution longer than a training row was never trained, and must fit the positions."""
    (length,), (most,) = plan.counts("seq_length"), plan.counts("math_tokens")
    if length and most >= length:
        what = f"max_new_tokens {most} is not below the seq_length {length}{plan}"
        yield plan.told["math_tokens"].fault(f"{what}: no row with its prompt is as long; lower it")
    for key in POSITIONS:
        beyond = length > count(plan.finetune, f"{MODEL}.{key}", length)
        # Of finetune.yaml's own length its check tells.
        if beyond and plan.told["seq_length"].file.name != "finetune.yaml":
            what = f"seq_length {length} is beyond the model's {key}; shorten it"
            yield plan.told["seq_length"].fault(what)


def left_out(plan: Plan) -> Iterator[Fault]:
    """Where many examples are longer than a row, its length was not chosen for them."""
    out, examples = plan.counts("left_out", "examples")
    if out > _MOST_LEFT_OUT * (out + examples):
        what = f"{out / (out + examples):.0%} of the examples were left out, longer than seq_length"
        yield plan.told["left_out"].fault(
            f"{what}; raise it or take a recipe with shorter solutions"
        )


def packing(plan: Plan) -> Iterator[Fault]:
    """Packed rows need the architecture that keeps their examples apart, plain ones the other."""
    pack, arch = plan.told.get("pack"), plan.told.get("arch")
    if pack and arch and (pack.value is True) != (arch.value == PACKED_ARCH):
        state = "packed" if pack.value is True else "not packed"
        what = f"model.arch.type is {arch.value}, the records are {state}; resolve the run again"
        yield arch.fault(what)


def worked(plan: Plan) -> Iterator[Fault]:
    """Worked solutions take hundreds of tokens; cut off, they have no answer."""
    (most,) = plan.counts("math_tokens")
    styles = plan.told["styles"].value if "styles" in plan.told else {}
    named = [at(style, "style") for style in styles.values()] if isinstance(styles, dict) else []
    if not most or _WORKED not in named:
        return
    told = plan.told["math_tokens"]
    if most <= _SHORT:
        what = f"max_new_tokens {most} cuts the worked solutions{plan}"
        yield told.fault(f"{what}; give the recipe its own, above {_SHORT}")
    elif told.keys[0] == "evaluation":
        what = f"max_new_tokens {most} was chosen for short answers"
        yield told.fault(f"{what}; give the worked solutions{plan} their own under recipes")


def answers(plan: Plan) -> Iterator[Fault]:
    """Where the mean of the training's answers is longer, most are cut in inference."""
    most, tokens, examples = plan.counts("math_tokens", "answer_tokens", "examples")
    if most * examples < tokens:
        what = f"max_new_tokens {most} is below the mean answer, {tokens / examples:.0f} tokens"
        yield plan.told["math_tokens"].fault(f"{what}; raise it")


def min_new_tokens(plan: Plan) -> Iterator[Fault]:
    """Without it one answer in ten to SQuAD's questions was empty, and an empty one is wrong."""
    told = plan.told.get("min_new_tokens")
    if told and not is_count(told.value):
        yield told.fault(f"min_new_tokens is {told.value}: answers may be empty; set it to 1")


def checkpoints(plan: Plan) -> Iterator[Fault]:
    """So many checkpoints at even intervals need as many steps; packed rows make fewer still."""
    rows, size, number, epochs = plan.counts("rows", "batch_size", "cards", "epochs")
    wanted = contest().checkpoints
    if rows and count_steps(rows, size, number, epochs) < wanted:
        steps = count_steps(rows, size, number, epochs)
        what = f"{rows} rows in batches of {size} on {number} cards make {steps} steps"
        budget = f" (budget {plan.budget})" if plan.budget else ""
        what += f"{budget}, fewer than the {wanted} checkpoints"
        yield plan.told["rows"].fault(f"{what}; train on more rows")


def denominator(plan: Plan) -> Iterator[Fault]:
    """For its own model the contest prescribes what trained parameters are divided by."""
    from tools.llama.shape import LlamaShape

    told = plan.told.get("denominator")
    try:
        shape = LlamaShape.from_model_config(at(plan.finetune, MODEL, {}), "")
    except UserError:
        return  # its keys are named elsewhere
    wanted = contest().denominator
    if shape.count() == contest().model_parameters and told and told.value != wanted:
        yield told.fault(f"denominator is {told.value}, the contest's is {wanted}; take that")


RULES: List[Callable[[Plan], Iterator[Fault]]] = [
    cards,
    equal,
    lengths,
    left_out,
    packing,
    worked,
    answers,
    min_new_tokens,
    checkpoints,
    denominator,
]
