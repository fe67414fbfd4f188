"""Schemas: every key of ours misspelt, every typed value of another type, and what they know."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Dict, Iterator, List, Tuple

import pytest
import yaml
from config_files import CONFIGS, EVALUATION, LLAMA, TINY, changed, line_of

from tools.packaging.config_check import finetune_faults
from tools.packaging.config_schemas import read_schema, release_of, structure_faults
from tools.settings.stacks import CONTEST, PYPI

ROOT = CONFIGS.parent
FILES = {"tiny": TINY, "llama": LLAMA, "evaluation": EVALUATION}
# Of `parallel_optimizer_config`.
PASSED_ON = ("gradient_accumulation_shard", "parallel_optimizer_threshold")


def faults(text: str) -> List[Tuple[int, str]]:
    return finetune_faults(text, PYPI)


def all_keys(value: Any, seen: set) -> Iterator[Tuple[Dict[str, Any], str]]:
    """Every section and key of a file once, whatever the aliases."""
    if id(value) in seen:
        return
    seen.add(id(value))
    for key in list(value) if isinstance(value, dict) else ():
        yield value, key
        yield from all_keys(value[key], seen)
    for item in value if isinstance(value, list) else ():
        yield from all_keys(item, seen)


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_key_is_missed_when_misspelt(text: str) -> None:
    """With two letters swapped, the fault names the key and what was meant."""
    config, tried = yaml.safe_load(text), 0
    for section, good in list(all_keys(config, set())):
        if good in ("type", "pet_type", *PASSED_ON):
            continue
        swapped = good[:1] + good[2] + good[1] + good[3:]
        bad = swapped if swapped != good else good + "e"
        section[bad] = section.pop(good)
        found = {what for keys, what in structure_faults(config, PYPI) if keys[-1:] == (bad,)}
        assert found and all(f"did you mean {good}?" in what for what in found), (bad, found)
        section[good] = section.pop(bad)
        tried += 1
    assert tried > 60


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_every_number_and_truth_value_is_missed_in_quotes(text: str) -> None:
    config, tried = yaml.safe_load(text), 0
    for section, key in list(all_keys(config, set())):
        value = section[key]
        # A mode has a name too, and what is below this key MindSpore alone knows.
        if key in ("mode", "parallel_mode", *PASSED_ON):
            continue
        if not isinstance(value, (bool, int, float)):
            continue
        section[key] = str(value)
        stated = f"{key} is the text {str(value)!r}, not of type "
        assert any(stated in what for _, what in structure_faults(config, PYPI)), key
        section[key] = value
        tried += 1
    assert tried > 35


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  eps: 1.0e-8", "  eps: 1e-8", "the text '1e-8', not of type number; write 1.0e-08 with"),
        ("  eps: 1.0e-8", "  eps: 1e-8", "1.0e-08 without quotes: YAML wants a point"),
        ("learning_rate: 1.0e-3", "learning_rate: 1e-3", "write 1.0e-03 without quotes: YAML"),
        ("sink_mode: False", 'sink_mode: "false"', "not of type boolean; write False without"),
        ("epochs: 1", 'epochs: "1"', "not of type integer; write 1 without quotes"),
        ("epochs: 1", "epochs: 1.5", "epochs is 1.5, not of type integer"),
        ("epochs: 1", "epochs: True", "epochs is True, not of type integer"),
        ("epochs: 1", "epochs:", "epochs is empty, not of type integer"),
        ("betas: [0.9, 0.999]", "betas: 0.9", "betas is 0.9, not of type array"),
        (
            "weight_decay: 0.0",
            "weight_decay: [0.0]",
            "decay is [0.0], not of type integer or number",
        ),
        ('model_name: "tiny"', "model_name: 8", "is 8, not of type string; put it into quotes"),
        (
            "runner_wrapper:",
            "eval_callbacks: {}\nrunner_wrapper:",
            "callbacks is {}, not of type array",
        ),
        ("model:\n", "moe_config: 1\nmodel:\n", "moe_config is 1, not of type object"),
        ("type: AdamW", "type: Adamw", "optimizer.type 'Adamw' is unknown to MindFormers"),
        ("type: AdamW", "type: Adamw", "did you mean AdamW?"),
        ("  type: AdamW\n", "", "optimizer lacks type"),
        ("type: MFLossMonitor", "type: CheckpointMointor", "did you mean CheckpointMonitor?"),
        ("type: MFLossMonitor", "type: ObsMonitor", "callbacks.type 'ObsMonitor' is unknown"),
        ("type: LlamaForCausalLM", "type: LlamaForCausalLm", "did you mean LlamaForCausalLM?"),
        ("pet_type: lora", "pet_type: loar", "did you mean lora?"),
        (
            "lora_alpha: 16",
            "lora_alpha: 16\n      lora_scaling: 1",
            "scaling is unknown to LoraConfig of MindFormers 1.9.0",
        ),
        ("scale_sense: 1.0", "scale_sense: {type: Dynamic}", "type 'Dynamic' is unknown"),
        ("scale_sense: 1.0", "scale_sense: {type: TimeMonitor}", "scale_sense.type 'TimeMonitor'"),
        ("warmup_ratio: 0.05", "warmup: 0.05", "unknown to CosineWithWarmUpLR of MindFormers"),
        ("shuffle: True", "shufle: True", "train_dataset.data_loader.shufle is unknown to MindD"),
        ("optimizer:\n", "optimizer:\n  ? [a]\n  : b\n", "not valid YAML, found unhashable key"),
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
    what = dict(faults(bad))[line_of(bad, "repeats")]
    assert "train_dataset_task.dataset_config.repeats is unknown" in what


def test_what_they_say_of_mindformers() -> None:
    contest, pypi = (read_schema(f"finetune-{stack}") for stack in (CONTEST, PYPI))
    assert pypi["title"] == "MindFormers 1.9.0"
    known = pypi["definitions"]
    assert known["runner_config"]["properties"]["sink_mode"] == {
        "type": ["boolean"],
        "default": True,
    }
    adam = known["optimizer.AdamW"]["properties"]
    assert adam["eps"] == {"type": ["number"], "default": 1e-8}
    assert known["lr.CosineWithWarmUpLR"]["properties"]["learning_rate"] == {"type": ["number"]}
    assert known["config.LlamaConfig"]["properties"]["compute_dtype"]["default"] == "float16"
    assert "callback.CheckpointMointor" not in known
    assert "callback.CheckpointMointor" in contest["definitions"]


def test_our_own_classes_are_known_where_what_they_stand_on_is() -> None:
    contest, pypi = (read_schema(f"finetune-{stack}")["definitions"] for stack in (CONTEST, PYPI))
    assert "optimizer.LoraPlusAdamW" in pypi and "optimizer.LoraPlusAdamW" not in contest
    for known in (contest, pypi):
        ratio = known["optimizer.LoraPlusFP32StateAdamWeightDecay"]["properties"]["lora_plus_ratio"]
        assert ratio["default"] == 16.0
        assert {"optimizer.FP32StateAdamWeightDecay", "callback.Saver"} <= {*known}
        recorder = known["callback.StepRecorder"]["properties"]
        assert set(recorder) == {"auto_register", "type", "path", "first", "workers"}
        assert "labels_per_row" in known["config.LlamaConfig"]["properties"]


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("optimizer: {type: FP32StateAdamWeightDecay}", CONTEST),
        ("callbacks: [{type: MFLossMonitor}, {type: CheckpointMointor}]", CONTEST),
        ("eval_callbacks: &a\n  - type: ObsMonitor\nother: *a", CONTEST),
        ("optimizer: {type: AdamW}", PYPI),
        ("optimizer: {type: LoraPlusFP32StateAdamWeightDecay}", PYPI),  # ours, and on both
        ("optimizer: {type: NoSuchClass}\nx: [CheckpointMointor]", PYPI),
        ("", PYPI),
    ],
)
def test_a_file_is_held_against_the_release_whose_classes_it_names(text: str, stack: str) -> None:
    assert release_of(yaml.safe_load(text)) == stack


def test_the_check_imports_neither_mindformers_nor_mindspore() -> None:
    script = (
        "import sys\nfrom tools.packaging.config_check import check_configs\n"
        "assert check_configs(['configs']) == (int(sys.argv[1]), [])\n"
        "print([name for name in sys.modules if name.startswith('mind')])"
    )
    count = str(len(list(CONFIGS.rglob("*.yaml"))))
    done = subprocess.run(
        [sys.executable, "-c", script, count], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
