"""A tiny model and adapter of exact numbers, for tests and for the golden made from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml

from tools.llama.checkpoint import write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters
from tools.llama.shape import LlamaShape

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHAPE = LlamaShape(2, 32, 48, 4, 2, 64, 10000.0, 1e-5, 1, 2, 0)
LORA = LoraConfig(2, 4.0, ".*wq|.*wv|.*w2")
IDS = [5, 17, 60, 33, 2, 41, 41, 8, 29, 54, 11, 3]


def numbers(name: str, dims: tuple) -> np.ndarray:
    """Multiples of 1/1024 between -1/4 and 1/4, the same on every machine."""
    start = sum(name.encode())
    places = np.arange(int(np.prod(dims)), dtype=np.uint64) + np.uint64(start)
    return ((places * np.uint64(2654435761) % 513).astype(np.float32) / 1024 - 0.25).reshape(dims)


def tensors(shapes: dict, type_name: str = "Float32", tied: bool = False) -> list:
    made = [
        (name, np.ones(dims, np.float32) if "norm" in name else numbers(name, dims), type_name)
        for name, dims in shapes.items()
    ]
    return [*made[:-1], (made[-1][0], made[0][1], type_name)] if tied else made


def write_model(folder: Path, type_name: str = "Float32", tied: bool = False) -> Path:
    """A model folder of ours."""
    from tokenizers import Tokenizer, models

    folder.mkdir(parents=True)
    write_checkpoint(folder / "model.ckpt", tensors(SHAPE.parameters(), type_name, tied))
    (folder / "model.json").write_text(json.dumps(SHAPE.to_dict(), indent=2) + "\n")
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, **{f"w{n}": n for n in range(3, 64)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_adapter(path: Path, lora: LoraConfig = LORA) -> Path:
    write_checkpoint(path, tensors(adapter_parameters(SHAPE, lora)))
    return path


def write_config(path: Path) -> Path:
    """The finetune.yaml that trained the adapter."""
    config = yaml.safe_load((CONFIGS / "tiny" / "finetune.yaml").read_text("utf-8"))
    config["model"]["model_config"].update(SHAPE.to_dict())
    pet = {"pet_type": "lora", "lora_rank": LORA.rank, "lora_alpha": LORA.alpha}
    config["model"]["model_config"]["pet_config"] = {**pet, "target_modules": LORA.targets}
    path.write_text(yaml.safe_dump(config))
    return path
