"""`python -m tools.probe`: exit codes and lines."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tools.llama.checkpoint import write_checkpoint
from tools.probe import main

sys.path.insert(0, str(Path(__file__).parent / "llama"))
import exported_model as made

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def work(tmp_path):
    shapes = made.SHAPE.parameters()
    generator = np.random.default_rng(1)
    tensors = [(name, generator.standard_normal(dims), "Float32") for name, dims in shapes.items()]
    write_checkpoint(tmp_path / "base.ckpt", tensors)
    made.write_adapter(tmp_path / "adapters" / "1.ckpt")
    made.write_config(tmp_path / "finetune.yaml")
    return tmp_path


def run(work, *words):
    here = [work / word if (work / word).exists() or word == "probe" else word for word in words]
    fixed = ["--config", str(work / "finetune.yaml")]
    return CliRunner().invoke(main, [*fixed, *map(str, here)])


def test_weights_adapter_and_shape(work, monkeypatch):
    result = run(work, "--weights", "base.ckpt", "--output", "probe", "--parameters", "900")
    assert result.exit_code == 0 and "900 parameters keep of the energy" in result.stdout
    monkeypatch.setattr(
        "tools.probing.probe.draw_probe", lambda *words: None
    )  # drawn once is enough
    result = run(work, "--adapter", "adapters", "--output", "probe")
    assert result.exit_code == 0 and "of rank 2" in result.stdout
    result = run(work, "--parameters", "448")
    assert result.exit_code == 0 and "| `.*wq|.*wv` | 2 | 448 |" in result.stdout


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "give --weights or --adapter, or --parameters alone"),
        (["--weights", "base.ckpt"], "give the --output folder"),
        (["--minus", "base.ckpt", "--output", "probe"], "give --weights, with or without"),
        (["--weights", "base.ckpt", "--adapter", "adapters"], "give --weights, with or without"),
        (["--weights", "none.ckpt", "--output", "probe"], "no such file"),
        (["--weights", "base.ckpt", "--output", "probe", "--parameters", "0"], "is no budget"),
        (["--weights", "base.ckpt", "--minus", "base.ckpt", "--output", "probe"], "is zero"),
    ],
)
def test_what_is_asked_for_wrongly(work, words, fault):
    result = run(work, *words)
    assert result.exit_code == 2 and fault in result.stderr.replace("\n", " ")
    assert not (work / "probe" / "probe.json").exists()


def test_help_is_quick_and_imports_no_framework():
    code = "import sys, tools.probe; tools.probe.main(['--help'], standalone_mode=False); "
    code += "print([name for name in ('numpy', 'mindspore') if name in sys.modules])"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("[]\n")
    assert time.monotonic() - began < 5  # half a second where nothing else runs


def test_probing_needs_no_mindspore(work):
    code = "import sys; from tools.probing.probe import probe_weights; from pathlib import Path; "
    code += "w = Path(sys.argv[1]); "
    code += "probe_weights(w / 'finetune.yaml', w / 'base.ckpt', None, w / 'probe', None); "
    code += "print([n for n in ('mindspore', 'mindformers') if n in sys.modules])"
    command = [sys.executable, "-c", code, str(work)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "[]\n", done.stderr
