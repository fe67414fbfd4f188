"""Which checkpoint is handed in: the best eligible one on the validation problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.figure import save_figure
from tools.files.hashing import content_of
from tools.scoring.curve import draw_checkpoints
from tools.scoring.scores import minimum_of, score_run
from tools.settings.resolve import read_resolved

PathLike = Union[str, Path]
FIGURE = "checkpoints.png"


def best_index(scores: List[Dict[str, Any]]) -> int:
    """The place, from 0, of the best of `scores` (scores.json contents, in training order).

    Eligible ones come before others, then the contest score decides, then the number of right
    lines, where it is known; of equals the later, which has seen more.
    """
    keys = [
        (
            bool(score["contest"]["eligible"]),
            score["contest"]["score"],
            score["math"].get("lines", {}).get("right", 0),
            place,
        )
        for place, score in enumerate(scores)
    ]
    return max(keys)[-1]


def score_checkpoints(
    folder: PathLike,
    parameters: PathLike,
    baseline: PathLike,
    steps: PathLike,
    output: PathLike,
    merged: Optional[PathLike] = None,
    styles: Optional[PathLike] = None,
) -> Dict[str, Any]:
    """Score FOLDER/K/{squad,valid}.jsonl of every checkpoint K, choose one, write `output`.

    Writes FOLDER/K/scores.json for each, checkpoints.png, then `output`, last: {"checkpoint",
    "checkpoints": [{"checkpoint", "step", "f1", "em", "accuracy", "correct", "count", "lines",
    "eligible", "score"}]} with the values of the chosen one beside, and "model_sha256" of its
    weights where `merged`, the models' folder, is named; "lines" needs `styles`, see score_run.
    Raises UserError where a checkpoint's predictions are missing.
    """
    folder = Path(folder)
    numbers: List[int] = read_resolved(Path(steps), ["steps"])["steps"]
    if not isinstance(numbers, list) or not numbers:
        raise UserError("names no checkpoint", steps, "run `make finetune` again")
    rows: List[Dict[str, Any]] = []
    scores: List[Dict[str, Any]] = []
    for index, step in enumerate(numbers, 1):
        place = folder / str(index)
        for name in ("squad.jsonl", "valid.jsonl"):
            if not (place / name).is_file():
                raise UserError("no such predictions", place / name, "run `make evaluate` again")
        score = score_run(
            place / "squad.jsonl",
            place / "valid.jsonl",
            parameters,
            place / "scores.json",
            baseline,
            styles,
        )
        scores.append(score)
        rows.append(row_of(index, step, score))
    best = best_index(scores)
    result: Dict[str, Any] = {**rows[best], "checkpoints": rows}
    if merged is not None:
        result["model_sha256"] = content_of(Path(merged) / str(best + 1) / "model.ckpt").sha256
    minimum = minimum_of(baseline, scores[0]["squad"]["count"])
    save_figure(draw_checkpoints(rows, best + 1, minimum), Path(output).parent / FIGURE)
    write_json(output, result)
    return result


def row_of(index: int, step: Optional[int], score: Dict[str, Any]) -> Dict[str, Any]:
    """Return what best.json says of checkpoint `index`, saved after `step`, from its scores.json.

    "lines" is {"share", "right", "count"}, and absent where the scores lack it.
    """
    lines = score["math"].get("lines")
    known = {"lines": {key: lines[key] for key in ("share", "right", "count")}} if lines else {}
    return {
        "checkpoint": index,
        "step": step,
        "f1": score["squad"]["f1"],
        "em": score["squad"]["em"],
        "accuracy": score["math"]["accuracy"],
        "correct": score["math"]["correct"],
        "count": score["math"]["count"],
        **known,
        "eligible": score["contest"]["eligible"],
        "score": score["contest"]["score"],
    }
