"""Rules between the keys of one training config: what would fail late, or silently differ."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Callable, Dict, Iterator, Tuple

from tools.files.errors import UserError
from tools.packaging.configs.document import Document, Found, is_count
from tools.packaging.configs.schema import Schema
from tools.settings.contest import Contest, read_contest
from tools.settings.native import SECTIONS

Rule = Callable[[Document, Schema], Iterator[Found]]

MODEL = ("model", "model_config")
PET = (*MODEL, "pet_config")
POSITIONS = ("max_position_embedding", "max_position_embeddings")
TRAINING = ("finetune", "train")
_COLUMNS = ["input_ids", "labels"]
_DTYPES = {
    MODEL: (
        "compute_dtype",
        "param_init_type",
        "layernorm_compute_type",
        "softmax_compute_type",
        "rotary_dtype",
        "residual_dtype",
        "embedding_init_type",
    ),
    PET: ("compute_dtype", "param_init_type"),
}
_FLOATS = ("float32", "float16", "bfloat16")


def sections(document: Document, _: Schema) -> Iterator[Found]:
    """Without one of these MindFormers takes its own defaults, or fails after the weights."""
    missing = [name for name in SECTIONS if not document.has(name)]
    if missing:
        yield 1, f"lacks the section{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    if document.has("model") and not document.has(*MODEL):
        yield document.line("model"), "lacks model.model_config"


def run_mode(document: Document, schema: Schema) -> Iterator[Found]:
    """Another mode than the file's name says: the wrong YAML was handed in."""
    mode = document.value("run_mode")
    if mode not in TRAINING:
        known = "; " + ", ".join(schema.run_modes) if mode not in schema.run_modes else ""
        yield document.line("run_mode"), f"run_mode is {mode}, a training needs finetune{known}"


def only_save_strategy(document: Document, _: Schema) -> Iterator[Found]:
    """The organisers' flow turns it on for one run, whose only product is a strategy file."""
    if document.value("only_save_strategy", default=False) is not False:
        yield (
            document.line("only_save_strategy"),
            "only_save_strategy is left on: nothing would be trained and no weights saved; "
            "set it to False",
        )


def seed(document: Document, _: Schema) -> Iterator[Found]:
    """MindFormers seeds with `if config.seed:`."""
    if document.value("seed", default=1) == 0:
        yield document.line("seed"), "seed is 0, which seeds nothing; choose one from 1 on"


def positions(document: Document, _: Schema) -> Iterator[Found]:
    """Beyond the positions that a model was trained on, rotary angles mean nothing to it."""
    length = document.value(*MODEL, "seq_length")
    line = document.line(*MODEL, "seq_length")
    if document.has(*MODEL) and not is_count(length):
        yield line, f"model_config.seq_length is {length}, not a count"
    for key in POSITIONS:
        most = document.value(*MODEL, key)
        if is_count(length) and is_count(most) and length > most:
            yield line, f"seq_length {length} is beyond the model's {key} {most}"


def columns(document: Document, _: Schema) -> Iterator[Found]:
    """The model is called with the columns in their order, whatever they hold."""
    for data in _data_sets(document):
        found = document.value(*data, "input_columns")
        if found != _COLUMNS:
            what = f"{'.'.join(data)}.input_columns are {found}, our records have {_COLUMNS}"
            yield document.line(*data, "input_columns"), what


def batch(document: Document, _: Schema) -> Iterator[Found]:
    """The runner's batch decides, the data set's is what was meant; and it has to divide."""
    runner = document.value("runner_config", "batch_size")
    if not document.has("runner_config"):
        return
    for data in _data_sets(document):
        own = document.value(*data, "batch_size")
        if own != runner or not is_count(own):
            what = f"{'.'.join(data)}.batch_size is {own}, runner_config.batch_size is {runner}"
            yield document.line(*data, "batch_size"), what
    parts = document.value("micro_batch_interleave_num", default=1)
    if is_count(runner) and is_count(parts) and runner % parts:
        what = f"batch_size {runner} is not divisible by micro_batch_interleave_num {parts}"
        yield document.line("micro_batch_interleave_num"), what
    stages, micro = (_parallel(document, key) for key in ("pipeline_stage", "micro_batch_num"))
    if micro < stages:
        what = f"micro_batch_num {micro} is less than pipeline_stage {stages}: a stage would idle"
        yield document.line("parallel_config", "micro_batch_num"), what


