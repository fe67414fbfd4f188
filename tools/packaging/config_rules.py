"""Rules between the keys of one MindFormers YAML, loaded as a mapping: one function a rule.

Each yields (dotted key, what is wrong; what to do) and says in its docstring why it is one. What
a single value may be is in configs/schema/values.schema.json.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Callable, Dict, Iterator, List, Tuple

from tools.files.errors import UserError
from tools.settings.contest import Contest, read_contest

Config = Dict[str, Any]
Found = Tuple[str, str]
Rule = Callable[[Config], Iterator[Found]]

MODEL = "model.model_config"
PET = f"{MODEL}.pet_config"
TRAINING = ("finetune", "train")
POSITIONS = ("max_position_embedding", "max_position_embeddings")
_PARALLEL = ("data_parallel", "model_parallel", "pipeline_stage", "context_parallel")


def at(config: Any, path: str, default: Any = None) -> Any:
    """Return the value at a dotted path of sections; `default` where it is absent or empty."""
    value: Any = config
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return default if value is None else value


def count(config: Any, path: str, default: int = 0) -> int:
    """Return the count, from 1 on, at a dotted path; `default` where there is none."""
    value = at(config, path)
    return value if is_count(value) else default


def is_count(value: Any) -> bool:
    """Return whether it is a whole number from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_training(config: Any) -> bool:
    """Return whether it is a training's config, as one that states no mode is."""
    return at(config, "run_mode", TRAINING[0]) in TRAINING


@cache
def contest() -> Contest:
    """Return the contest's rules, read once."""
    return read_contest()


def workers(config: Config) -> int:
    """Return data × model × pipeline × context parallel, as far as they are counts."""
    return math.prod(count(config, f"parallel_config.{key}", 1) for key in _PARALLEL)


def positions(config: Config) -> Iterator[Found]:
    """Beyond the positions that a model was trained on, rotary angles mean nothing to it."""
    length = count(config, f"{MODEL}.seq_length")
    for key in POSITIONS:
        most = count(config, f"{MODEL}.{key}", length)
        if length > most:
            what = f"seq_length {length} is beyond the model's {key} {most}; shorten it"
            yield f"{MODEL}.seq_length", what


def batch(config: Config) -> Iterator[Found]:
    """The runner's batch decides, the data set's is what was meant; and it has to divide."""
    rows = count(config, "runner_config.batch_size")
    names = ("train_dataset", "train_dataset_task.dataset_config")
    # Mostly the second is an alias of the first.
    for data in names[: 1 if at(config, names[1]) is at(config, names[0]) else 2]:
        own = at(config, f"{data}.batch_size")
        if at(config, data) and rows and own != rows:
            what = (
                f"{data}.batch_size is {own}, runner_config.batch_size is {rows}; make them equal"
            )
            yield f"{data}.batch_size", what
    parts = count(config, "micro_batch_interleave_num", 1)
    if rows % parts:
        what = f"micro_batch_interleave_num {parts} does not divide batch_size {rows}; set it to 1"
        yield "micro_batch_interleave_num", what
    stages = count(config, "parallel_config.pipeline_stage", 1)
    micro = count(config, "parallel_config.micro_batch_num", 1)
    if micro < stages:
        what = f"micro_batch_num {micro} is less than pipeline_stage {stages}: a stage would idle"
        yield "parallel_config.micro_batch_num", f"{what}; raise it"


def sharing(config: Config) -> Iterator[Found]:
    """Several workers need `use_parallel`, one waits with it; and heads are split among them."""
    number, shared = workers(config), at(config, "use_parallel", False)
    if number > 1 and shared is False:
        what = f"parallel_config makes {number} workers, use_parallel is off: each would train"
        yield "use_parallel", f"{what} alone on all rows; set it to True"
    if number == 1 and shared is True:
        what = "use_parallel is on, parallel_config makes one worker: it would wait for others"
        yield "use_parallel", f"{what}; set it to False"
    model = count(config, "parallel_config.model_parallel", 1)
    for key in ("num_heads", "n_kv_heads", "hidden_size", "vocab_size"):
        size = count(config, f"{MODEL}.{key}")
        if size % model:
            what = f"model_parallel {model} does not divide {key} {size}; choose one that does"
            yield "parallel_config.model_parallel", what


