"""Everything that a report says, read from the files of a run and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import yaml

from tools.corpus.kinds import in_order
from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.packaging import layout
from tools.packaging.leaks import absolute_paths
from tools.packaging.stages import ORDER, PACKAGING
from tools.scoring.contest_score import is_eligible
from tools.scoring.scores import JUDGED
from tools.settings.contest import Contest, ReadingScore, read_contest
from tools.training.losses import Step, read_losses

EXAMPLES = 10


class Checkpoint(NamedTuple):
    """One of the evaluated checkpoints with its scores.json."""

    number: int
    step: Optional[int]
    scores: Dict[str, Any]


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
    right, wrong   rows of judged.jsonl, of the chosen checkpoint.
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
    right: List[Dict[str, Any]]
    wrong: List[Dict[str, Any]]
    stages: List[Dict[str, Any]]
    hashes: List[Hash]

    @property
    def progress(self) -> str:
        """Whether what was learnt can be told from chance: "learnt", "same" or "worse".

        That is, whether the 95% intervals of the accuracy before and after lie apart.
        """
        before, after = (scores["math"]["interval"] for scores in (self.before, self.after))
        if after[0] > before[1]:
            return "learnt"
        return "worse" if after[1] < before[0] else "same"

    @property
    def tone(self) -> str:
        """How the verdict is shown, and what it is called: nothing is good that has not learnt."""
        if not self.eligible:
            return "not_eligible"
        return {"learnt": "eligible", "same": "not_learnt", "worse": "worse"}[self.progress]

    @property
    def kinds(self) -> List[str]:
        """The kinds of problem that were asked, in the contest's order."""
        asked = {*self.before["math"]["by_kind"], *self.after["math"]["by_kind"]}
        return in_order(asked)


def gather(run: Path) -> Facts:
    """Read a run. Raises UserError naming a file that an unfinished run lacks."""
    try:
        return _gather(run)
    except FileNotFoundError as error:
        remedy = "choose RUN, or make its stages: make evaluate"
        raise UserError("no such file", error.filename, remedy) from error


def _gather(run: Path) -> Facts:
    rules = read_contest()
    before, after = _read(run, "baseline/scores.json"), _read(run, "evaluate/scores.json")
    chosen = _read(run, "evaluate/best.json")
    parameters = _read(run, "finetune/parameters.json")
    minimum = rules.squad.share_of(
        ReadingScore(f1=before["squad"]["f1"], em=before["squad"]["em"]),
    )
    contest_model = parameters["denominator"] == rules.denominator
    right, wrong = _examples(run / "evaluate" / JUDGED, after["math"]["judge"])
    return Facts(
        run=run.resolve().name,
        profile=_read(run, "config/profile.json"),
        rules=rules,
        before=before,
        after=after,
        minimum=minimum,
        eligible=is_eligible(after["squad"]["f1"], after["squad"]["em"], minimum),
        contest_model=contest_model and after["squad"]["count"] == rules.squad.questions,
        best=chosen["checkpoint"],
        checkpoints=_checkpoints(run),
        parameters=parameters,
        steps=read_losses(run / "finetune/loss.csv"),
        corpus=_read(run, "corpus/corpus.json"),
        records=_read(run, "records/train.mindrecord.json"),
        config=yaml.safe_load((run / "config/finetune.yaml").read_text(encoding="utf-8")),
        evaluation=_read(run, "config/evaluation.json"),
        right=right,
        wrong=wrong,
        stages=_stages(run),
        hashes=list(_hashes(run, chosen)),
    )


def _checkpoints(run: Path) -> List[Checkpoint]:
    steps = dict(enumerate(_read(run, "finetune/adapters/steps.json")["steps"], 1))
    folders = [path.parent.name for path in run.glob("evaluate/*/scores.json")]
    numbers = sorted(int(name) for name in folders if name.isdecimal())
    return [
        Checkpoint(number, steps.get(number), _read(run, f"evaluate/{number}/scores.json"))
        for number in numbers
    ]


def _examples(path: Path, judge: str) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Return up to ten right and ten wrong answers: the first of each kind, then the second, …"""
    by_kind: Dict[Tuple[bool, str], List[Dict[str, Any]]] = {}
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            # A model may answer with what looks like a path, `4 /5/6`; a report may not hold any.
            texts = (row["problem"], row["prediction"], row["reference"])
            if not any(absolute_paths(line for text in texts for line in text.split("\n"))):
                by_kind.setdefault((row["right"][judge], row["kind"]), []).append(row)
    found: Dict[bool, List[Tuple[int, Dict[str, Any]]]] = {True: [], False: []}
    for (right, _), rows in by_kind.items():
        found[right] += enumerate(rows[:EXAMPLES])
    right, wrong = (
        [row for _, row in sorted(found[side], key=lambda item: item[0])[:EXAMPLES]]
        for side in (True, False)
    )
    return right, wrong


def _stages(run: Path) -> List[Dict[str, Any]]:
    """Return the stages' records up to the evaluation; a copied run keeps no times to sort by."""
    names = {path.stem for path in (run / "stages").glob("*.json")} - set(PACKAGING)
    ordered = [*(name for name in ORDER if name in names), *sorted(names - set(ORDER))]
    return [_read(run, f"stages/{name}.json") for name in ordered]


def _hashes(run: Path, chosen: Dict[str, Any]) -> Iterator[Hash]:
    """Yield the hashes of the files that are there."""
    adapter = f"finetune/adapters/{chosen['checkpoint']}.ckpt"
    for name, file, packed in (
        ("base", "base/model.ckpt", None),
        ("config", "config/finetune.yaml", layout.FINETUNE),
        ("train", "corpus/train.jsonl", None),
        ("test", "corpus/test.jsonl", None),
        ("records", "records/train.mindrecord", None),
        ("init", "finetune/init.ckpt", layout.INIT),
        ("adapter", adapter, layout.ADAPTER),
    ):
        if (run / file).is_file():
            yield Hash(name, file, packed, content_of(run / file).sha256)
    # Evaluation has hashed what it decoded with: the largest file is not read once more.
    if chosen.get("model_sha256"):
        merged = f"merged/{chosen['checkpoint']}/model.ckpt"
        yield Hash("merged", merged, layout.WEIGHTS, str(chosen["model_sha256"]))


def _read(run: Path, name: str) -> Dict[str, Any]:
    return json.loads((run / name).read_text(encoding="utf-8"))
