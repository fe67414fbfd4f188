"""What is planned: a profile with its budget and recipe, changed by the command's options."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from tools.files.errors import UserError
from tools.planning.load import Load, read_load
from tools.planning.packed import packed_rows
from tools.settings.contest import Contest
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS, Profile, profile_folder, read_profile
from tools.settings.resolve import most_new_tokens, read_resolved, resolve
from tools.training.inputs import labels_per_row

_ROOT = Path(__file__).resolve().parents[2]
_READING = _ROOT / "material" / "embedded" / "reading.json"


@dataclass(frozen=True)
class Changes:
    """Values in the place of the config's; None leaves what it says.

    rows   of the training data, an epoch
    """

    batch: Optional[int] = None
    length: Optional[int] = None
    rank: Optional[int] = None
    recompute: Optional[str] = None
    model_parallel: Optional[int] = None
    rows: Optional[int] = None


@dataclass(frozen=True)
class Setup:
    """A run to plan.

    config        the finetune.yaml that was read, and `native`, what it holds
    rows, epochs  of the training
    squad         reading questions, asked of the base model and of every checkpoint
    valid, math   problems: of every checkpoint; of the base model and the chosen checkpoint
    new_tokens    the most of an answer: {"squad", "math"}
    decode_batch  prompts at once
    notes         what was assumed where nothing was known
    """

    profile: str
    recipe: str
    settings: Profile
    config: str
    native: Dict[str, Any]
    load: Load
    rows: int
    epochs: int
    checkpoints: int
    squad: int
    valid: int
    math: int
    new_tokens: Dict[str, int]
    decode_batch: int
    notes: List[str]


def read_setup(
    profile: str,
    budget: str,
    recipe: Optional[str],
    cards: Optional[int],
    hbm: Optional[float],
    rules: Contest,
    changes: Changes,
    records: Optional[Path] = None,
    finetune: Optional[Path] = None,
    configs: Path = CONFIGS,
) -> Setup:
    """Resolve a profile as `make` does and read what a plan needs.

    hbm       memory of a card, GB: one that the profile's hardware knows brings its settings
    records   MindRecord file whose summary tells rows and labels; else the profile's rows count
    finetune  a MindFormers YAML in the place of the profile's
    Raises UserError for what is not valid or not known.
    """
    settings = read_profile(profile_folder(profile, configs) / "profile.yaml")
    notes: List[str] = []
    known = int(hbm) if hbm and f"{hbm:g}GB" in settings.hardware else None
    if hbm and settings.hardware and not known:
        own = settings.needs.card_memory_gb
        notes.append(f"the profile has no cards of {hbm:g} GB: batch and recompute as for {own}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        resolve(folder, profile, budget, recipe, seed=1, cards=cards, hbm=known, configs=configs)
        native = read_finetune(folder / "finetune.yaml")
        found = {
            name: read_resolved(folder / f"{name}.json", [])
            for name in ("profile", "corpus", "records", "prompts", "evaluation")
        }
        math = most_new_tokens(folder / "evaluation.json")
        new_tokens = {"squad": settings.evaluation.max_new_tokens["squad"], "math": math}
    path = finetune or configs / profile / "finetune.yaml"
    config = str(path.relative_to(_ROOT) if _ROOT in path.parents else path)
    if finetune:
        native = read_finetune(finetune)
    if changes.model_parallel:
        native["parallel_config"]["model_parallel"] = changes.model_parallel
    load = _changed(read_load(native, config, found["profile"]["cards"]), changes)
    rows = found["corpus"]["train"]
    packed = found["records"]["pack"] and not finetune
    if records:
        rows = _rows(records, load.length)
        if load.device == "CPU":
            load = replace(load, outputs=labels_per_row(records, load.length) / load.length)
    elif packed:
        prompt = found["records"]["prompt"]
        rows = packed_rows(found["corpus"], prompt, load.length)
        notes.append("packed rows: by the tokens of some problems; records will tell how many")
    if changes.rows:
        rows = changes.rows
    if not rows:
        raise UserError(
            "how many training rows there are depends on the data", "--rows", "give their number"
        )
    squad = found["prompts"]["limit"] or _questions(settings, rules)
    return Setup(
        profile=profile,
        recipe=found["profile"]["recipe"],
        settings=settings,
        config=config,
        native=native,
        load=load,
        rows=rows,
        epochs=native["runner_config"]["epochs"],
        checkpoints=rules.checkpoints,
        squad=squad,
        valid=found["corpus"]["valid"],
        math=found["corpus"]["test"],
        new_tokens=new_tokens,
        decode_batch=found["evaluation"]["batch_size"],
        notes=notes,
    )


def _changed(load: Load, changes: Changes) -> Load:
    lora = load.lora
    if changes.rank:
        # alpha / rank stays, as people do it.
        lora = replace(lora, rank=changes.rank, alpha=lora.scaling * changes.rank)
    if (changes.model_parallel or 1) > 1:
        # As the contest's configs split a model.
        load = replace(load, slice_inputs=True, whole_vocab=True)
    return replace(
        load,
        lora=lora,
        batch=changes.batch or load.batch,
        length=changes.length or load.length,
        recompute=changes.recompute or load.recompute,
    )


def _rows(records: Path, length: int) -> int:
    path = records.with_name(records.name + ".json")
    summary = read_resolved(path, ["rows", "seq_length"])
    if summary["seq_length"] != length:
        raise UserError(
            f"the records were made with seq_length {summary['seq_length']}, the plan has {length}",
            path,
            "make them again, or plan without them",
        )
    rows = summary["rows"]
    if type(rows) is not int or rows < 1:
        raise UserError(f"rows is {rows!r:.40}", path, "make the records again")
    return rows


def _questions(settings: Profile, rules: Contest) -> int:
    if "squad-dev" in settings.artifacts:
        return rules.squad.questions
    from tools.records.reading import read_questions

    return sum(1 for _ in read_questions(_READING))