def cards(document: Document, _: Schema) -> Iterator[Found]:
    """data × model × pipeline parallel make the workers, and one alone needs no `use_parallel`."""
    workers = parallel_workers(document)
    shared = document.value("use_parallel", default=False)
    if workers > 1 and shared is False:
        yield (
            document.line("use_parallel"),
            f"parallel_config makes {workers} workers, use_parallel is off: each would train "
            "alone on all rows; set it to True",
        )
    if workers == 1 and shared is True:
        yield (
            document.line("use_parallel"),
            "use_parallel is on and parallel_config makes one worker: it would wait for others; "
            "set it to False",
        )
    model = _parallel(document, "model_parallel")
    for key in ("num_heads", "n_kv_heads", "hidden_size", "vocab_size"):
        size = document.value(*MODEL, key)
        if is_count(size) and size % model:
            what = f"model_parallel {model} does not divide {key} {size}"
            yield document.line("parallel_config", "model_parallel"), what


def lora(document: Document, _: Schema) -> Iterator[Found]:
    """The merge adds alpha / rank times B·A, so both have to stand here, and what was adapted."""
    if not document.has(*MODEL):
        return
    if not document.has(*PET):
        yield document.line(*MODEL), "lacks model_config.pet_config (LoRA)"
        return
    for key in ("lora_rank", "lora_alpha"):
        value = document.value(*PET, key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            what = f"pet_config.{key} is {value}: the merge needs alpha / rank"
            yield document.line(*PET, key), what
    try:
        re.compile(document.value(*PET, "target_modules"))
    except (TypeError, re.error, RecursionError, OverflowError):
        yield document.line(*PET, "target_modules"), "pet_config.target_modules is not a regex"
    dropout = document.value(*PET, "lora_dropout", default=0)
    if isinstance(dropout, (int, float)) and not 0 <= dropout < 1:
        yield (
            document.line(*PET, "lora_dropout"),
            f"pet_config.lora_dropout is {dropout}, not a share below 1",
        )


def lora_plus(document: Document, _: Schema) -> Iterator[Found]:
    """Any other optimiser would refuse the ratio, after the weights were loaded."""
    kind, ratio = (document.value("optimizer", name) for name in ("type", "lora_plus_ratio"))
    line = document.line("optimizer", "lora_plus_ratio")
    if ratio is not None and not str(kind).startswith("LoraPlus"):
        what = f"optimizer.type is {kind}, which knows no lora_plus_ratio; write LoraPlus{kind}"
        yield line, what
    if ratio is not None and not (isinstance(ratio, (int, float)) and ratio > 0):
        yield line, f"optimizer.lora_plus_ratio is {ratio}, not a positive number"


def checkpoints(document: Document, _: Schema) -> Iterator[Found]:
    """Five checkpoints are scored: none of them may be deleted by a later one."""
    entries = len(getattr(document.node("callbacks"), "value", []))
    for index in range(entries):
        entry = ("callbacks", index)
        most = document.value(*entry, "keep_checkpoint_max", default=0)
        wanted = contest().checkpoints
        if is_count(most) and most < wanted:
            what = f"keep_checkpoint_max {most} deletes checkpoints of which {wanted} are scored"
            yield document.line(*entry, "keep_checkpoint_max"), f"{what}; keep {wanted} or more"


def ratio(document: Document, _: Schema) -> Iterator[Found]:
    """The trained parameters, by formula, over the denominator: a regex may match too much.

    For the contest's model the budget is the largest ratio on its leaderboard, beyond which no
    entry has shown that accuracy repays it; an adapter as large as its model is none for any.
    """
    from tools.llama.lora import LoraConfig, adapter_parameters, count
    from tools.llama.shape import LlamaShape

    try:
        shape = LlamaShape.from_model_config(document.section(*MODEL), "")
        # Of which alpha is no part.
        pet = {**document.section(*PET), "lora_alpha": 1}
        adapter = LoraConfig.from_pet_config(pet, "")
    except UserError:
        return  # its keys are named by other rules
    trained, total = count(adapter_parameters(shape, adapter)), shape.count()
    line = document.line(*PET, "target_modules")
    if not trained:
        yield line, f"target_modules {adapter.targets!r} matches no module of the model"
    rules = contest()
    most, denominator = 1.0, total
    if total == rules.model_parameters:
        denominator = rules.denominator
        most = max(entry.ratio for entry in rules.leaderboard)
    # The published ratios are rounded.
    if round(trained / denominator, 8) > most:
        what = f"{trained:,} trained parameters are {trained / denominator:.6f} of {denominator:,}"
        yield line, f"{what}, the most is {most:g}; lower lora_rank or narrow target_modules"


def dtypes(document: Document, schema: Schema) -> Iterator[Found]:
    """On the CPU bfloat16 does not exist and float16 gives NaN, which is LlamaConfig's default."""
    cpu = on_cpu(document)
    kind = document.value(*MODEL, "type")
    for section, names in _DTYPES.items():
        if not document.has(*section):
            continue
        for name in names:
            absent = schema.default("config", kind, name) if section == MODEL else None
            given = document.value(*section, name)
            value = given or absent
            line = document.line(*section, name)
            if value is not None and value not in _FLOATS:
                yield line, f"{name} is {value}, not one of {', '.join(_FLOATS)}"
            elif cpu and value not in (None, "float32"):
                default = "" if given else " where it is not given"
                yield line, f"{name} is {value}{default}, the CPU needs float32"


def cpu_operators(document: Document, schema: Schema) -> Iterator[Found]:
    """What the CPU has no operator for, or runs another number of steps with."""
    if not on_cpu(document):
        return
    if document.value("runner_config", "sink_mode", default=True) is not False:
        what = "sink_mode is on, and on the CPU sinking runs far too many steps; set it to False"
        yield document.line("runner_config", "sink_mode"), what
    kind = document.value(*MODEL, "type")
    for name, needed in _ON_CPU.items():
        value = document.value(*MODEL, name, default=schema.default("config", kind, name))
        if isinstance(value, bool) and value is not needed:
            what = f"{name} is {value}, for which the CPU has no operator; set it to {needed}"
            yield document.line(*MODEL, name), what
    if document.value("auto_trans_ckpt", default=False) is not False:
        what = "auto_trans_ckpt is on, which wants a folder that cards share; set it to False"
        yield document.line("auto_trans_ckpt"), what
    for name in ("model_parallel", "pipeline_stage"):
        if _parallel(document, name) > 1:
            what = f"{name} is above 1: the CPU can only run data parallel"
            yield document.line("parallel_config", name), what


_ON_CPU = {
    "use_flash_attention": False,
    "fused_rms_norm": False,
    "use_rope_slice": True,
    "use_past": False,
}

RULES: Dict[str, Rule] = {
    "sections": sections,
    "run mode": run_mode,
    "only_save_strategy": only_save_strategy,
    "seed": seed,
    "positions": positions,
    "columns": columns,
    "batch": batch,
    "cards": cards,
    "lora": lora,
    "lora plus": lora_plus,
    "checkpoints": checkpoints,
    "ratio": ratio,
    "dtypes": dtypes,
    "cpu": cpu_operators,
}


@cache
def contest() -> Contest:
    """The contest's rules, read once."""
    return read_contest()


def parallel_workers(document: Document) -> int:
    """data × model × pipeline × context parallel, as far as they are counts."""
    workers = 1
    for key in ("data_parallel", "model_parallel", "pipeline_stage", "context_parallel"):
        workers *= _parallel(document, key)
    return workers


def on_cpu(document: Document) -> bool:
    return document.value("context", "device_target") == "CPU"


def _parallel(document: Document, key: str) -> int:
    value: Any = document.value("parallel_config", key, default=1)
    return value if is_count(value) else 1


def _data_sets(document: Document) -> Iterator[Tuple[str, ...]]:
    """The training data's section, and its copy where that is written out and no alias."""
    seen = []
    for data in (("train_dataset",), ("train_dataset_task", "dataset_config")):
        node = document.node(*data)
        if node is not None and not any(node is other for other in seen):
            seen.append(node)
            yield data
