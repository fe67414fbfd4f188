"""A training that begins with the LoRA matrices of an earlier one: the stages of a chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.llama.checkpoint import Checkpoint
from tools.llama.lora import LoraConfig, check_adapter
from tools.llama.peft import CONFIG, import_adapter
from tools.llama.shape import LlamaShape
from tools.settings.native import read_finetune
from tools.settings.resolve import read_resolved

_REMEDY = "give the profile's own adapter, or change pet_config in finetune.yaml"


class Initial(NamedTuple):
    """What a training begins with.

    path    checkpoint of the LoRA matrices, names as MindFormers has them
    record  for run.json: {"path", "sha256", "base", "init"}; `init` is the same of the training
            that made it, and so on back to the base, None where that one began with the base
    """

    path: Path
    record: Dict[str, Any]


def open_initial(
    source: Path, shape: LlamaShape, lora: LoraConfig, base_sha256: str, scratch: Path
) -> Initial:
    """Return the adapter in `source`, which must be of this base and these LoRA settings.

    source   a training's output folder, its adapters/, one checkpoint, or a PEFT folder
    scratch  folder that receives the checkpoint made of a PEFT folder

    Of a folder of checkpoints the last is taken. Raises UserError where rank, alpha, targets or
    base differ. A run.json that names no base leaves the base to the shapes.
    """
    if (source / CONFIG).is_file():
        own = import_adapter(source, shape, scratch)
        path, file, told = scratch / "adapter.ckpt", source / "adapter_model.safetensors", source
    else:
        path = file = _last_checkpoint(source)
        told = path.parent.parent if path.parent.name == "adapters" else path.parent
        own = _lora_of(told / "finetune-as-run.yaml")
    if own is not None and (own.rank, own.alpha) != (lora.rank, lora.alpha):
        what = f"has rank {own.rank}, alpha {own.alpha:g}; this training has {lora.rank}, "
        raise UserError(f"{what}{lora.alpha:g}", file, _REMEDY)
    try:
        check_adapter(Checkpoint(path), shape, lora)
    except UserError as error:
        raise UserError(f"does not fit this training: {error.what}", file, _REMEDY) from error
    run = read_resolved(told / "run.json", []) if (told / "run.json").is_file() else {}
    base = run.get("base", {}).get("sha256")
    if base not in (None, base_sha256):
        what = f"was trained on a base of sha256 {base[:12]}…, this one has {base_sha256[:12]}…"
        raise UserError(what, file, "give an adapter of the same base weights")
    record = {
        "path": source.name if source.is_absolute() else source.as_posix(),
        "sha256": content_of(file).sha256,
        "base": base,
        "init": run.get("init"),
    }
    return Initial(path, record)


def _last_checkpoint(source: Path) -> Path:
    if source.is_file():
        return source
    folder = source / "adapters" if (source / "adapters").is_dir() else source
    found = [path for path in folder.glob("*.ckpt") if path.stem.isdecimal()]
    if not found:
        remedy = "give a training's output folder (runs/RUN/finetune), or PEFT's of an adapter"
        raise UserError("holds no adapter", source, remedy)
    return max(found, key=lambda path: int(path.stem))


def _lora_of(config: Path) -> Optional[LoraConfig]:
    if not config.is_file():
        return None
    model_config = read_finetune(config)["model"]["model_config"]
    return LoraConfig.from_pet_config(model_config.get("pet_config") or {}, str(config))
