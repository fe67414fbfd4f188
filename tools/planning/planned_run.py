"""The run that is planned: what make would start, and its memory and seconds as a whole."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from tools.files.errors import UserError
from tools.planning.hours import answering_seconds, training_seconds
from tools.planning.load import Load, read_load
from tools.planning.memory import GIB, decoding_terms, training_gib
from tools.planning.packed import packed_rows
from tools.settings.contest import read_contest
from tools.settings.measured import Measured
from tools.settings.native import read_finetune
from tools.settings.profile import CONFIGS, Profile, profile_folder, read_profile
from tools.settings.resolve import most_new_tokens, resolve
from tools.training.inputs import count_steps

_READING = CONFIGS.parent / "material" / "embedded" / "reading.json"


@dataclass(frozen=True)
class Options:
    """What is planned: make's variables, then values in the place of the config's.

    hbm        memory of a card, or of the machine on the CPU, GiB
    accuracy   the one that is hoped for, 0 to 1
    rows       of the training data, an epoch
    recompute  "none" or "full"
    """

    profile: str
    budget: str = "quick"
    recipe: Optional[str] = None
    cards: Optional[int] = None
    hbm: Optional[float] = None
    accuracy: float = 0.5
    rows: Optional[int] = None
    batch: Optional[int] = None
    length: Optional[int] = None
    rank: Optional[int] = None
    recompute: Optional[str] = None
    model_parallel: Optional[int] = None


class Run(NamedTuple):
    """A training, and what is asked of the base model and of every checkpoint.

    squad, valid, test   questions; valid of checkpoints alone, test of the base and the chosen one
    squad_tokens         the most new tokens of an answer
    problem_tokens       likewise, of a worked solution
    decode_batch         prompts at once
    notes                what was assumed where nothing was known
    """

    settings: Profile
    recipe: str
    load: Load
    rows: int
    epochs: int
    checkpoints: int
    squad: int
    valid: int
    test: int
    squad_tokens: int
    problem_tokens: int
    decode_batch: int
    notes: List[str]

    @property
    def steps(self) -> int:
        """Steps of the training."""
        load = self.load
        return count_steps(self.rows, load.batch, load.data_parallel, self.epochs)


def read_run(options: Options) -> Run:
    """Return the run that make would start; UserError for what is not valid or not known."""
    folder, rules = profile_folder(options.profile), read_contest()
    settings = read_profile(folder / "profile.yaml")
    notes: List[str] = []
    hbm = options.hbm
    known = int(hbm) if hbm and f"{hbm:g}GB" in settings.hardware else None
    if hbm and settings.hardware and not known:
        own = settings.needs.card_memory_gb
        notes.append(f"the profile has no cards of {hbm:g} GB: batch and recompute as for {own}")
    with tempfile.TemporaryDirectory() as name:
        work, choice = Path(name), (options.profile, options.budget, options.recipe)
        resolve(work, *choice, seed=1, cards=options.cards, hbm=known)
        native = read_finetune(work / "finetune.yaml")
        found = {path.stem: json.loads(path.read_text("utf-8")) for path in work.glob("*.json")}
        problem_tokens = most_new_tokens(work / "evaluation.json")
    if options.model_parallel:
        native["parallel_config"]["model_parallel"] = options.model_parallel
    load = read_load(native, str(folder / "finetune.yaml"), found["profile"]["cards"])
    load = _changed(load, options)
    corpus = found["corpus"]
    rows = options.rows or corpus["train"]
    if not rows:
        what = "how many training rows there are depends on the data"
        raise UserError(what, "--rows", "give their number")
    if found["records"]["pack"] and not options.rows:
        rows = packed_rows(corpus, found["records"]["prompt"], load.length)
        notes.append("packed rows: by the tokens of some problems; records will tell how many")
    has_dev_set = "squad-dev" in settings.artifacts
    squad = rules.squad.questions if has_dev_set else _embedded_questions()
    return Run(
        settings=settings,
        recipe=found["profile"]["recipe"],
        load=load,
        rows=rows,
        epochs=native["runner_config"]["epochs"],
        checkpoints=rules.checkpoints,
        squad=found["prompts"]["limit"] or squad,
        valid=corpus["valid"],
        test=corpus["test"],
        squad_tokens=settings.evaluation.max_new_tokens["squad"],
        problem_tokens=problem_tokens,
        decode_batch=found["evaluation"]["batch_size"],
        notes=notes,
    )


def _changed(load: Load, options: Options) -> Load:
    lora = load.lora
    if options.rank:
        # alpha / rank stays, as people do it.
        lora = replace(lora, rank=options.rank, alpha=lora.scaling * options.rank)
    recompute = load.recompute if options.recompute is None else options.recompute == "full"
    return replace(
        load,
        lora=lora,
        batch=options.batch or load.batch,
        length=options.length or load.length,
        recompute=recompute,
    )


def _embedded_questions() -> int:
    from tools.records.reading import read_questions

    return sum(1 for _ in read_questions(_READING))


def decoded_positions(run: Run, measured: Measured) -> int:
    """Return the positions of the longest prompt with its answer."""
    prompts = measured.prompt_tokens
    return max(prompts.squad + run.squad_tokens, prompts.math + run.problem_tokens)


def memory_of(run: Run, measured: Measured) -> Dict[str, Dict[str, float]]:
    """Return {"training", "decoding"}, each term → GiB of a card, on the CPU of all workers."""
    around = measured.around[run.load.device]
    positions = decoded_positions(run, measured)
    decoding = decoding_terms(run.load, around, run.decode_batch, positions)
    return {
        "training": training_gib(run.load, around),
        "decoding": {name: size / GIB for name, size in decoding.items()},
    }


def seconds_of(run: Run, measured: Measured) -> Dict[str, np.ndarray]:
    """Return the least, expected and most seconds of each part of a run, and of "all".

    "squad", "valid" and "test" are one model's answers, "evaluations" all models' together.
    """
    load, checkpoints, prompts = run.load, run.checkpoints, measured.prompt_tokens
    training = training_seconds(load, run.steps, checkpoints, measured)
    batch, new = run.decode_batch, run.problem_tokens
    squad = answering_seconds(load, run.squad, prompts.squad, run.squad_tokens, batch, measured)
    valid = answering_seconds(load, run.valid, prompts.math, new, batch, measured)
    test = answering_seconds(load, run.test, prompts.math, new, batch, measured)
    # The base model and every checkpoint, loaded anew each; the chosen one once more.
    loading = (checkpoints + 2) * measured.around[load.device].load_seconds
    every = (checkpoints + 1) * squad + checkpoints * valid + 2 * test + loading
    return {
        "training": training,
        "squad": squad,
        "valid": valid,
        "test": test,
        "evaluations": every,
        "all": training + every,
    }
