"""Problems and reading questions answered again with the packaged weights, by our own code."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from tools.corpus.kinds import CHINESE
from tools.corpus.rows import make_row, unframed
from tools.corpus.sample import CAPACITY, draw
from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.shape import LlamaShape
from tools.packaging import layout, remeasure
from tools.packaging.grading.asked import frame_of
from tools.packaging.grading.comparison import ALLOWED, Row, compare, failed
from tools.packaging.grading.remade import BASE, CHOSEN
from tools.packaging.grading.sampling import LEVEL, Share, weighted
from tools.packaging.grading.unpack import Package, link
from tools.records.prompts import render_prompt
from tools.scoring.contest_score import is_eligible
from tools.scoring.prediction_rows import Prediction, Reference, read_predictions, read_references
from tools.scoring.scores import math_from_rows, squad_from_predictions
from tools.scoring.squad import first_line
from tools.settings.contest import Contest, ReadingScore
from tools.settings.resolve import read_resolved

# Of an answer in tokens, and of a batch in rows: both take memory.
_LONGEST, _LARGEST_BATCH = 4096, 256
_OWN, _NEW = "own/", "new/"


class Request(NamedTuple):
    """What is graded, how deep, and with what of the grader's own.

    archive    a zip, or a package as a folder
    output     folder of verdict.json and verdict.html; OUTPUT/work is used meanwhile
    weights    merged weights, where the package only links them
    base       checkpoint of the base model: then merging and the gate are measured too
    test_set   rows of the grader's own; None draws new problems
    squad      a file in the SQuAD format; None takes the one that the profile names
    records    the record file that was trained on, if it was not made from the corpus
    seed       of the draw
    per_kind   problems of each kind that are drawn, as far as there are so many
    device     where to decode
    """

    archive: Path
    output: Path
    depth: str = "verify"
    weights: Optional[Path] = None
    base: Optional[Path] = None
    test_set: Optional[Path] = None
    squad: Optional[Path] = None
    records: Optional[Path] = None
    seed: int = 1
    per_kind: int = 20
    device: str = "CPU"


def again_rows(
    package: Package,
    remade: Dict[str, Dict[str, Any]],
    rules: Contest,
    request: Request,
    base: Optional[Path],
    work: Path,
) -> Iterator[Row]:
    """Yield answers of the packaged weights, decoded again: reading, test problems, new ones.

    remade   scores.json's contents, as computed from the packaged answers
    base     checkpoint of the base model, which is asked reading and test problems then too
    """
    if package.weights is None:
        yield failed(layout.WEIGHTS, "answers", "only a link is packaged; give --weights FILE")
        return
    new = read_references(request.test_set) if request.test_set else _drawn(request)
    files = layout.scored_files(layout.CHOSEN)[1], layout.scored_files(package.best)[2]
    best, reading = remade[CHOSEN], remade[BASE]["squad"]
    tuned = _decode(package, package.weights, files, new, request, work / "tuned")
    yield from _same_answers(package, files, best["squad"], tuned)
    if base is not None:
        files = layout.scored_files(layout.BASE)[1:]
        decoded = _decode(package, base, files, [], request, work / "base")
        yield from _same_answers(package, files, reading, decoded)
        reading = squad_from_predictions(decoded / "squad.jsonl")
    found, minimum = squad_from_predictions(tuned / "squad.jsonl"), rules.squad.minimum
    contest_model = best["parameters"]["total"] == rules.model_parameters
    if not (contest_model and found["count"] == rules.squad.questions):
        minimum = rules.squad.share_of(ReadingScore(f1=reading["f1"], em=reading["em"]))
    eligible = is_eligible(found["f1"], found["em"], minimum)
    yield compare(layout.BEST, "eligible, decoded again", best["contest"]["eligible"], eligible)
    named = request.test_set.name if request.test_set else f"drawn anew, seed {request.seed}"
    yield from _arithmetic(f"test set ({named})", best["math"], _answered(tuned, _NEW))


def _decode(
    package: Package,
    weights: Path,
    files: Sequence[str],
    new: Sequence[Reference],
    request: Request,
    work: Path,
) -> Path:
    """Return a folder of squad.jsonl and test.jsonl, answered; `files` are the package's answers.

    Asked are its reading questions, the first of its problems of each kind, and `new` ones.
    UserError where the weights are not of the shape, by which the decoder takes its memory.
    """
    told = read_resolved(package.folder / layout.EVALUATION, ["max_new_tokens", "batch_size"])
    lengths = [int(length.partition("=")[2]) for length in told["max_new_tokens"]]
    fit = min(lengths) > 0 and max(lengths) <= _LONGEST
    if not fit or not 0 < told["batch_size"] <= _LARGEST_BATCH:
        what = f"answers are not of 1 to {_LONGEST} tokens, or batches of 1 to {_LARGEST_BATCH}"
        raise UserError(what, layout.EVALUATION, "ask the team")
    shape = LlamaShape.load(package.folder / layout.MODEL)
    Checkpoint(weights).require_shapes(shape.parameters(), layout.MODEL, "ask the team")
    link(weights, work / "model/model.ckpt")
    for name in ("model.json", "tokenizer.json", "tokenizer.model"):
        if (package.folder / "weights" / name).is_file():
            link(package.folder / "weights" / name, work / "model" / name)
    seen, frame, rows = Counter(), frame_of(package), []
    for row in read_predictions(package.folder / files[0]):
        seen[row.kind] += 1
        if seen[row.kind] <= request.per_kind:
            rows.append({**row._asdict(), "id": _OWN + row.id})
    for row in new:
        prompt = render_prompt(frame, unframed(row.prompt), where=f"test set, {row.id!r:.40}")
        rows.append({**row._asdict(), "id": _NEW + row.id, "prompt": prompt})
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_text(work / "prompts/test.jsonl", "".join(lines))
    link(package.folder / files[1], work / "prompts/squad.jsonl")
    evaluation = package.folder / layout.EVALUATION
    remeasure.ask(work / "model", work / "prompts", evaluation, work / "answers", request.device)
    return work / "answers"


def _answered(folder: Path, part: str) -> List[Prediction]:
    """Return the answers to the package's own or to the new problems, under their own ids."""
    rows = (row for row in read_predictions(folder / "test.jsonl") if row.id.startswith(part))
    return [row._replace(id=row.id[len(part) :]) for row in rows]


