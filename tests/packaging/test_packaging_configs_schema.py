"""The committed schema: what it says, our own classes in it, and that it is MindFormers' still."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools.packaging.configs.document import compose
from tools.packaging.configs.schema import (
    SCHEMAS,
    own_classes,
    own_model_keys,
    read_schema,
    schema_for,
    schema_of,
)
from tools.packaging.configs.signatures import NO_DEFAULT, Key
from tools.settings.stacks import CONTEST, PYPI

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = SCHEMAS / "pypi.json"

# A MindFormers of its own: what another version's file has to say, and no more.
OTHER = {
    "mindformers": "1.1",
    "mindspore": "2.3.0rc2",
    "run_modes": ["finetune"],
    "sections": {"": {"seed": ["int", 0], "optimizer": ["dict"]}},
    "types": {
        **{kind: {} for kind in ("models", "callback")},
        "optimizer": {"FP32StateAdamWeightDecay": ["a.B", {"beta1": ["float", 0.9]}]},
        "config": {"LlamaConfig": ["a.C", {"seq_length": ["int|none"]}]},
    },
}


def test_what_it_says_of_mindformers() -> None:
    schema = read_schema()
    assert schema.about == "MindFormers 1.9.0"
    assert schema.sections["runner_config"]["sink_mode"] == Key(("bool",), True)
    assert schema.types["optimizer"]["AdamW"]["eps"] == Key(("float",), 1e-8)
    assert schema.types["lr"]["CosineWithWarmUpLR"]["learning_rate"] == Key(("float",), NO_DEFAULT)
    assert schema.types["pet"]["lora"]["lora_alpha"] == Key(("int", "float"), 16)
    assert "min_new_tokens" in schema.types["config"]["LlamaConfig"]
    assert schema.default("config", "LlamaConfig", "compute_dtype") == "float16"
    assert schema.default("config", "LlamaConfig", "no_such_key") is None
    assert schema.default("config", None, "compute_dtype") is None
    assert "CheckpointMointor" not in schema.types["callback"]


def test_our_own_classes_are_read_from_their_source() -> None:
    types = read_schema().types
    assert types["optimizer"]["LoraPlusAdamW"]["lora_plus_ratio"] == Key(("float",), 16.0)
    assert "PackedLlamaForCausalLM" in types["models"]
    assert {"Saver", "StepRecorder"} <= set(types["callback"])
    assert set(types["callback"]["StepRecorder"]) == {"path", "first", "workers"}
    assert "labels_per_row" in types["config"]["LlamaConfig"]
    assert "labels_per_row" not in json.loads(COMMITTED.read_text())["types"]["config"]


def test_own_classes_of_a_source() -> None:
    tree = ast.parse(
        "@MindFormerRegister.register(MindFormerModuleType.LR)\n"
        "class Steps:\n def __init__(self, every: int = 2, **rest): self.x = rest['x']\n"
        "@other\nclass Plain:\n pass\n"
        "def f(config): return getattr(config, 'key', 1), getattr(other, 'no')\n"
    )
    assert list(own_classes([tree])) == [
        ("lr", "Steps", {"every": Key(("int",), 2), "x": Key(("any",))})
    ]
    assert list(own_model_keys([tree])) == ["key"]


def test_another_version_is_another_file() -> None:
    """No name of MindFormers stands in the code that reads a schema."""
    schema = schema_of(OTHER)
    assert schema.about == "MindFormers 1.1"
    assert set(schema.types["optimizer"]) == {
        "FP32StateAdamWeightDecay",
        "LoraPlusFP32StateAdamWeightDecay",
    }
    assert schema.types["config"]["LlamaConfig"]["seq_length"] == Key(("int", "none"))


def test_the_check_imports_neither_mindformers_nor_mindspore(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom tools.packaging.configs import check_configs\n"
        "assert check_configs(['configs']) == (int(sys.argv[1]), [])\n"
        "print([name for name in sys.modules if name.startswith('mind')])"
    )
    count = str(len(list((ROOT / "configs").rglob("*.yaml"))))
    done = subprocess.run(
        [sys.executable, "-c", script, count], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


LIVE = """
import ast, inspect, json, sys
from tools.packaging.configs import snapshot
from tools.packaging.configs.signatures import GIVEN
from tools.packaging.configs.snapshot import snapshot_text, take_snapshot

text = snapshot_text(take_snapshot())
from mindformers.tools.register import MindFormerRegister

known, compared, missing = json.loads(text)["types"], 0, []
for kind in snapshot.KINDS:
    for name in known[kind]:
        own = MindFormerRegister.registry[kind][name]
        try:
            parameters = inspect.signature(own).parameters.values()
        except ValueError:
            continue
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            compared += 1
            given = parameter.name in GIVEN or parameter.name.startswith("_")
            if not given and parameter.name not in known[kind][name][1]:
                missing.append(f"{kind} {name} {parameter.name}")
json.dump({"text": text, "compared": compared, "missing": missing}, open(sys.argv[1], "w"))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mindformers") is None, reason="there is nothing to read")
def test_the_committed_schema_is_that_of_the_installed_mindformers(tmp_path: Path) -> None:
    """Written again it is the same file, and no parameter that `inspect` sees is missing."""
    output = tmp_path / "live.json"
    subprocess.run([sys.executable, "-c", LIVE, str(output)], cwd=ROOT, check=True)
    live = json.loads(output.read_text())
    assert live["missing"] == []
    assert live["compared"] > 1000
    assert live["text"] == COMMITTED.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("optimizer: {type: FP32StateAdamWeightDecay}", CONTEST),
        ("callbacks: [{type: MFLossMonitor}, {type: CheckpointMointor}]", CONTEST),
        ("eval_callbacks: &a\n  - type: ObsMonitor\nother: *a", CONTEST),
        ("optimizer: {type: AdamW}", PYPI),
        ("optimizer: {type: LoraPlusFP32StateAdamWeightDecay}", PYPI),  # ours, and on both
        ("optimizer: {type: NoSuchClass}\nx: [FP32StateAdamWeightDecay]", PYPI),
        ("", PYPI),
        ("a: &a [*a, {type: ObsMonitor}]", CONTEST),
    ],
)
def test_a_file_is_held_against_the_release_whose_classes_it_names(text: str, stack: str) -> None:
    assert schema_for(compose(text)) is read_schema(stack)


def test_aliases_of_aliases_are_looked_into_once() -> None:
    """Each line doubles the last: 2^60 leaves, were they all visited."""
    lines = ["a0: &a0 {type: AdamW}"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 61)]
    assert schema_for(compose("\n".join(lines))) is read_schema(PYPI)


def test_our_optimisers_are_known_where_what_they_stand_on_is() -> None:
    contest, pypi = (read_schema(stack).types["optimizer"] for stack in (CONTEST, PYPI))
    assert "LoraPlusAdamW" in pypi and "LoraPlusAdamW" not in contest
    for types in (contest, pypi):
        assert {"FP32StateAdamWeightDecay", "LoraPlusFP32StateAdamWeightDecay"} <= set(types)
        assert types["LoraPlusFP32StateAdamWeightDecay"]["beta2"].default == 0.999
