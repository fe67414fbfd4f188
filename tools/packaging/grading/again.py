"""The whole run made again by our own checkout, and what it comes to beside the package."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import numpy as np

from tools.files.errors import UserError
from tools.files.processes import run_command
from tools.llama.checkpoint import Checkpoint
from tools.llama.names import lora_part
from tools.llama.precision import FLOAT32
from tools.packaging import layout
from tools.packaging.contents import Contents
from tools.packaging.grading.recipe import Plan, differences, plan_of, take_over
from tools.packaging.grading.rows import ALLOWED, Row, compare, count_of, flat
from tools.packaging.grading.unpack import Package
from tools.packaging.provenance import ROOT
from tools.scoring.rows import read_predictions
from tools.scoring.scores import read_scores
from tools.settings.resolve import read_resolved
from tools.training.losses import read_losses

_RUN = "again"


def reproduce_rows(
    package: Package,
    contents: Contents,
    measured: Dict[str, Dict[str, Any]],
    work: Path,
    records: Optional[Path] = None,
) -> Iterator[Row]:
    """Train and evaluate anew, by `make evaluate` in a copy of our checkout; yield what differs.

    contents   the package, open: its configs are read from there if ours do not give its run
    measured   scores.json's contents, as computed from the packaged answers
    records    the record file that the package was trained on, if it was given one
    Raises UserError where the package's configs cannot be taken over, or the run fails, and where
    that file is needed and not named.
    """
    plan = plan_of(package)
    init = package.folder / layout.INIT
    if plan.init is not None and not init.is_file():
        what = f"training began with the adapter {plan.init}, which the package does not hold"
        raise UserError(what, layout.TRAINING, "give --depth score")
    if plan.given is not None and records is None:
        what = f"training read {plan.given}, which the package does not hold"
        raise UserError(what, layout.RECORDS, "name that file: --records")
    checkout = _checkout(work / "checkout", plan.profile)
    configs = checkout / "configs"
    found = differences(package, plan, configs, work / "resolved")
    if found:
        take_over(contents, plan, configs, work / "configs")
        found = differences(package, plan, configs, work / "resolved")
    yield count_of("configs", "values that do not follow from profile and recipe", found)
    if plan.init is not None:
        shutil.copyfile(init, checkout / init.name)
    run = _make(checkout, plan, records if plan.given is not None else None)
    yield from _data_rows(package, run)
    yield from _training_rows(package, run)
    places = layout.places(package.best, package.checkpoints)
    for name, scores in measured.items():
        file = layout.scored_files(name)[0]
        yield from _score_rows(file, scores, run / places[file])


def _checkout(target: Path, profile: str) -> Path:
    """A copy of our own files, with our environment and the profile's artefacts linked in."""
    for name, source in layout.source_files(ROOT).items():
        path = target / name.partition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, path)
    environment = ROOT / ".venv" if (ROOT / ".venv").is_dir() else Path(sys.prefix)
    if not (environment / "installed").is_file():
        # make would install into it.
        raise UserError("was not made by `make setup`", environment, "run make setup, then again")
    (target / ".venv").symlink_to(environment)
    # The environment stands; make must not take a copied lock for a newer one.
    for lock in (target / "requirements").glob("*.txt"):
        os.utime(lock, (0, 0))
    material = ROOT / "material" / profile
    if material.is_dir():
        (target / "material" / profile).symlink_to(material)
    return target


