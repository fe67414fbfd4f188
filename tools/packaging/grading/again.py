"""The whole run made again by our own checkout, and what it comes to beside the package."""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from tools.files.errors import UserError
from tools.files.processes import run_command
from tools.llama.checkpoint import Checkpoint
from tools.llama.names import lora_part
from tools.llama.precision import FLOAT32
from tools.packaging import layout
from tools.packaging.grading.comparison import (
    ALLOWED,
    Row,
    compare,
    count_of,
    document_rows,
    flat,
    unlike,
)
from tools.packaging.grading.recipe import take_over, variables_of
from tools.packaging.grading.unpack import Package
from tools.packaging.provenance import ROOT
from tools.scoring.prediction_rows import read_predictions
from tools.settings.lines import read_yaml
from tools.settings.resolve import read_resolved
from tools.training.losses import read_losses

# What records and first adapter were called by the team: that config and record agree on it is
# measured where neither is made again.
_NAMED = ("given", "init")


def reproduce_rows(
    package: Package, remade: Dict[str, Dict[str, Any]], work: Path, records: Optional[Path] = None
) -> Iterator[Row]:
    """Train and evaluate anew, by `make evaluate` in a copy of our checkout; yield what differs.

    remade    scores.json's contents by file, as computed from the packaged answers
    records   the record file that the package was trained on, if it was given one
    Raises UserError where the package's configs cannot be taken over, or the run fails, and where
    that file is needed and not named.
    """
    variables = variables_of(package)
    given = read_resolved(package.folder / layout.RECORDS, []).get("given")
    begun = read_resolved(package.folder / layout.RUN, []).get("init")
    init = package.folder / layout.INIT
    if begun is not None and not init.is_file():
        what = "training began with an adapter that the package does not hold"
        raise UserError(what, layout.TRAINING, "give --depth score")
    if given is not None and records is None:
        what = "training read a file that the package does not hold"
        raise UserError(what, layout.RECORDS, "name that file: --records")
    words = [f"{name.upper()}={value}" for name, value in variables.items() if value is not None]
    words += [f"RECORDS={records.resolve()}"] if given is not None and records else []
    checkout = _checkout(work / "checkout", variables["profile"])
    take_over(package, variables["profile"], variables["recipe"], checkout / "configs")
    if begun is not None:
        shutil.copyfile(init, checkout / init.name)
        words.append(f"INIT={init.name}")
    run = _make(checkout, words)
    yield from _made_rows(package, run)
    yield from _training_rows(package, run)
    places = layout.places(package.best, package.checkpoints)
    for name in (layout.BASE, *package.checkpoints, layout.CHOSEN):
        file = layout.scored_files(name)[0]
        yield from _score_rows(file, remade[file], read_resolved(run / places[file], []))


def _checkout(target: Path, profile: str) -> Path:
    """Copy our own files to `target`, our environment and the profile's artefacts linked in."""
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


def _make(checkout: Path, words: List[str]) -> Path:
    """Run `make evaluate` with these variables; return the run's folder."""
    # What a make above us was told is not meant for this one; our output is the verdict alone.
    clean = [part for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL") for part in ("-u", name)]
    shell = ["bash", "-c", 'exec "$@" 1>&2', "bash"]
    words = [*words, "RUN=again"]
    own = ["make", "-C", str(checkout), "evaluate", *words, f"PYTHON_SYSTEM={sys.executable}"]
    code = run_command(["env", *clean, *shell, *own])
    if code:
        what = f"make evaluate {' '.join(words)} ended with exit code {code}"
        raise UserError(what, None, "see above")
    return checkout / "runs/again"


def _made_rows(package: Package, run: Path) -> Iterator[Row]:
    """Yield configs, corpus and records as they come out of our own code, and what was held out."""
    for path in sorted((run / "config").glob("*.[jy]*")):
        file = f"configs/{path.name}"
        said, ours = (flat(read_yaml(each).value) for each in (package.folder / file, path))
        differing = (key for key in unlike(said, ours, "same") if key not in _NAMED)
        yield count_of(file, "values that do not follow from profile and recipe", differing)
    places = layout.places(package.best, package.checkpoints)
    for name in (layout.CORPUS, layout.RECORDS):
        documents = (
            read_resolved(path, []) for path in (package.folder / name, run / places[name])
        )
        yield from document_rows(name, *documents)
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
    ours = read_losses(run / "finetune/loss.csv")
    yield compare(layout.LOSSES, "steps, trained again", len(claim), len(ours))
    said, got = max(zip(claim, ours), key=lambda pair: abs(pair[0].loss - pair[1].loss))
    what = f"loss of step {said.step}, which differs most"
    runs = (package.folder / layout.RUN, run / "finetune/run.json")
    told = {read_resolved(path, []).get("matmul_precision", FLOAT32) for path in runs}
    other = ", other precision" if len(told) > 1 else ""
    yield compare(layout.LOSSES, what, said.loss, got.loss, f"retrained loss{other}")
    again = Checkpoint(run / f"finetune/adapters/{package.best}.ckpt")
    distance = _distance(Checkpoint(package.folder / layout.ADAPTER), again)
    what = "distance from the adapter that was trained again"
    yield compare(layout.ADAPTER, what, 0.0, distance, f"retrained adapter{other}")


def _distance(ours: Checkpoint, theirs: Checkpoint) -> float:
    """Return |ours - theirs| / |theirs| over all LoRA matrices of `theirs`, float64."""
    square = whole = 0.0
    for name in filter(lora_part, theirs.names()):
        left, right = (np.asarray(each.read(name), np.float64) for each in (ours, theirs))
        square += float(np.square(left - right).sum())
        whole += float(np.square(right).sum())
    return math.sqrt(square / whole) if whole else math.inf


def _score_rows(file: str, claim: Dict[str, Any], found: Dict[str, Any]) -> Iterator[Row]:
    """Yield reading and accuracy of a model that was trained again beside the package's own."""
    point = max(ALLOWED["reading"].difference, 100 / claim["squad"]["count"])
    share = max(ALLOWED["answers"].difference, 1 / claim["math"]["count"])
    for part, key, kind, allowed in (
        ("squad", "f1", "reading", point),
        ("squad", "em", "reading", point),
        ("math", "accuracy", "answers", share),
        ("parameters", "trained", "", None),
    ):
        pair = claim[part][key], found[part][key]
        yield compare(file, f"{part}.{key}, trained again", *pair, kind, allowed)
