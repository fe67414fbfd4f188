"""The merge stage: adapter checkpoints in, whole model folders out."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.files.atomic import atomic_path
from tools.files.errors import UserError
from tools.files.progress import progress
from tools.files.space import require_space
from tools.llama.lora import LoraConfig, merge
from tools.llama.shape import LlamaShape
from tools.settings.resolve import read_finetune


def read_config(config: Path) -> tuple[LlamaShape, LoraConfig]:
    """Shape and LoRA of a finetune.yaml."""
    model_config = read_finetune(config)["model"]["model_config"]
    shape = LlamaShape.from_model_config(model_config, str(config))
    return shape, LoraConfig.from_pet_config(model_config.get("pet_config") or {}, str(config))


def merge_one(base: Path, adapter: Path, config: Path, output: Path) -> None:
    """Merge one adapter into `output`, a checkpoint file."""
    shape, lora = read_config(config)
    merge(base, adapter, output, shape, lora)


def merge_all(base: Path, adapters: Path, config: Path, output: Path) -> int:
    """Merge adapters/K.ckpt into `output`/K for every K; return how many.

    A model folder holds model.ckpt, and model.json and the tokenizer of the base. All of them
    appear together. Raises UserError where there is no adapter or too little disk.
    """
    shape, lora = read_config(config)
    paths = sorted(adapters.glob("*.ckpt"), key=lambda path: (len(path.stem), path.stem))
    if not paths:
        raise UserError("holds no adapter checkpoint", adapters, "run `make finetune`")
    beside = [base.with_name("model.json"), *sorted(base.parent.glob("tokenizer.*"))]
    output.parent.mkdir(parents=True, exist_ok=True)
    require_space(output.parent, base.stat().st_size * len(paths))
    with atomic_path(output) as temporary, progress("merge", len(paths), unit="models") as bar:
        for path in paths:
            folder = temporary / path.stem
            folder.mkdir(parents=True)
            merge(base, path, folder / "model.ckpt", shape, lora)
            for extra in beside:
                shutil.copyfile(extra, folder / extra.name)
            bar.advance(1)
    return len(paths)
