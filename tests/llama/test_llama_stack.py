"""The one module that knows MindFormers, held against what is recorded of each release."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

from tools.llama import bridge
from tools.packaging.configs.schema import SCHEMAS, read_schema
from tools.packaging.configs.used import imported_names
from tools.settings.stacks import CONTEST, PYPI, STACKS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
# Reads MindFormers itself, to write the record down.
INTROSPECTION = "packaging/configs/"


def recorded(stack: str) -> Dict[str, Dict[str, List[str]]]:
    return json.loads((SCHEMAS / f"{stack}.json").read_text("utf-8"))["used"]


def test_nothing_else_imports_mindformers() -> None:
    found = []
    for path in sorted(TOOLS.rglob("*.py")):
        name = path.relative_to(TOOLS).as_posix()
        if name == "llama/stack.py" or name.startswith(INTROSPECTION):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [name for part in names if str(part).split(".")[0] == "mindformers"]
    assert found == []


@pytest.mark.parametrize("stack", STACKS)
def test_every_name_is_there_in_either_release(stack: str) -> None:
    assert {f"{module}.{name}" for module, name in imported_names()} == set(recorded(stack))


# How our code calls them, by position and by name.
CALLS = {
    "mindformers.Trainer": {"": ["args"], "finetune": ["finetune_checkpoint", "resume_training"]},
    "mindformers.tools.register.MindFormerRegister": {
        "register_cls": ["register_class", "module_type", "alias"],
        "register": ["module_type", "alias"],
        "get_cls": ["module_type", "class_name"],
    },
    "mindformers.core.lr.LearningRateWiseLayer": {"": ["base_lr", "lr_scale"]},
    "mindformers.wrapper.wrapper.MFTrainOneStepCell": {
        "": ["network", "optimizer", "use_clip_grad", "scale_sense"]
    },
    "mindformers.models.llama.LlamaForCausalLM": {
        "generate": ["input_ids"],
    },
    "mindformers.models.llama.LlamaConfig": {
        "": [
            "batch_size", "seq_length", "hidden_size", "num_layers", "num_heads", "n_kv_heads",
            "vocab_size", "intermediate_size", "rms_norm_eps", "bos_token_id", "eos_token_id",
            "pad_token_id", "ignore_token_id", "theta", "compute_dtype", "param_init_type",
            "layernorm_compute_type", "softmax_compute_type", "rotary_dtype", "use_past",
            "use_flash_attention", "block_size", "num_blocks", "is_dynamic", "use_rope_slice",
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", list(CALLS))
def test_they_take_what_they_are_given(name: str, stack: str) -> None:
    for method, wanted in CALLS[name].items():
        parameters = recorded(stack)[name][method]
        passed_on = "**kwargs" in parameters and name not in NAMED_IN_FULL
        assert set(wanted) <= set(parameters) or passed_on, (method, parameters)


# It takes any name, and keeps those that it does not know: each has to be one of its own.
NAMED_IN_FULL = {"mindformers.models.llama.LlamaConfig"}


@pytest.mark.parametrize("stack", STACKS)
def test_generate_knows_what_it_is_told(stack: str) -> None:
    """What mindformers_engine.py passes on is GenerationConfig's, which a model's config takes."""
    told = {"do_sample", "max_new_tokens", "min_new_tokens", "eos_token_id", "pad_token_id"}
    assert told <= set(read_schema(stack).types["config"]["LlamaConfig"])


def test_in_what_the_releases_differ() -> None:
    """What stack.py asks before it uses it is there in one and missing in the other."""
    optimisers = {stack: recorded(stack)["mindformers.core.optim"] for stack in STACKS}
    assert "adamw" in optimisers[PYPI] and "adamw" not in optimisers[CONTEST]
    assert "FP32StateAdamWeightDecay" in optimisers[CONTEST]
    assert "FP32StateAdamWeightDecay" not in optimisers[PYPI]
    trainers = {stack: recorded(stack)["mindformers.trainer.utils"] for stack in STACKS}
    assert "barrier" in trainers[PYPI] and "barrier" not in trainers[CONTEST]
    norms = recorded(CONTEST)["mindformers.models.llama.llama_layer"]
    assert "check_rmsnorm_big_kernel_valid" in norms


def package(folder: Path, files: Dict[str, str]) -> Path:
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "mindformers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("files", "release"), [({}, CONTEST), ({"tools/register/template.py": ""}, PYPI)]
)
def test_which_release_is_on_the_path(files, release, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [str(package(tmp_path, files)), *sys.path])
    monkeypatch.delitem(sys.modules, "mindformers", raising=False)
    assert bridge.release_on_path() == release


def test_no_release_on_the_path(monkeypatch) -> None:
    monkeypatch.setattr(bridge, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="mindformers"):
        bridge.release_on_path()


NAMES = """
from tools.llama.bridge import restore_names
restore_names()
import mindspore
from mindspore import nn
from mindspore.dataset.transforms import py_transforms
import mindspore.dataset.transforms.py_transforms
assert nn.Cell.cast(mindspore.Tensor([1.7]), mindspore.int32).asnumpy().tolist() == [1]
class Transform(py_transforms.PyTensorOperation):
    pass
before = nn.Cell.cast
restore_names()
assert nn.Cell.cast is before
"""


def test_names_that_mindspore_dropped_come_back() -> None:
    subprocess.run([sys.executable, "-c", NAMES], cwd=ROOT, check=True, timeout=120)


def test_the_contests_optimiser_under_the_newer_release() -> None:
    """Adam without the correction of the bias, decay decoupled: by hand, over four steps."""
    script = Path(__file__).with_name("adam_by_hand.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
