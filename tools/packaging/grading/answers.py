"""Answers generated again with the packaged weights, by our own code, prompts and test set."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from tools.corpus.kinds import CHINESE
from tools.corpus.render import problem_text
from tools.corpus.rows import unframed
from tools.corpus.sample import CAPACITY, draw
from tools.corpus.solve import canonical, solve
from tools.files.atomic import write_text
from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint
from tools.llama.shape import LlamaShape
from tools.packaging import layout
from tools.packaging.grading.figures import frame_of
from tools.packaging.grading.rows import ALLOWED, Row, compare, count_of, failed
from tools.packaging.grading.sampling import LEVEL, Share, pair_of, weighted
from tools.packaging.grading.unpack import Package, link
from tools.packaging.provenance import ROOT
from tools.records.prompt_files import write_squad_prompts
from tools.records.prompts import render_prompt
from tools.scoring.contest import is_eligible
from tools.scoring.rows import Reference, read_predictions, read_references
from tools.scoring.scores import math_from_rows, squad_from_predictions
from tools.scoring.squad import first_line
from tools.settings.contest import Contest, ReadingScore
from tools.settings.resolve import read_resolved

EMBEDDED = ROOT / "material" / "embedded" / "reading.json"
_SQUAD = "squad-dev"
_LONGEST = 4096


class Sources(NamedTuple):
    """What a grader asks of the model, and what of the grader's own a package was made with.

    test_set   rows of the grader's own; None draws new problems
    squad      a file in the SQuAD format; None takes the one that the profile names
    seed       of the draw
    per_kind   problems of each kind that are drawn, as far as there are so many
    device     where to decode
    records    the record file that was trained on, if it was not made from the corpus
    """

    test_set: Optional[Path] = None
    squad: Optional[Path] = None
    seed: int = 1
    per_kind: int = 20
    device: str = "CPU"
    records: Optional[Path] = None


def reading_file(package: Package, sources: Sources) -> Path:
    """The reading questions; UserError where the profile's are neither given nor fetched."""
    if sources.squad is not None:
        return sources.squad
    profile = read_resolved(package.folder / layout.PROFILE, ["artifacts"])
    if _SQUAD not in (profile["artifacts"] or []):
        return EMBEDDED
    found = sorted(ROOT.glob("material/*/dev-v1.1.json"))
    if not found:
        raise UserError(
            "the questions are those of dev-v1.1.json, which is not at hand",
            "--squad",
            "name the file, or fetch it: make fetch PROFILE=llama3-8b",
        )
    return found[0]


def question_rows(package: Package, source: Path, work: Path) -> Iterator[Row]:
    """Whether the reading answers are to our questions, in our prompts, with our references."""
    prompts = _squad_prompts(package, source, work)
    wanted = {row["id"]: row for row in map(json.loads, prompts.open(encoding="utf-8"))}
    for name in (layout.BASE, *package.checkpoints):
        file = layout.scored_files(name)[2]
        rows = read_predictions(package.folder / file)
        yield compare(file, "questions", len(rows), len(wanted))
        yield count_of(
            file,
            "questions, prompts or references that are not ours",
            (
                f"{row.id!r:.40}"
                for row in rows
                if row.id not in wanted
                or row.prompt != wanted[row.id]["prompt"]
                or row.references != tuple(dict.fromkeys(wanted[row.id]["references"]))
            ),
        )