def _make(checkout: Path, plan: Plan, records: Optional[Path]) -> Path:
    words = [*plan.words(), *([f"RECORDS={records.resolve()}"] if records else [])]
    words += [f"INIT={Path(layout.INIT).name}"] if plan.init is not None else []
    words += [f"RUN={_RUN}", f"PYTHON_SYSTEM={sys.executable}"]
    # What a make above us was told is not meant for this one; our output is the verdict alone.
    clean = [part for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL") for part in ("-u", name)]
    shell = ["bash", "-c", 'exec "$@" 1>&2', "bash"]
    code = run_command(["env", *clean, *shell, "make", "-C", str(checkout), "evaluate", *words])
    if code:
        what = f"make evaluate {' '.join(words[:-1])} ended with exit code {code}"
        raise UserError(what, None, "see above")
    return checkout / "runs" / _RUN


def _data_rows(package: Package, run: Path) -> Iterator[Row]:
    places = layout.places(package.best, package.checkpoints)
    for name in (layout.CORPUS, layout.RECORDS):
        claim = flat(read_resolved(package.folder / name, []))
        ours = flat(read_resolved(run / places[name], []))
        keys = sorted({*claim, *ours})
        differing = (key for key in keys if claim.get(key) != ours.get(key))
        yield count_of(name, "figures that came out otherwise", differing)
    for model in (layout.CHOSEN, package.best):
        name = layout.scored_files(model)[1]
        asked = [
            {(row.prompt, row.reference) for row in read_predictions(path)}
            for path in (package.folder / name, run / places[name])
        ]
        others = (prompt[-60:] for prompt, _ in sorted(asked[0] ^ asked[1]))
        yield count_of(name, "problems that are not those held out from this training", others)


def _training_rows(package: Package, run: Path) -> Iterator[Row]:
    claim = read_losses(package.folder / layout.LOSSES)
    ours = read_losses(run / "finetune" / "loss.csv")
    yield compare(layout.LOSSES, "steps, trained again", len(claim), len(ours))
    pairs = list(zip(claim, ours))
    said, got = max(pairs, key=lambda pair: abs(pair[0].loss - pair[1].loss))
    what = f"loss of step {said.step}, which differs most"
    runs = (package.folder / layout.RUN, run / "finetune" / "run.json")
    told = {read_resolved(path, []).get("matmul_precision", FLOAT32) for path in runs}
    other = ", other precision" if len(told) > 1 else ""
    yield compare(layout.LOSSES, what, said.loss, got.loss, f"retrained loss{other}")
    again = run / "finetune" / "adapters" / f"{package.best}.ckpt"
    distance = _distance(Checkpoint(package.folder / layout.ADAPTER), Checkpoint(again))
    what = "distance from the adapter that was trained again"
    yield compare(layout.ADAPTER, what, 0.0, distance, f"retrained adapter{other}")


def _distance(ours: Checkpoint, theirs: Checkpoint) -> float:
    """|ours - theirs| / |theirs|, over all LoRA matrices; infinite where they are not the same."""
    square = whole = 0.0
    names = {name for name in ours.entries if lora_part(name)}
    if names != {name for name in theirs.entries if lora_part(name)}:
        return math.inf
    for name in sorted(names):
        left, right = (np.asarray(each.read(name), np.float64) for each in (ours, theirs))
        if left.shape != right.shape:
            return math.inf
        square += float(np.square(left - right).sum())
        whole += float(np.square(right).sum())
    return math.sqrt(square / whole) if whole else math.inf


def _score_rows(file: str, claim: Dict[str, Any], again: Path) -> Iterator[Row]:
    """Reading and accuracy of a model that was trained again, beside the package's own."""
    found = read_scores(again)
    point = max(ALLOWED["reading"].difference, 100 / max(1, claim["squad"]["count"]))
    for key in ("f1", "em"):
        pair = claim["squad"][key], found["squad"][key]
        yield compare(file, f"SQuAD {key.upper()}, trained again", *pair, "reading", point)
    share = max(ALLOWED["answers"].difference, 1 / claim["math"]["count"])
    pair = claim["math"]["accuracy"], found["math"]["accuracy"]
    yield compare(file, "accuracy, trained again", *pair, "answers", share)
    trained = claim["parameters"]["trained"], found["parameters"]["trained"]
    yield compare(file, "trained parameters, trained again", *trained)
