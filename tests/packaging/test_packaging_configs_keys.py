"""Keys and types: every key of ours misspelt, every typed value of another type, and the rest."""

from __future__ import annotations

from typing import Iterator, List, Tuple

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


def all_pairs(node: yaml.Node, seen: set) -> Iterator[Tuple[yaml.Node, yaml.Node]]:
    """Every key of a file and its value, once, whatever the aliases."""
    if id(node) in seen:
        return
    seen.add(id(node))
    for key, child in pairs(node):
        yield key, child
        yield from all_pairs(child, seen)
    for item in node.value if isinstance(node, yaml.SequenceNode) else []:
        yield from all_pairs(item, seen)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_key_is_missed_when_misspelt(text: str) -> None:
    """With two letters swapped, the fault names the key, its line and what was meant."""
    document, tried = compose(text), 0
    for key, _ in list(all_pairs(document.tree, set())):
        good = key.value
        if good in ("type", "pet_type", *PASSED_ON):
            continue
        swapped = good[:1] + good[2] + good[1] + good[3:]
        key.value = swapped if swapped != good else good + "e"
        line = key.start_mark.line + 1
        found = [what for at, what in key_faults(document, read_schema()) if at == line]
        assert [f"did you mean {good}?" in what for what in found] == [True], (key.value, found)
        assert f"{key.value} is unknown to " in found[0]
        key.value = good
        tried += 1
    assert tried > 60


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_number_and_truth_value_is_missed_in_quotes(text: str) -> None:
    document, tried = compose(text), 0
    for key, child in list(all_pairs(document.tree, set())):
        # A mode has a name too, and what is below this key MindSpore alone knows.
        if key.value in ("mode", "parallel_mode", *PASSED_ON):
            continue
        if child.tag.rpartition(":")[2] not in ("int", "float", "bool"):
            continue
        good, child.tag = child.tag, "tag:yaml.org,2002:str"
        line = key.start_mark.line + 1
        found = [what for at, what in key_faults(document, read_schema()) if at == line]
        stated = f"{key.value} is the text {child.value!r}, not "
        assert [stated in what for what in found] == [True], (key.value, found)
        child.tag = good
        tried += 1
    assert tried > 35


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  eps: 1.0e-8", "  eps: 1e-8", "the text '1e-8', not a number; write 1.0e-08 with"),
        ("  eps: 1.0e-8", "  eps: 1e-8", "1.0e-08 without quotes, which YAML takes for a"),
        ("learning_rate: 1.0e-3", "learning_rate: 1e-3", "write 0.001 without quotes, which YAML"),
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


def test_alpha_of_rslora_is_not_whole() -> None:
    assert faults(changed(TINY, "lora_alpha: 16", "lora_alpha: 45.254834")) == []
    assert faults(changed(TINY, "lora_alpha: 16", "lora_alpha: 'x'"))


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