def again_rows(
    package: Package,
    measured: Dict[str, Dict[str, Any]],
    rules: Contest,
    sources: Sources,
    base: Optional[Path],
    work: Path,
) -> Iterator[Row]:
    """Answers of the packaged weights, decoded again: reading, test problems, and new ones.

    measured   scores.json's contents, as computed from the packaged answers
    base       checkpoint of the base model, which is asked reading and test problems then too
    """
    if package.weights is None:
        yield failed(layout.WEIGHTS, "answers", "only a link is packaged; give --weights FILE")
        return
    settings = _settings(package)
    own = _asked(package, sources.per_kind)
    if sources.test_set is not None:
        rows = read_references(sources.test_set)
    else:
        rows = _drawn(sources.seed, sources.per_kind)
    prompts = {
        "squad": _squad_prompts(package, reading_file(package, sources), work),
        "test": _math_prompts(package, own, work / "test.jsonl"),
        "new": _math_prompts(package, rows, work / "new.jsonl"),
    }
    from tools.llama.generate import generate

    def decoded(name: str, weights: Path, asked: Sequence[str]) -> Dict[str, Path]:
        outputs = {each: work / name / f"{each}.jsonl" for each in asked}
        generate(
            [_model(package, weights, work / f"{name}-model")],
            [prompts[each] for each in asked],
            [*outputs.values()],
            [settings["squad" if each == "squad" else "test"] for each in asked],
            min_new_tokens=settings["least"],
            device=sources.device,
        )
        return outputs

    outputs = decoded("tuned", package.weights, [*prompts])
    best, before = measured[layout.CHOSEN], measured[layout.BASE]
    files = layout.scored_files(layout.CHOSEN)[1], layout.scored_files(package.best)[2]
    yield from _same_answers(package, files, best, outputs)
    found, base_reading = squad_from_predictions(outputs["squad"]), before["squad"]
    if base is not None:
        of_base = decoded("base", base, ["squad", "test"])
        yield from _same_answers(package, layout.scored_files(layout.BASE)[1:], before, of_base)
        base_reading = squad_from_predictions(of_base["squad"])
    minimum = rules.squad.minimum
    contest_model = best["parameters"]["total"] == rules.model_parameters
    if not (contest_model and found["count"] == rules.squad.questions):
        base_score = ReadingScore(f1=base_reading["f1"], em=base_reading["em"])
        minimum = rules.squad.share_of(base_score)
    eligible = is_eligible(found["f1"], found["em"], minimum)
    yield compare(layout.BEST, "eligible, decoded again", best["contest"]["eligible"], eligible)
    yield from _arithmetic(best["math"], outputs["new"], rules, sources)


def _same_answers(
    package: Package, files: Sequence[str], claim: Dict[str, Any], outputs: Dict[str, Path]
) -> Iterator[Row]:
    """Answers decoded again beside those of the package; `files`: to problems, and in reading."""
    found = squad_from_predictions(outputs["squad"])
    point = max(ALLOWED["reading"].difference, 100 / found["count"])
    for key in ("f1", "em"):
        what = f"SQuAD {key.upper()}, decoded again"
        yield compare(files[1], what, claim["squad"][key], found[key], "reading", point)
    for file, name, part in zip(files, ("test", "squad"), (str, first_line)):
        ours, theirs = (
            {row.id: part(row.prediction) for row in read_predictions(path)}
            for path in (outputs[name], package.folder / file)
        )
        same = sum(ours[key] == theirs.get(key) for key in ours)
        limit = max(1, math.ceil(ALLOWED["answers"].difference * len(ours)))
        yield compare(file, "answers that are the same", len(ours), same, "answers", limit)


def _arithmetic(
    claim: Dict[str, Any], output: Path, rules: Contest, sources: Sources
) -> Iterator[Row]:
    """Accuracy by the contest's judge, over all and by kind; above the claim is no fault."""
    found = math_from_rows(read_predictions(output))
    claims = {k: Share(v["correct"], v["count"]) for k, v in claim["by_kind"].items()}
    shares = {k: Share(v["correct"], v["count"]) for k, v in found["by_kind"].items()}
    anew = f"drawn anew, seed {sources.seed}"
    named = sources.test_set.name if sources.test_set else anew
    group = f"test set ({named})"
    common = [kind for kind in shares if kind in claims]
    if not common:
        yield failed(group, "accuracy", "has no kind of problem that the package was scored on")
        return
    pairs = {"accuracy, kinds as in this set": weighted(claims, shares)}
    pairs.update({f"accuracy, {k}": pair_of(claims[k], shares[k]) for k in common})
    for what, pair in pairs.items():
        kind = what.rpartition(" ")[2]
        sizes = (
            f"{claims[kind].count} and {shares[kind].count} problems"
            if kind in shares
            else f"{sum(claims[k].count for k in common)} and {found['count']} problems"
        )
        why = f"{LEVEL} interval of the difference of two shares, {sizes}; more is no fault"
        difference = pair.measured - pair.claim
        passed = difference >= -pair.allowed - 1e-12
        yield Row(group, what, pair.claim, pair.measured, difference, pair.allowed, passed, why)


