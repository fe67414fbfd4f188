"""The stages behind a run: each trained from the adapter of the one before, the first from none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from tools.files.errors import UserError
from tools.settings.profile import read_recipe, recipe_path
from tools.settings.resolve import read_resolved, taught
from tools.training.losses import read_losses


def chain_of(run: Path) -> List[Path]:
    """Return the folders of all runs that made a run's adapter, the first to be trained first.

    finetune/run.json names under "init" what a training began with, see tools.training.initial;
    its paths are those of the checkout that holds the run. Raises UserError where one of these
    runs is not here.
    """
    runs = [run]
    init = read_resolved(run / "finetune" / "run.json", []).get("init")
    while init:
        runs.insert(0, _run_of(Path(init["path"]), runs[0]))
        init = init.get("init")
    return runs


def _run_of(named: Path, later: Path) -> Path:
    adapter = later.resolve().parents[1] / named
    for folder in (adapter, *adapter.parents):
        if (folder / "config" / "profile.json").is_file():
            return folder
    what = f"began with {named}, which lies in no run that is here"
    remedy = "publish where all stages were trained, each with INIT=runs/RUN/finetune"
    raise UserError(what, later / "finetune" / "run.json", remedy)


def stage_of(run: Path) -> Dict[str, Any]:
    """Return what run.json says of one stage: its recipe, how long it took, its commands.

    "seconds" is the sum of its steps but for the first, which waits for the compiled graph.
    Raises UserError where the recipe's file is no longer what was trained on.
    """
    profile = read_resolved(run / "config" / "profile.json", ["recipe", "budget", "seed"])
    recipe = profile["recipe"]
    corpus = read_resolved(run / "config" / "corpus.json", [])
    now = json.loads(json.dumps(taught(read_recipe(recipe))))
    if any(corpus.get(key) != value for key, value in now.items()):
        what = f"is not what {run.name} was trained on"
        raise UserError(what, recipe_path(recipe), "publish at the commit of that training")
    trained = read_resolved(run / "finetune" / "run.json", ["steps", "seed", "matmul_precision"])
    records = read_resolved(run / "records" / "train.mindrecord.json", ["examples", "tokens"])
    steps = read_losses(run / "finetune" / "loss.csv")
    paths = sorted((run / "stages").glob("*.json"))
    commands = [json.loads(path.read_text("utf-8")) for path in paths]
    return {
        "run": run.name,
        "recipe": recipe,
        "budget": profile["budget"],
        "init": (trained.get("init") or {}).get("sha256"),
        **{key: trained[key] for key in ("steps", "seed", "matmul_precision")},
        **{key: records[key] for key in ("examples", "tokens")},
        "seconds": round(sum(step.seconds for step in steps[1:]), 2),
        "commit": next((one["commit"] for one in commands if one["stage"] == "finetune"), None),
        "commands": commands,
    }
