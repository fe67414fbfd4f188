"""Everything that a report says, read from the files of a run and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import yaml

from tools.corpus.kinds import in_order
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.leaks import absolute_paths
from tools.packaging.stages import ORDER, PACKAGING
from tools.scoring.arithmetic import judge
from tools.scoring.contest import is_eligible
from tools.scoring.rows import read_predictions
from tools.scoring.scores import read_scores
from tools.settings.contest import Contest, ReadingScore, read_contest
from tools.training.losses import Step, read_losses

EXAMPLES = 10


class Checkpoint(NamedTuple):
    """One of the evaluated checkpoints with its scores.json."""

    number: int
    step: Optional[int]
    scores: Dict[str, Any]


class Example(NamedTuple):
    """One answer of the chosen checkpoint to a test problem, beside its reference."""

    kind: str
    problem: str
    answer: str
    reference: str


class Hash(NamedTuple):
    """The sha256 of a file of the run; `packed` is its path in a submission, if it goes in."""

    name: str
    file: str
    packed: Optional[str]
    sha256: str


class Facts(NamedTuple):
    """What was measured in one run.

    before, after  scores.json of the base model and of the chosen checkpoint, on the test problems.
    checkpoints    on the validation problems, by which one of them was chosen: `best`.
    minimum        F1 and EM that an eligible model reaches: the share of `before`.
    eligible       whether `after` reaches it.
    contest_model  whether the model and the number of questions are the contest's own.
    stages         in the order of the pipeline, those of the packaging left out.
    """

    run: str
    profile: Dict[str, Any]
    rules: Contest
    before: Dict[str, Any]
    after: Dict[str, Any]
    minimum: ReadingScore
    eligible: bool
    contest_model: bool
    best: int
    checkpoints: List[Checkpoint]
    parameters: Dict[str, int]
    steps: List[Step]
    corpus: Dict[str, Any]
    records: Dict[str, Any]
    config: Dict[str, Any]
    evaluation: Dict[str, Any]
    right: List[Example]
    wrong: List[Example]
    stages: List[Dict[str, Any]]
    hashes: List[Hash]

    @property
    def progress(self) -> str:
        """Whether what was learnt can be told from chance: "learnt", "same" or "worse".

        That is, whether the 95 % intervals of the accuracy before and after lie apart.
        """
        before, after = (scores["math"]["interval"] for scores in (self.before, self.after))
        if after[0] > before[1]:
            return "learnt"
        return "worse" if after[1] < before[0] else "same"

    @property
    def kinds(self) -> List[str]:
        """The kinds of problem that were asked, in the contest's order."""
        asked = {*self.before["math"]["by_kind"], *self.after["math"]["by_kind"]}
        return in_order(asked)


def gather(run: Path) -> Facts:
    """Read a run. Raises UserError naming the file that is missing or not of its form."""
    if not run.is_dir():
        raise UserError("no such run", run, "choose RUN, or make one: make all")
    rules = read_contest()
    profile = _read(run, "config/profile.json")
    before = read_scores(_there(run, "baseline/scores.json"))
    checkpoints = _checkpoints(run)
    chosen = _read(run, "evaluate/best.json")
    best = _number(chosen, "checkpoint", run / "evaluate/best.json")
    if best not in [item.number for item in checkpoints]:
        what = f"checkpoint {best} was not evaluated"
        raise UserError(what, run / "evaluate/best.json", "evaluate again (make evaluate)")
    after = read_scores(_there(run, "evaluate/scores.json"))
    parameters = _read(run, "finetune/parameters.json")
    for key in ("trained", "total", "denominator"):
        _number(parameters, key, run / "finetune/parameters.json")
    minimum = rules.squad.share_of(
        ReadingScore(f1=before["squad"]["f1"], em=before["squad"]["em"]),
    )
    eligible = is_eligible(after["squad"]["f1"], after["squad"]["em"], minimum)
    right, wrong = _examples(run, rules)
    return Facts(
        run=run.resolve().name,
        profile=profile,
        rules=rules,
        before=before,
        after=after,
        minimum=minimum,
        eligible=eligible,
        contest_model=parameters["denominator"] == rules.denominator
        and after["squad"]["count"] == rules.squad.questions,
        best=best,
        checkpoints=checkpoints,
        parameters=parameters,
        steps=read_losses(_there(run, "finetune/loss.csv")),
        corpus=_read(run, "corpus/corpus.json"),
        records=_read(run, "records/train.mindrecord.json"),
        config=_read(run, "config/finetune.yaml", yaml.safe_load),
        evaluation=_read(run, "config/evaluation.json"),
        right=right,
        wrong=wrong,
        stages=_stages(run),
        hashes=_hashes(run, best, chosen),
    )