def checkpoints(config: Config) -> Iterator[Found]:
    """Five checkpoints are scored: none of them may be deleted by a later one."""
    entries = at(config, "callbacks", [])
    wanted = contest().checkpoints
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        most = count(entry, "keep_checkpoint_max", wanted)
        if most < wanted:
            what = f"keep_checkpoint_max {most} deletes checkpoints of which {wanted} are scored"
            yield f"callbacks.{index}.keep_checkpoint_max", f"{what}; keep {wanted} or more"


def ratio(config: Config) -> Iterator[Found]:
    """The trained parameters, by formula, over the denominator: a regex may match too much.

    For the contest's model the budget is the largest ratio on its leaderboard, beyond which no
    entry has shown that accuracy repays it; an adapter as large as its model is none for any.
    """
    from tools.llama.lora import LoraConfig, adapter_parameters
    from tools.llama.lora import count as parameters
    from tools.llama.shape import LlamaShape

    try:
        shape = LlamaShape.from_model_config(at(config, MODEL, {}), "")
        # Parameter count does not depend on alpha.
        adapter = LoraConfig.from_pet_config({**at(config, PET, {}), "lora_alpha": 1}, "")
    except (UserError, TypeError):
        return  # the keys are named elsewhere
    trained, total, rules = parameters(adapter_parameters(shape, adapter)), shape.count(), contest()
    key = f"{PET}.target_modules"
    if not trained:
        yield key, f"target_modules {adapter.targets!r} matches no module of the model; widen it"
    most, denominator = 1.0, total
    if total == rules.model_parameters:
        denominator = rules.denominator
        most = max(entry.ratio for entry in rules.leaderboard)
    # The published ratios are rounded.
    if round(trained / denominator, 8) > most:
        what = f"{trained:,} trained parameters are {trained / denominator:.6f} of {denominator:,}"
        yield key, f"{what}, the most is {most:g}; lower lora_rank or narrow target_modules"


def lengths(config: Config) -> Iterator[Found]:
    """max_new_tokens overrides every other length; prompt and answer share the positions."""
    most, key = count(config, f"{MODEL}.max_new_tokens"), f"{MODEL}.max_new_tokens"
    for other in ("max_length", "max_decode_length"):
        length = at(config, f"{MODEL}.{other}", most)
        if most and length != most:
            yield key, f"max_new_tokens {most} overrides {other} {length}; state one of them"
    length = count(config, f"{MODEL}.seq_length", most + 1)
    if most >= length:
        what = f"max_new_tokens {most} leaves no room for a prompt in seq_length {length}"
        yield key, f"{what}; lower it"


def shares(config: Config) -> Iterator[Found]:
    """In an evaluation each of the data-parallel parts takes a whole share of the batch."""
    parts = count(config, "parallel_config.data_parallel", 1)
    for key in (f"{MODEL}.batch_size", "eval_dataset.batch_size"):
        size = count(config, key)
        if size % parts:
            yield key, f"{key} {size} is not divisible by data_parallel {parts}; make it so"


def trained_adapter(config: Config, training: Config, named: str) -> Iterator[Found]:
    """An evaluation has the adapter that the finetune.yaml beside it trains.

    Without one the adapter is left out and the base model is measured: right only where the
    file's name or its `load_checkpoint` says that it is the base or a merged model.
    """
    if not at(training, PET) or not at(config, MODEL):
        return
    if not at(config, PET):
        named = f"{named} {at(config, 'load_checkpoint')}".lower()
        if "base" not in named and "merged" not in named:
            what = "lacks pet_config, and finetune.yaml trains an adapter, which would be left out"
            yield MODEL, f"{what}; add it, or name load_checkpoint or the file base or merged"
        return
    for key in ("lora_rank", "lora_alpha", "target_modules"):
        own, theirs = at(config, f"{PET}.{key}"), at(training, f"{PET}.{key}")
        if own != theirs:
            what = f"pet_config.{key} is {own}, finetune.yaml trains {theirs}; make them equal"
            yield f"{PET}.{key}", what


OF_TRAINING: List[Rule] = [positions, batch, sharing, checkpoints, ratio]
OF_EVALUATION: List[Rule] = [positions, lengths, shares]
