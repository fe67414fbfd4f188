"""A tiny model, a changed one and an adapter, with the finetune.yaml of all three."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tools.llama.checkpoint import write_checkpoint
from tools.llama.lora import adapter_parameters

sys.path.insert(0, str(Path(__file__).parents[1] / "llama"))
import exported_model as made


def random_tensors(shapes, seed, type_name="Float32"):
    generator = np.random.default_rng(seed)
    return [
        (name, generator.standard_normal(dims).astype(np.float32), type_name)
        for name, dims in shapes.items()
    ]


@pytest.fixture
def model(tmp_path):
    """base, tuned (bfloat16), adapters/1.ckpt and 2.ckpt, config; shape and lora."""
    shapes = made.SHAPE.parameters()
    write_checkpoint(tmp_path / "base.ckpt", random_tensors(shapes, 1))
    write_checkpoint(tmp_path / "tuned.ckpt", random_tensors(shapes, 2, "BFloat16"))
    adapted = adapter_parameters(made.SHAPE, made.LORA)
    for number in (1, 2):
        tensors = random_tensors(adapted, 2 + number)
        write_checkpoint(tmp_path / "adapters" / f"{number}.ckpt", tensors)
    config = made.write_config(tmp_path / "finetune.yaml")
    return SimpleNamespace(
        folder=tmp_path,
        base=tmp_path / "base.ckpt",
        tuned=tmp_path / "tuned.ckpt",
        adapters=tmp_path / "adapters",
        config=config or tmp_path / "finetune.yaml",
        shape=made.SHAPE,
        lora=made.LORA,
    )