def _checkpoints(run: Path) -> List[Checkpoint]:
    numbers = sorted(
        int(path.parent.name)
        for path in run.glob("evaluate/*/scores.json")
        if path.parent.name.isdecimal()
    )
    if not numbers:
        raise UserError("no checkpoint was evaluated", run / "evaluate", "make evaluate")
    steps = _read(run, "finetune/adapters/steps.json").get("steps")
    steps = steps if isinstance(steps, list) else []
    return [
        Checkpoint(
            number,
            steps[number - 1] if 0 < number <= len(steps) else None,
            read_scores(run / "evaluate" / str(number) / "scores.json"),
        )
        for number in numbers
    ]


def _examples(run: Path, rules: Contest) -> Tuple[List[Example], List[Example]]:
    """Up to ten right and ten wrong answers: the first of each kind, then the second, …"""
    rows = read_predictions(_there(run, "evaluate/test.jsonl"))
    found: Dict[bool, Dict[str, List[Example]]] = {True: {}, False: {}}
    for row in rows:
        right = judge(row, rules.arithmetic).right[rules.arithmetic.judge]
        example = Example(row.kind, row.problem, row.prediction, row.reference)
        # A model may answer with what looks like a path, `4 /5/6`; a report may not hold any.
        if any(absolute_paths(line for text in example for line in text.split("\n"))):
            continue
        found[right].setdefault(row.kind, []).append(example)
    return _spread(found[True]), _spread(found[False])


def _spread(by_kind: Dict[str, List[Example]]) -> List[Example]:
    ranked = [
        (place, index, example)
        for index, examples in enumerate(by_kind.values())
        for place, example in enumerate(examples[:EXAMPLES])
    ]
    return [example for *_, example in sorted(ranked, key=lambda item: item[:2])[:EXAMPLES]]


def _stages(run: Path) -> List[Dict[str, Any]]:
    """The stages' records up to the evaluation; not by time, which a copied run does not keep."""
    records = []
    for stage in sorted(path.stem for path in (run / "stages").glob("*.json")):
        record = _read(run, f"stages/{stage}.json")
        for key in ("seconds", "peak_memory_mb"):
            if not isinstance(record.get(key), (int, float)):
                where = run / f"stages/{stage}.json"
                raise UserError(f'"{key}" is not a number', where, "make the stage again")
        if stage not in PACKAGING:
            records.append((ORDER.index(stage) if stage in ORDER else len(ORDER), record))
    return [record for _, record in sorted(records, key=lambda item: item[0])]


def _hashes(run: Path, best: int, chosen: Dict[str, Any]) -> List[Hash]:
    files = [
        ("base", "base/model.ckpt", None),
        ("config", "config/finetune.yaml", layout.FINETUNE),
        ("train", "corpus/train.jsonl", None),
        ("test", "corpus/test.jsonl", None),
        ("records", "records/train.mindrecord", None),
        ("init", "finetune/init.ckpt", layout.INIT),
        ("adapter", f"finetune/adapters/{best}.ckpt", layout.ADAPTER),
    ]
    found = [
        Hash(name, file, packed, content_of(run / file).sha256)
        for name, file, packed in files
        if _is(run, file)
    ]
    merged = f"merged/{best}/model.ckpt"
    digest = chosen.get("model_sha256")
    # Evaluation has hashed what it decoded with: the largest file is not read once more.
    if not isinstance(digest, str) and _is(run, merged):
        digest = content_of(run / merged).sha256
    return [*found, Hash("merged", merged, layout.WEIGHTS, str(digest))] if digest else found


def _is(run: Path, name: str) -> bool:
    return (run / name).is_file()


def _there(run: Path, name: str) -> Path:
    if not _is(run, name):
        stage = name.partition("/")[0]
        raise UserError("no such file", run / name, f"make the stages up to {stage} (make all)")
    return run / name


def _read(run: Path, name: str, parse: Callable[[str], Any] = json.loads) -> Dict[str, Any]:
    path = _there(run, name)
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError("damaged", path, "remove it and run the same command again") from error
    if not isinstance(value, dict):
        raise UserError("not an object", path, "remove it and run the same command again")
    return value


def _number(values: Dict[str, Any], key: str, path: Path) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UserError(f'"{key}" is not a whole number', path, "make its stage again")
    return value
