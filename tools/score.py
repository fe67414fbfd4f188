"""Score answers as the contest does: reading, arithmetic, the final score."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Optional

import click

from tools.cli import Accuracy, Group

_FILE = click.Path(exists=True, dir_okay=False)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STYLES = click.option(
    "--styles", type=_FILE, help="corpus.json that says how solutions are worked out: right lines."
)


@click.group(cls=Group, epilog="Example:\n\npython -m tools.score squad --log eval.log --json")
def main() -> None:
    """Score answers as the contest does: reading, arithmetic, the final score."""


@main.command(epilog="Example:\n\npython -m tools.score squad --predictions squad.jsonl")
@click.option("--log", type=_FILE, help="MindFormers' evaluation log.")
@click.option("--predictions", type=_FILE, help="Prediction rows, JSON lines.")
@_JSON
def squad(log: Optional[str], predictions: Optional[str], as_json: bool) -> None:
    """F1 and EM of answers to SQuAD questions.

    Exit code 1 where a log's last line is not what its pairs give.
    """
    if (log is None) == (predictions is None):
        raise click.UsageError("name either --log or --predictions")
    from tools.scoring import score_tables, scores

    result = scores.squad_from_log(log) if log else scores.squad_from_predictions(predictions)
    _print(result, as_json, score_tables.squad_table)


@main.command(epilog="Example:\n\npython -m tools.score math --npy a.npy --references test.jsonl")
@click.option("--predictions", type=_FILE, help="Prediction rows, JSON lines.")
@click.option("--npy", type=_FILE, help="The organisers' .npy or .txt, echoed prompts included.")
@click.option("--references", type=_FILE, help="The problems that --npy answers, in its order.")
@click.option("--disagreements", is_flag=True, help="Print the answers on which judges disagree.")
@_STYLES
@_JSON
def math(
    predictions: Optional[str],
    npy: Optional[str],
    references: Optional[str],
    styles: Optional[str],
    disagreements: bool,
    as_json: bool,
) -> None:
    """Accuracy of answers to arithmetic problems, by judge and by kind.

    With --styles also how many lines of the solutions hold.
    """
    if (npy is None) == (predictions is None) or (npy is None) != (references is None):
        raise click.UsageError("name either --predictions, or --npy and --references")
    from tools.scoring import arithmetic, score_tables, scores

    rows = scores.math_rows(predictions, npy, references)
    if disagreements:
        found = arithmetic.disagreements(scores.math_verdicts(rows))
        click.echo(score_tables.disagreement_table(found))
        return
    _print(scores.math_from_rows(rows, styles), as_json, score_tables.math_table)


@main.command(epilog="Example:\n\npython -m tools.score contest --accuracy 0.64 --trained 3407872")
@click.option("--accuracy", type=Accuracy(), required=True, help="0.7161 or 71.61%.")
@click.option("--trained", type=click.IntRange(min=0), required=True, help="Trained parameters.")
@click.option(
    "--total",
    type=click.IntRange(min=1),
    help="All parameters, for another model than the contest's; its own has a prescribed number.",
)
@click.option("--f1", type=click.FloatRange(0, 100), help="SQuAD F1, for eligibility.")
@click.option("--em", type=click.FloatRange(0, 100), help="SQuAD EM, for eligibility.")
@_JSON
def contest(
    accuracy: float,
    trained: int,
    total: Optional[int],
    f1: Optional[float],
    em: Optional[float],
    as_json: bool,
) -> None:
    """The contest's score, the rank it would have had, what more is worth.

    Exit code 1 where --f1 and --em are given and do not reach the contest's minimum.
    """
    if (f1 is None) != (em is None):
        raise click.UsageError("name both --f1 and --em, or neither")
    from tools.scoring import score_tables, scores

    result = scores.contest_entry(accuracy, trained, total, f1, em)
    _print(result, as_json, score_tables.contest_table)
    if result["eligible"] is False:
        click.get_current_context().exit(1)


@main.command(
    epilog="Example:\n\npython -m tools.score run --squad squad.jsonl --math test.jsonl "
    "--parameters parameters.json --baseline baseline/scores.json --output scores.json"
)
@click.option("--squad", "reading", type=_FILE, required=True, help="Rows of reading answers.")
@click.option("--math", "arithmetic", type=_FILE, required=True, help="Rows of answers.")
@click.option("--parameters", type=_FILE, required=True, help="JSON of parameter counts.")
@click.option("--baseline", type=_FILE, help="scores.json of the base model, for the gate.")
@click.option("--output", type=click.Path(dir_okay=False), required=True, help="scores.json.")
@_STYLES
@_JSON
def run(
    reading: str,
    arithmetic: str,
    parameters: str,
    baseline: Optional[str],
    output: str,
    styles: Optional[str],
    as_json: bool,
) -> None:
    """Score one model's answers and write scores.json.

    It measures: a model that is not eligible is exit code 0 here, and "eligible": false.
    """
    from tools.scoring import score_tables, scores

    result = scores.score_run(reading, arithmetic, parameters, output, baseline, styles)
    _print(result, as_json, score_tables.run_table)


@main.command(
    epilog="Example:\n\npython -m tools.score checkpoints --folder runs/R/evaluate "
    "--parameters runs/R/finetune/parameters.json --baseline runs/R/baseline/scores.json "
    "--steps runs/R/finetune/adapters/steps.json --output runs/R/evaluate/best.json"
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False),
    required=True,
    help="Folder with the answers of checkpoint K in K/.",
)
@click.option("--parameters", type=_FILE, required=True, help="JSON of parameter counts.")
@click.option("--baseline", type=_FILE, required=True, help="scores.json of the base model.")
@click.option("--steps", type=_FILE, required=True, help="steps.json of the adapters.")
@click.option("--merged", type=click.Path(exists=True, file_okay=False), help="Folder of models.")
@click.option("--output", type=click.Path(dir_okay=False), required=True, help="best.json.")
@_STYLES
@_JSON
def checkpoints(
    folder: str,
    parameters: str,
    baseline: str,
    steps: str,
    merged: Optional[str],
    output: str,
    styles: Optional[str],
    as_json: bool,
) -> None:
    """Score every checkpoint's answers to the validation problems and choose the best eligible one.

    They are FOLDER/K/squad.jsonl and valid.jsonl; of equal scores the one of more right lines
    counts, then the later.
    """
    from tools.scoring import choose, score_tables

    result = choose.score_checkpoints(folder, parameters, baseline, steps, output, merged, styles)
    _print(result, as_json, score_tables.checkpoints_table)


def _print(
    result: Dict[str, Any], as_json: bool, as_table: Callable[[Dict[str, Any]], str]
) -> None:
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else as_table(result))


if __name__ == "__main__":
    main()
