"""Keys and types: every key of ours misspelt, every typed value of another type, and the rest."""

from __future__ import annotations

import re
from typing import List, Tuple

import pytest
import yaml
from config_files import EVALUATION, LLAMA, TINY, changed, line_of

from tools.packaging.configs.document import compose, pairs
from tools.packaging.configs.keys import key_faults
from tools.packaging.configs.schema import read_schema

FILES = {"tiny": TINY, "llama": LLAMA, "evaluation": EVALUATION}


def faults(text: str) -> List[Tuple[int, str]]:
    return list(key_faults(compose(text), read_schema()))


# Of `parallel_optimizer_config`.
PASSED_ON = ("gradient_accumulation_shard", "parallel_optimizer_threshold")


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_good_files(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_key_is_missed_when_misspelt(text: str) -> None:
    """With two letters swapped, the fault names the key, its line and what was meant."""
    lines = text.split("\n")
    tried = 0
    for index, line in enumerate(lines):
        match = re.match(r"( *(?:- )?)(\w+):", line)
        if not match or match[2] in ("type", "pet_type", *PASSED_ON):
            continue
        key = match[2]
        other = key[:1] + key[2] + key[1] + key[3:] if len(set(key[1:3])) == 2 else key + "e"
        bad = [*lines[:index], line.replace(key, other, 1), *lines[index + 1 :]]
        found = [what for number, what in faults("\n".join(bad)) if number == index + 1]
        assert [f"did you mean {key}?" in what for what in found] == [True], (line, found)
        assert f"{other} is unknown to " in found[0]
        tried += 1
    assert tried > 60


def typed_scalars(node: yaml.Node):
    """Every plain scalar of a file that YAML reads as a number or a truth value."""
    for key, child in pairs(node):
        plain = isinstance(child, yaml.ScalarNode) and child.style is None
        if plain and child.tag.rpartition(":")[2] in ("int", "float", "bool"):
            yield key, child
        yield from typed_scalars(child)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_number_and_truth_value_is_missed_in_quotes(text: str) -> None:
    lines, tried = text.split("\n"), 0
    for key, child in typed_scalars(compose(text).tree):
        # A mode has a name too, and what is below this key MindSpore alone knows.
        if key.value in ("mode", "parallel_mode") or key.value in PASSED_ON:
            continue
        end = child.end_mark
        line = lines[end.line]
        if not line[: end.column].endswith(child.value):
            continue  # an alias, which stands elsewhere
        quoted = f"{line[: end.column - len(child.value)]}'{child.value}'{line[end.column :]}"
        bad = "\n".join([*lines[: end.line], quoted, *lines[end.line + 1 :]])
        found = [what for number, what in faults(bad) if number == end.line + 1]
        stated = f"{key.value} is the text '{child.value}', not "
        assert [stated in what for what in found] == [True], (quoted, found)
        tried += 1
    assert tried > 35


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  eps: 1.0e-8", "  eps: 1e-8", "the text '1e-8', not a number; YAML takes it for a"),
        ("  eps: 1.0e-8", "  eps: 1e-8", "number as 1.0e-08, without quotes"),
        ("learning_rate: 1.0e-3", "learning_rate: 1e-3", "number as 0.001, without quotes"),
        ("sink_mode: False", 'sink_mode: "false"', "not True or False; write False without"),
        ("epochs: 1", 'epochs: "1"', "not a whole number; write 1 without quotes"),
        ("epochs: 1", "epochs: 1.5", "epochs is 1.5, not a whole number"),
        ("epochs: 1", "epochs: True", "epochs is True, not a whole number"),
        ("epochs: 1", "epochs:", "epochs is empty, not a whole number"),
        ("betas: [0.9, 0.999]", "betas: 0.9", "betas is 0.9, not a list"),
        ("weight_decay: 0.0", "weight_decay: [0.0]", "is a list, not a whole number or a number"),
        ('model_name: "tiny"', "model_name: 8", "is 8, not text; put it into quotes"),
        ('run_mode: "finetune"\n', "callbacks: {}\n", "callbacks is a section, not a list"),
        ("model:\n", "parallel: 1\nmodel:\n", "parallel is 1, not a section"),
        ("type: AdamW", "type: Adamw", "optimizer type 'Adamw' is unknown to MindFormers 1.9.0"),
        ("type: AdamW", "type: Adamw", "did you mean AdamW?"),
        ("  type: AdamW\n", "", "optimizer lacks type"),
        ("type: MFLossMonitor", "type: CheckpointMointor", "did you mean CheckpointMonitor?"),
        ("type: MFLossMonitor", "type: ObsMonitor", "callbacks type 'ObsMonitor' is unknown"),
        ("type: LlamaForCausalLM", "type: LlamaForCausalLm", "did you mean LlamaForCausalLM?"),
        ("pet_type: lora", "pet_type: loar", "did you mean lora?"),
        (
            "lora_alpha: 16",
            "lora_alpha: 16\n      lora_scaling: 1",
            "scaling is unknown to lora",
        ),
        ("scale_sense: 1.0", "scale_sense: {type: Dynamic}", "type 'Dynamic' is unknown"),
        ("scale_sense: 1.0", "scale_sense: {type: TimeMonitor}", "scale_sense type 'TimeMonitor'"),
        ("warmup_ratio: 0.05", "warmup: 0.05", "unknown to CosineWithWarmUpLR of MindFormers"),
        ("shuffle: True", "shufle: True", "train_dataset.data_loader.shufle is unknown to MindD"),
        ("optimizer:\n", "optimizer:\n  ? [a]\n  : b\n", "a key of optimizer is no name"),
        ("seed: 42", "7: 42", "7 is unknown to MindFormers"),
    ],
)
def test_each_kind_of_fault(old: str, new: str, fault: str) -> None:
    found = faults(changed(TINY, old, new))
    assert [what for _, what in found if fault in what], found


