"""What a training begins with: the base, and the LoRA matrices of an earlier one, if it is given.

So a long training is a chain of stages, each with rows and a schedule of its own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import numpy as np

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.llama.checkpoint import write_checkpoint
from tools.llama.lora import LoraConfig, adapter_parameters, check_adapter
from tools.llama.names import LORA_A, lora_part
from tools.llama.opening import open_tensors
from tools.llama.peft import CONFIG, WEIGHTS, open_peft
from tools.llama.published import RUN, check_published
from tools.llama.shape import LlamaShape
from tools.llama.tensors import Tensors
from tools.settings.native import read_model_config
from tools.settings.resolve import path_told, read_resolved
from tools.training.resume import identity

# The matrices that a training began with, and what its run.json says of them.
MATRICES, BEGUN = "init.ckpt", "begun.json"
_AS_RUN = "finetune-as-run.yaml"
_REMEDY = "give an adapter of this profile, or change pet_config in finetune.yaml"


def adapter_file(source: Path) -> Path:
    """Return the file of LoRA matrices that `source` names; UserError where there is none.

    source   a training's output folder or its adapters/, of which the last checkpoint is taken, a
             PEFT folder, or one checkpoint
    """
    if source.is_file():
        return source
    if (source / CONFIG).is_file():
        return source / WEIGHTS
    folder = source / "adapters" if (source / "adapters").is_dir() else source
    found = [path for path in folder.glob("*.ckpt") if path.stem.isdecimal()]
    if not found:
        what = "holds no adapter" if source.exists() else "no such file or folder"
        remedy = "give a training's output folder (runs/RUN/finetune), or PEFT's of an adapter"
        raise UserError(what, source, remedy)
    return max(found, key=lambda path: int(path.stem))


def identify(source: Path, before: Any) -> Dict[str, Any]:
    """Return what is enough to know an adapter again: its path, bytes and time of its file.

    before   the same of an unfinished training, which needs the adapter no more: where the file is
             gone and the path is that one, it is returned
    """
    path = path_told(source)
    try:
        return {"path": path, **identity(adapter_file(source))}
    except UserError:
        if isinstance(before, dict) and before["path"] == path:
            return before
        raise


def begin(
    base: Path, source: Optional[Path], shape: LlamaShape, lora: LoraConfig, folder: Path
) -> Dict[str, Any]:
    """Write into `folder` what a training begins with, and return what run.json says of it.

    base     checkpoint of the base weights
    source   adapter, as `adapter_file` takes it; None: fresh matrices, of which nothing is written
    folder   receives MATRICES, float32 under MindFormers' names, and BEGUN, what is returned:
             {"base": {"sha256"}, "init": {"path", "sha256", "matrices_sha256", "base", "init"}}

    In `init`, "sha256" is that of the adapter's file, "base" that of the weights under it, None
    where nobody tells, and "init" the same of the training that made it, and so on back to the one
    that began with fresh matrices, whose "init" is None. Raises UserError where the adapter is
    damaged, or of another rank, alpha, target or base.
    """
    begun: Dict[str, Any] = {"base": {"sha256": content_of(base).sha256}, "init": None}
    if source is not None:
        begun["init"] = _take(source, base, begun["base"]["sha256"], shape, lora, folder)
    write_json(folder / BEGUN, begun)
    return begun


def _take(
    source: Path, base: Path, base_sha256: str, shape: LlamaShape, lora: LoraConfig, folder: Path
) -> Dict[str, Any]:
    """Write MATRICES and return their record."""
    file = adapter_file(source)
    home = file.parent.parent if file.parent.name == "adapters" else file.parent
    if (file.parent / CONFIG).is_file():
        home = file.parent
        check_published(home, base)
        tensors, own, _ = open_peft(home, shape)
    else:
        tensors, own = open_tensors(file), _lora_of(home / _AS_RUN)
    run = read_resolved(home / RUN, []) if (home / RUN).is_file() else {}
    its_base = run.get("base", {}).get("sha256")
    for fault in _faults(tensors, own, shape, lora):
        raise UserError(fault, file, _REMEDY)
    if its_base not in (None, base_sha256):
        what = f"was trained on a base of sha256 {its_base[:12]}…, this one has {base_sha256[:12]}…"
        raise UserError(what, file, "give an adapter of the same base weights")
    # PEFT's are of bfloat16 at times, which MindSpore cannot turn into float32 on the CPU.
    matrices = [(name, tensors.read(name), "Float32") for name in adapter_parameters(shape, lora)]
    if not all(np.isfinite(array).all() for _, array, _ in matrices):
        raise UserError("holds NaN or infinity", file, "give an earlier checkpoint")
    write_checkpoint(folder / MATRICES, matrices)
    return {
        "path": path_told(source),
        "sha256": content_of(file).sha256,
        "matrices_sha256": content_of(folder / MATRICES).sha256,
        "base": its_base,
        "init": run.get("init"),
    }


def _faults(
    tensors: Tensors, own: Optional[LoraConfig], shape: LlamaShape, lora: LoraConfig
) -> Iterator[str]:
    """Yield how an adapter differs from what this training makes, the plainest first.

    own   what the adapter was trained with; None where nobody tells: then alpha is not known
    """
    ranks = {entry.rows for name, entry in tensors.entries.items() if name.endswith(LORA_A)}
    if ranks and ranks != {lora.rank}:
        yield f"has rank {', '.join(map(str, sorted(ranks)))}, this training {lora.rank}"
    if own is not None and not math.isclose(own.alpha, lora.alpha, rel_tol=1e-6):
        yield f"has alpha {own.alpha:g}, this training {lora.alpha:g}"
    targets, wanted = _targets(tensors.names()), _targets(adapter_parameters(shape, lora))
    if targets != wanted:
        yield f"adapts {targets or 'nothing'}, this training {wanted}"
    try:
        check_adapter(tensors, shape, lora)
    except UserError as error:
        yield f"does not fit this base: {error.what}"


def _targets(names: Any) -> str:
    parts = filter(None, map(lora_part, names))
    return ", ".join(sorted({module.rpartition(".")[2] for module, _ in parts}))


def _lora_of(config: Path) -> Optional[LoraConfig]:
    if not config.is_file():
        return None
    model_config = read_model_config(config)
    return LoraConfig.from_pet_config(model_config.get("pet_config") or {}, str(config))
