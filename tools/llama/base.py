"""The base weights of a profile: from a GGUF file, from a seed, or as MindSpore has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Dict

import numpy as np

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.shape import LlamaShape
from tools.settings.resolve import read_resolved

# Standard deviation of the initial weights: Touvron et al., 2023 (LLaMA) and GPT-2 before it.
_INITIAL_DEVIATION = 0.02


def convert_weights(config: Path, material: Path, output: Path) -> Dict[str, Any]:
    """Write `output` (a MindSpore checkpoint) and model.json beside it, and say what was done.

    config    resolved model.json: source, file, seed, model_config
    material  folder with the fetched artefacts
    Raises UserError where the file is missing, damaged or of another shape than the config.
    """
    settings = read_resolved(config, ["source", "file", "seed", "model_config", "tied"])
    shape = LlamaShape.from_model_config(settings["model_config"], str(config))
    source = settings["source"]
    if source == "gguf":
        _from_gguf(material / settings["file"], shape, output)
    elif source == "seed":
        write_checkpoint(output, _random_tensors(shape, settings["seed"]))
    else:
        _from_mindspore(material / settings["file"], shape, output)
    write_json(output.with_name("model.json"), shape.to_dict())
    tied = shape.vocab_size * shape.hidden_size if settings["tied"] else 0
    total = shape.count() - tied
    parameters = {"trained": 0, "total": total, "denominator": settings.get("denominator") or total}
    write_json(output.with_name("parameters.json"), parameters)
    return {"source": source, "parameters": shape.count(), "bytes": output.stat().st_size}


def _from_gguf(path: Path, shape: LlamaShape, output: Path) -> None:
    from tools.llama.gguf import open_gguf, read_weights, shape_differences

    reader = open_gguf(path)
    differences = shape_differences(reader, shape)
    if differences:
        raise UserError("; ".join(differences), path, "correct finetune.yaml or the artefact")
    tensors = read_weights(reader, shape, str(path))
    write_checkpoint(output, ((name, array, "Float32") for name, array in tensors))


def _random_tensors(shape: LlamaShape, seed: int) -> Iterator[tuple[str, np.ndarray, str]]:
    generator = np.random.default_rng(seed)
    for name, dims in shape.parameters().items():
        if len(dims) == 1:  # the gain of a norm
            yield name, np.ones(dims, np.float32), "Float32"
        else:
            weight = generator.standard_normal(dims, dtype=np.float32) * _INITIAL_DEVIATION
            yield name, weight, "Float32"


def _from_mindspore(path: Path, shape: LlamaShape, output: Path) -> None:
    if not path.is_file():
        raise UserError("no such file", path, "run `make fetch`")
    checkpoint = Checkpoint(path)
    checkpoint.require_shapes(shape.parameters(), "the config", "fetch the right model")
    # 16 GB are linked, not copied, where the file system can.
    with atomic_path(output) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            import shutil

            shutil.copyfile(path, temporary)
