"""The one module that knows MindFormers, and which release it finds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest

from tools.llama import bridge
from tools.packaging.config_schemas import read_schema
from tools.settings.stacks import CONTEST, PYPI, STACKS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"


def test_nothing_else_imports_mindformers() -> None:
    found = []
    for path in sorted(TOOLS.rglob("*.py")):
        name = path.relative_to(TOOLS).as_posix()
        if name == "llama/stack.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [name for part in names if str(part).split(".")[0] == "mindformers"]
    assert found == []


@pytest.mark.parametrize("stack", STACKS)
def test_generate_knows_what_it_is_told(stack: str) -> None:
    """What mindformers_engine.py passes on is GenerationConfig's, which a model's config takes."""
    told = {"do_sample", "max_new_tokens", "min_new_tokens", "eos_token_id", "pad_token_id"}
    definitions = read_schema(f"finetune-{stack}")["definitions"]
    assert told <= {*definitions["config.LlamaConfig"]["properties"]}


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