def _settings(package: Package) -> Dict[str, int]:
    """How long answers may be, as the package says: {"squad", "test", "least"} in tokens."""
    told = read_resolved(package.folder / layout.EVALUATION, ["max_new_tokens", "min_new_tokens"])
    lengths = {}
    for item in told["max_new_tokens"] if isinstance(told["max_new_tokens"], list) else []:
        name, _, number = str(item).partition("=")
        if number.isascii() and number.isdigit() and 0 < int(number[:9]) <= _LONGEST:
            lengths[name] = int(number)
    least = told["min_new_tokens"]
    if not {"squad", "test"} <= lengths.keys() or type(least) is not int or not 0 <= least < 100:
        what = f"max_new_tokens and min_new_tokens are no lengths up to {_LONGEST}"
        raise UserError(what, layout.EVALUATION, "ask the team")
    return {**lengths, "least": least}


def _squad_prompts(package: Package, source: Path, work: Path) -> Path:
    limit = read_resolved(package.folder / "configs/prompts.json", ["limit"])["limit"]
    if limit is not None and (type(limit) is not int or limit < 1):
        raise UserError(f"limit is {limit!r:.40}", "configs/prompts.json", "ask the team")
    target = work / "squad.jsonl"
    write_squad_prompts(source, target, limit)
    return target


def _math_prompts(package: Package, rows: Sequence[Reference], target: Path) -> Path:
    frame = frame_of(package)
    lines = []
    for row in rows:
        prompt = render_prompt(frame, unframed(row.prompt), where=f"test set, {row.id!r:.40}")
        fields = {"id": row.id, "kind": row.kind, "prompt": prompt, "reference": row.reference}
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    write_text(target, "".join(lines))
    return target


def _asked(package: Package, per_kind: int) -> List[Reference]:
    """The first problems of each kind that the chosen checkpoint was scored on."""
    seen: Counter = Counter()
    rows = []
    for row in read_predictions(package.folder / layout.scored_files(layout.CHOSEN)[1]):
        seen[row.kind] += 1
        if seen[row.kind] <= per_kind:
            rows.append(Reference(row.id, row.kind, row.problem, row.reference))
    return rows


def _drawn(seed: int, per_kind: int) -> List[Reference]:
    counts = {kind: min(per_kind, CAPACITY[kind]) for kind in CHINESE}
    seen: Counter = Counter()
    rows = []
    for problem in draw(counts, seed):
        seen[problem.kind] += 1
        key = f"{problem.kind}-{seen[problem.kind]}"
        answer = canonical(solve(problem))
        rows.append(Reference(key, problem.kind, problem_text(problem), answer))
    return rows


def _model(package: Package, weights: Path, folder: Path) -> Path:
    """A model's folder, as the decoder wants it: weights, shape and vocabulary.

    UserError where the weights are not of that shape, by which the decoder takes its memory.
    """
    shape = LlamaShape.load(package.folder / layout.MODEL)
    Checkpoint(weights).require_shapes(shape.parameters(), layout.MODEL, "ask the team")
    link(weights, folder / "model.ckpt")
    for path in sorted((package.folder / "weights").glob("*")):
        if path.name == "model.json" or path.name.startswith("tokenizer."):
            link(path, folder / path.name)
    return folder
