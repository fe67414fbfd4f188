"""An adapter merged, asked, scored, and held beside what was published of it: no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from tools.files.atomic import write_json
from tools.llama.answering import generate
from tools.llama.merging import merge_all
from tools.scoring.prediction_rows import read_predictions
from tools.scoring.scores import score_run
from tools.settings.resolve import read_resolved

# The files of questions and answers: reading, arithmetic.
ASKED = ("squad.jsonl", "test.jsonl")
SCORES = "scores.json"
# Of an adapter's folder: what it needs beside the weights to be merged, asked and scored.
FINETUNE, EVALUATION, CORPUS, PARAMETERS = (
    "finetune.yaml",
    "evaluation.json",
    "corpus.json",
    "parameters.json",
)


class Measured(NamedTuple):
    """scores.json of the base model and of the trained one, over the same problems."""

    base: Dict[str, Any]
    model: Dict[str, Any]


def measure(
    adapter: Path, base: Path, output: Path, prompts: Path, answered: Optional[Path] = None
) -> Measured:
    """Merge an adapter, let it answer, score it; return both models' scores.

    adapter    PEFT's folder with finetune.yaml, evaluation.json, corpus.json, parameters.json
    base       folder of the base model
    output     gets merged/1/, the model; model/ and base/, answers and scores.json of each
    prompts    folder of squad.jsonl and test.jsonl: prompt rows, or answers to them
    answered   folder of the base model's answers; None: it is asked again

    What is there already, of the same files, is not made again. Raises UserError as merging does,
    for a published file that is not what it was among the reasons.
    """
    merge_all(base / "model.ckpt", adapter, adapter / FINETUNE, output / "merged")
    ask(output / "merged" / "1", prompts, adapter / EVALUATION, output / "model")
    if answered is None:
        answered = output / "base"
        ask(base, prompts, adapter / EVALUATION, answered)
    scores = output / "base" / SCORES
    counts, styles = base / PARAMETERS, adapter / CORPUS
    before = score_run(*(answered / name for name in ASKED), counts, scores, styles=styles)
    rows = (output / "model" / name for name in ASKED)
    counts, own = adapter / PARAMETERS, output / "model" / SCORES
    return Measured(before, score_run(*rows, counts, own, scores, styles=styles))


def ask(
    model: Path, prompts: Path, evaluation: Path, output: Path, device: Optional[str] = None
) -> None:
    """Write the model's answers into `output`, as long as evaluation.json lets them be.

    device   None: as evaluation.json says
    """
    keys = ["device", "batch_size", "min_new_tokens", "max_new_tokens"]
    told = read_resolved(evaluation, keys)
    lengths = dict(entry.split("=") for entry in told["max_new_tokens"])
    generate(
        [model],
        [prompts / name for name in ASKED],
        [output / name for name in ASKED],
        [int(lengths[Path(name).stem]) for name in ASKED],
        min_new_tokens=told["min_new_tokens"],
        batch_size=told["batch_size"],
        device=device or told["device"],
    )


def compare_answers(published: Path, output: Path) -> List[str]:
    """Return a line a file on how many answers in `output` are the published ones; write them.

    Compared are the texts, sign for sign, of model/ and, where it was asked again, of base/;
    output/compared.json gets {"model/test.jsonl": {"same", "count", "differing": [ids]}, …}.
    """
    found, lines = {}, []
    for name in (f"{side}/{file}" for side in ("model", "base") for file in ASKED):
        if not (output / name).is_file():
            continue
        ours, theirs = (
            {row.id: row.prediction for row in read_predictions(folder / name)}
            for folder in (output, published)
        )
        differing = [key for key, text in theirs.items() if ours.get(key) != text]
        same = len(theirs) - len(differing)
        found[name] = {"same": same, "count": len(theirs), "differing": differing}
        first = f"; the first that is not: {differing[0]}" if differing else ""
        lines.append(f"{name}: {same} of {len(theirs)} answers are the published ones{first}")
    write_json(output / "compared.json", found)
    return lines


def figures(scores: Measured) -> List[List[str]]:
    """Return a table, head first: by kind, right answers of both models, right lines of one."""
    base, model = (one["math"] for one in scores)
    lines = model.get("lines")
    rows = [["kind", "asked", "base", "trained", "accuracy", "95 % interval", "right lines"]]
    parts = [(kind, base["by_kind"][kind], share) for kind, share in model["by_kind"].items()]
    for kind, before, share in [*parts, ("all", base, model)]:
        low, high = (f"{100 * end:.1f}" for end in share["interval"])
        held = lines if kind == "all" or not lines else lines["by_kind"].get(kind)
        rows.append(
            [
                kind,
                str(share["count"]),
                str(before["correct"]),
                str(share["correct"]),
                f"{100 * share['accuracy']:.1f} %",
                f"{low} to {high}",
                f"{100 * held['share']:.1f} %" if held else "–",
            ]
        )
    return rows


def reading(scores: Measured) -> str:
    """Return a sentence on the reading gate: F1 and EM of both models."""
    before, after = (one["squad"] for one in scores)
    kept = "eligible" if scores.model["contest"]["eligible"] else "not eligible"
    return (
        f"Reading, {after['count']} questions: F1 {after['f1']:.1f} (base {before['f1']:.1f}), "
        f"EM {after['em']:.1f} (base {before['em']:.1f}): {kept} by the contest's gate."
    )