def test_what_mindformers_takes_beside() -> None:
    """Of several forms of a value each is good, and what is empty where nothing may stand."""
    for old, new in (
        ("scale_sense: 1.0", "scale_sense: 65536"),
        (
            "scale_sense: 1.0",
            "scale_sense: {type: DynamicLossScaleUpdateCell, loss_scale_value: 65536, "
            "scale_factor: 2, scale_window: 1000}",
        ),
        ("warmup_ratio: 0.05", "warmup_ratio:"),
        ('load_checkpoint: ""', "load_checkpoint:"),
        ("parallel_mode: 0", "parallel_mode: DATA_PARALLEL"),
        ("type: AdamW", "type: LoraPlusAdamW\n  lora_plus_ratio: 16"),
        ("type: LlamaForCausalLM", "type: PackedLlamaForCausalLM"),
        (
            "  - type: MFLossMonitor",
            "  - {auto_register: a.B, type: B, whatever: 1}\n  - type: MFL",
        ),
        ("lora_rank: 8", "<<: {lora_rank: 8, lora_alpha: 16}"),
    ):
        text = changed(TINY, old, new).replace("- type: MFLossMonitorMFL", "- type: MFLossMonitor")
        text = text.replace("- type: MFL\n", "- type: MFLossMonitor\n")
        assert faults(text) == [], new


def test_a_section_written_twice_by_an_alias_is_told_once() -> None:
    bad = changed(TINY, "prefetch_size: 1", "prefetchsize: 1")
    ((line, what),) = faults(bad)
    assert line == line_of(bad, "prefetchsize")
    assert what.startswith("train_dataset.prefetchsize is unknown")


def test_a_data_set_written_out_is_checked_where_it_stands() -> None:
    bad = changed(TINY, "dataset_config: *train_dataset", "dataset_config: {repeats: 1}")
    ((line, what),) = faults(bad)
    assert line == line_of(bad, "repeats")
    assert "train_dataset_task.dataset_config.repeats is unknown" in what
