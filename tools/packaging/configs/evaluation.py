"""Rules for the configs that evaluate or predict, in MindFormers' own format."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

from tools.packaging.configs.document import Document, Found, NotYaml, is_count, read
from tools.packaging.configs.rules import (
    MODEL,
    PET,
    TRAINING,
    Rule,
    cpu_operators,
    dtypes,
    positions,
    seed,
)
from tools.packaging.configs.schema import Schema

_NEEDED = {
    "eval": ("trainer", "model", "eval_dataset", "eval_dataset_task", "metric", "processor"),
    "predict": ("trainer", "model", "processor"),
}
# What makes an adapter: another value makes it another, or leaves it unmerged in part.
_ADAPTER = ("lora_rank", "lora_alpha", "target_modules")


def mode(document: Document, schema: Schema) -> Iterator[Found]:
    """MindFormers falls back to its general template for a mode that it does not know."""
    value = document.value("run_mode")
    if value not in schema.run_modes:
        known = ", ".join(schema.run_modes)
        yield document.line("run_mode"), f"run_mode is {value}; known: {known}"
    missing = [name for name in _NEEDED.get(str(value), ()) if not document.has(name)]
    if missing:
        yield 1, f"lacks the section{'s' if len(missing) > 1 else ''} {', '.join(missing)}"


def greedy(document: Document, schema: Schema) -> Iterator[Found]:
    """Answers are decoded greedily; LlamaConfig samples where nothing is said."""
    kind = document.value(*MODEL, "type")
    default = schema.default("config", kind, "do_sample")
    if document.has(*MODEL) and document.value(*MODEL, "do_sample", default=default) is not False:
        what = "do_sample is not False: answers are drawn by chance; set it to False"
        yield document.line(*MODEL, "do_sample"), what


def min_new_tokens(document: Document, _: Schema) -> Iterator[Found]:
    """Without it one answer in ten to SQuAD's questions was empty, and an empty one is wrong."""
    least = document.value(*MODEL, "min_new_tokens")
    if document.has(*MODEL) and not is_count(least):
        stated = "is missing" if least is None else f"is {least}"
        what = f"min_new_tokens {stated}: answers may be empty; set it to 1"
        yield document.line(*MODEL, "min_new_tokens"), what


def max_new_tokens(document: Document, _: Schema) -> Iterator[Found]:
    """It overrides every other length, and prompt and answer share the model's positions."""
    most = document.value(*MODEL, "max_new_tokens")
    if most is None:
        return
    line = document.line(*MODEL, "max_new_tokens")
    for other in ("max_length", "max_decode_length"):
        length = document.value(*MODEL, other)
        if length is not None and length != most:
            yield line, f"max_new_tokens {most} overrides {other} {length}; state one of them"
    length = document.value(*MODEL, "seq_length")
    if is_count(most) and is_count(length) and most >= length:
        yield line, f"max_new_tokens {most} leaves no room for a prompt in seq_length {length}"


def flash_attention(document: Document, _: Schema) -> Iterator[Found]:
    """MindFormers refuses to predict with the one and without the other."""
    flash, past = (document.value(*MODEL, key) for key in ("use_flash_attention", "use_past"))
    if document.value("run_mode") == "predict" and flash is True and past is False:
        what = "use_flash_attention is on and use_past off, which predict refuses"
        yield document.line(*MODEL, "use_flash_attention"), what


def batch(document: Document, _: Schema) -> Iterator[Found]:
    """Each of the data-parallel parts takes a whole share; evaluation has no pipeline."""
    parts = document.value("parallel_config", "data_parallel", default=1)
    for place in ((*MODEL, "batch_size"), ("eval_dataset", "batch_size")):
        size = document.value(*place)
        if is_count(size) and is_count(parts) and size % parts:
            what = f"{'.'.join(place)} {size} is not divisible by data_parallel {parts}"
            yield document.line(*place), what
    stages = document.value("parallel_config", "pipeline_stage", default=1)
    if is_count(stages) and stages > 1:
        what = f"pipeline_stage is {stages}: only training has a pipeline; set it to 1"
        yield document.line("parallel_config", "pipeline_stage"), what


RULES: Dict[str, Rule] = {
    "mode": mode,
    "seed": seed,
    "positions": positions,
    "greedy": greedy,
    "min_new_tokens": min_new_tokens,
    "max_new_tokens": max_new_tokens,
    "flash attention": flash_attention,
    "batch": batch,
    "dtypes": dtypes,
    "cpu": cpu_operators,
}


def adapter_faults(path: Path, document: Document) -> List[Found]:
    """An evaluation's `pet_config` against the adapter that the finetune.yaml beside it trains.

    Without one the adapter is left out, and the base model is what gets measured: right only
    where the file or its `load_checkpoint` says that it is the base or a merged model.
    """
    trained = path.with_name("finetune.yaml")
    if path == trained or not trained.is_file():
        return []
    try:
        training = read(trained)[1]
    except NotYaml:
        return []  # told where that file is checked
    if training.value("run_mode") not in TRAINING or not training.has(*PET):
        return []
    return list(_against(path, document, training))


def _against(path: Path, document: Document, training: Document) -> Iterator[Found]:
    if not document.has(*PET):
        named = f"{path.stem} {document.value('load_checkpoint')}".lower()
        if document.has(*MODEL) and not any(word in named for word in ("base", "merged")):
            yield (
                document.line(*MODEL),
                "lacks pet_config, and finetune.yaml trains an adapter, which would be left out; "
                "add it, or say in load_checkpoint or the file's name that it is merged or base",
            )
        return
    for key in _ADAPTER:
        own, theirs = document.value(*PET, key), training.value(*PET, key)
        if own != theirs:
            what = f"pet_config.{key} is {own}, finetune.yaml trains {theirs}"
            yield document.line(*PET, key), what


def is_evaluation(document: Document) -> bool:
    return document.value("run_mode") not in (None, *TRAINING)
