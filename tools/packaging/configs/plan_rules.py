"""Rules between a finetune.yaml and the files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterator, Tuple

from tools.files.errors import UserError
from tools.packaging.configs.document import is_count
from tools.packaging.configs.plans import Plan, Told
from tools.packaging.configs.rules import MODEL, POSITIONS, contest, parallel_workers
from tools.settings.native import PACKED_ARCH
from tools.training.inputs import count_steps

Fault = Tuple[Path, int, str]
PlanRule = Callable[[Plan], Iterator[Fault]]

# The style whose solutions take hundreds of tokens; of others the records tell the longest.
_WORKED = "schoolbook"
# What an entry of the contest left standing, and by which its solutions were cut.
_SHORT = 128
# Of the examples, above which a length was chosen that does not fit the data.
_MOST_LEFT_OUT = 0.05


def cards(plan: Plan) -> Iterator[Fault]:
    """Cards are data × model × pipeline parallel; a profile's launch fills in the first."""
    told = plan.get("cards")
    if told is None or not is_count(told.value):
        return
    document = plan.finetune.document
    workers = parallel_workers(document)
    data = document.value("parallel_config", "data_parallel", default=1)
    if plan.fills_in and is_count(data):
        workers = workers // data * told.value
    if workers != told.value:
        line = document.line("parallel_config")
        what = f"parallel_config needs {workers} cards, there are {told.value}"
        yield plan.finetune.file, line, f"{what}: data × model × pipeline parallel is their number"


def device(plan: Plan) -> Iterator[Fault]:
    """The one decides what is trained on, the other what is planned for."""
    told, target = plan.get("device"), plan.finetune.told("context", "device_target")
    if told and target and told.value != target.value:
        what = f"device is {told.value}, context.device_target in {target.file.name} {target.value}"
        yield told.file, told.line, what


def lengths(plan: Plan) -> Iterator[Fault]:
    """A solution longer than a training row was never trained, and must fit the positions."""
    length, most = plan.get("seq_length"), plan.get("math_tokens")
    if length is None or not is_count(length.value):
        return
    if most and is_count(most.value) and most.value >= length.value:
        what = f"max_new_tokens {most.value} is not below the seq_length {length.value}"
        yield _at(most, f"{what}{_of(plan)}: no row with its prompt is as long")
    for key in POSITIONS:
        positions = plan.finetune.document.value(*MODEL, key)
        beyond = is_count(positions) and length.value > positions
        if beyond and length.file != plan.finetune.file:
            yield _at(length, f"seq_length {length.value} is beyond the model's {key} {positions}")


def data(plan: Plan) -> Iterator[Fault]:
    """Records of another length are refused after the base weights were loaded, or cut."""
    length = plan.get("seq_length")
    for name in ("records.seq_length", "summary.seq_length"):
        told = plan.get(name)
        if length and told and told.value != length.value:
            what = f"seq_length is {length.value}, the records have {told.value} ({told.file.name})"
            yield _at(length, f"{what}; make the records again")
    left_out, examples = plan.get("summary.left_out"), plan.value("summary.examples")
    if left_out and is_count(examples) and is_count(left_out.value):
        share = left_out.value / (left_out.value + examples)
        if share > _MOST_LEFT_OUT:
            what = f"{share:.0%} of the examples were left out, longer than seq_length"
            yield _at(left_out, f"{what}; raise it or take a recipe with shorter solutions")


def packing(plan: Plan) -> Iterator[Fault]:
    """Packed rows need the architecture that keeps their examples apart, plain ones the other."""
    told, arch = plan.get("pack"), plan.finetune.told("model", "arch", "type")
    if plan.fills_in or told is None or arch is None:
        return
    if (told.value is True) != (arch.value == PACKED_ARCH):
        state = "packed" if told.value is True else "not packed"
        yield _at(arch, f"model.arch.type is {arch.value}, the records are {state}")