def _same_answers(
    package: Package, files: Sequence[str], claim: Dict[str, Any], decoded: Path
) -> Iterator[Row]:
    """Yield answers decoded again beside the package's; `files`: to problems, and in reading."""
    found = squad_from_predictions(decoded / "squad.jsonl")
    point = max(ALLOWED["reading"].difference, 100 / found["count"])
    for key in ("f1", "em"):
        what = f"SQuAD {key.upper()}, decoded again"
        yield compare(files[1], what, claim[key], found[key], "reading", point)
    reading = read_predictions(decoded / "squad.jsonl")
    for file, rows, part in zip(files, (_answered(decoded, _OWN), reading), (str, first_line)):
        theirs = {row.id: row.prediction for row in read_predictions(package.folder / file)}
        same = sum(part(row.prediction) == part(theirs[row.id]) for row in rows)
        limit = max(1, math.ceil(ALLOWED["answers"].difference * len(rows)))
        yield compare(file, "answers that are the same", len(rows), same, "answers", limit)


def _arithmetic(group: str, claim: Dict[str, Any], rows: List[Prediction]) -> Iterator[Row]:
    """Yield accuracy by the contest's judge, over all and by kind; above the claim is no fault."""
    claims, shares = (
        {kind: Share(share["correct"], share["count"]) for kind, share in side["by_kind"].items()}
        for side in (claim, math_from_rows(rows))
    )
    common = [kind for kind in shares if kind in claims]
    if not common:
        yield failed(group, "accuracy", "has no kind of problem that the package was scored on")
        return
    whats = {"accuracy, kinds as in this set": common}
    whats.update({f"accuracy, {kind}": [kind] for kind in common})
    for what, kinds in whats.items():
        pair = weighted(claims, {kind: shares[kind] for kind in kinds})
        counts = (sum(side[kind].count for kind in kinds) for side in (claims, shares))
        sizes = " and ".join(map(str, counts))
        why = f"{LEVEL} interval of two shares' difference, {sizes} problems; more is no fault"
        difference = pair.measured - pair.claim
        passed = difference >= -pair.allowed - 1e-12
        yield Row(group, what, pair.claim, pair.measured, difference, pair.allowed, passed, why)


def _drawn(request: Request) -> List[Reference]:
    counts = {kind: min(request.per_kind, CAPACITY[kind]) for kind in CHINESE}
    drawn = enumerate(draw(counts, request.seed))
    rows = (make_row(problem, f"{problem.kind}-{number}") for number, problem in drawn)
    return [Reference(row.id, row.kind, row.problem, row.answer) for row in rows]