def worked(plan: Plan) -> Iterator[Fault]:
    """Worked solutions take hundreds of tokens; cut off, they have no answer."""
    styles, most = plan.value("styles", {}), plan.get("math_tokens")
    kinds = styles.get(_WORKED, [])
    if not kinds or most is None or not is_count(most.value):
        return
    if most.value <= _SHORT:
        what = f"max_new_tokens {most.value} cuts the worked solutions{_of(plan)}"
        yield _at(most, f"{what}; give the recipe its own, above {_SHORT}")
    elif plan.get("unfitted"):
        what = f"max_new_tokens {most.value} was chosen for short answers"
        yield _at(most, f"{what}; give the worked solutions{_of(plan)} their own under recipes")


def answers(plan: Plan) -> Iterator[Fault]:
    """Where the mean of the training's answers is longer, most are cut in inference."""
    most = plan.get("math_tokens")
    tokens, examples = (plan.value(f"summary.{name}") for name in ("answer_tokens", "examples"))
    if most and is_count(most.value) and is_count(tokens) and is_count(examples):
        mean = tokens / examples
        if most.value < mean:
            what = f"max_new_tokens {most.value} is below the mean answer, {mean:.0f} tokens"
            yield _at(most, f"{what}; raise it")


def min_new_tokens(plan: Plan) -> Iterator[Fault]:
    """Without it one answer in ten to SQuAD's questions was empty, and an empty one is wrong."""
    told = plan.get("min_new_tokens")
    if told and not is_count(told.value):
        yield _at(told, f"min_new_tokens is {told.value}: answers may be empty; set it to 1")


def checkpoints(plan: Plan) -> Iterator[Fault]:
    """So many checkpoints at even intervals need as many steps; packed rows make fewer still."""
    values = [plan.value(name) for name in ("rows", "epochs", "batch_size", "cards")]
    if not all(map(is_count, values)):
        return
    rows, epochs, batch, workers = values
    wanted, steps = contest().checkpoints, count_steps(rows, batch, workers, epochs)
    if steps < wanted:
        what = f"{rows} rows in batches of {batch} on {workers} cards make {steps} steps"
        told = plan.get("rows")
        assert told is not None
        budget = f" (budget {plan.budget})" if plan.budget else ""
        yield _at(told, f"{what}{budget}, fewer than the {wanted} checkpoints")


def prompts(plan: Plan) -> Iterator[Fault]:
    """Training and inference take the same prompt, token for token: teams lost 10 to 30 points."""
    trained = plan.get("summary.prompt") or plan.get("records.prompt")
    for name in ("records.prompt", "tokenizer.prompt", "prompts.prompt"):
        told = plan.get(name)
        if trained and told and told.value != trained.value:
            what = f"prompt is {told.value}, the training's rows have {trained.value}"
            yield _at(told, f"{what} ({trained.file.name}); resolve the run again")


def adapter(plan: Plan) -> Iterator[Fault]:
    """The launch counts and checks what model.json says, the merge reads finetune.yaml."""
    for key in ("lora_rank", "lora_alpha", "target_modules"):
        told, own = plan.get(f"model.{key}"), plan.finetune.told(*MODEL, "pet_config", key)
        if told and own and told.value != own.value:
            what = f"pet_config.{key} is {told.value}, {own.file.name} has {own.value}"
            yield _at(told, f"{what}; resolve the run again")


def denominator(plan: Plan) -> Iterator[Fault]:
    """For its model the contest prescribes what trained parameters are divided by."""
    from tools.llama.shape import LlamaShape

    rules = contest()
    try:
        shape = LlamaShape.from_model_config(plan.finetune.document.section(*MODEL), "")
    except UserError:
        return  # its keys are named by other rules
    told = plan.get("denominator")
    wanted = rules.denominator
    if shape.count() == rules.model_parameters and told and told.value != wanted:
        yield _at(told, f"denominator is {told.value}, the contest's is {wanted}")


RULES: Dict[str, PlanRule] = {
    "cards": cards,
    "device": device,
    "lengths": lengths,
    "data": data,
    "packing": packing,
    "worked": worked,
    "answers": answers,
    "min_new_tokens": min_new_tokens,
    "checkpoints": checkpoints,
    "prompts": prompts,
    "adapter": adapter,
    "denominator": denominator,
}


def _at(told: Told, what: str) -> Fault:
    return told.file, told.line, what


def _of(plan: Plan) -> str:
    return f" of the recipe {plan.recipe}" if plan.recipe else ""
