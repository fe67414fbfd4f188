"""ranks.json: what a budget of trained parameters buys, ideally and as MindFormers can train it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence

from tools.files.errors import UserError
from tools.llama.shape import LlamaShape
from tools.probing.allocation import (
    Spectrum,
    Uniform,
    by_kind,
    by_matrix,
    uniform,
    within_budget,
)


def rank_plan(spectra: Sequence[Spectrum], budget: int, scaling: float) -> Dict[str, Any]:
    """Content of ranks.json; "kept" is the share of all energy that ranks can keep.

    budget   of trained parameters
    scaling  alpha / rank of the config that is suggested

    matrices   the ideal, a rank for each matrix; "bound" is what no allocation exceeds
    kinds      the best rank for each kind, the same in all layers
    pet_config the set of kinds and the one rank that keep the most: all that MindFormers' LoRA
               can be told, whose pet_config has one lora_rank for one regex
    all_kinds  the same with every kind in it

    UserError where the budget is too small for rank 1 of any kind.
    """
    total = float(sum((values**2).sum() for _, values in spectra))
    ideal = by_matrix(spectra, budget)
    kinds, cost, kept = by_kind(spectra, budget)
    sets = uniform(spectra, budget)
    if not sets:
        raise UserError(
            f"{budget} parameters are too few for rank 1 of any kind of matrix",
            "--parameters",
            "name a larger budget",
        )
    every = next((one for one in sets if len(one.kinds) == len(kinds)), None)
    return {
        "parameters": budget,
        "matrices": {
            "kept": ideal.kept / total,
            "bound": ideal.bound / total,
            "parameters": ideal.cost,
            "ranks": {matrix.name: rank for (matrix, _), rank in zip(spectra, ideal.ranks)},
        },
        "kinds": {
            "kept": kept / total,
            "parameters": cost,
            "ranks": kinds,
        },
        "pet_config": _told(sets[0], total, scaling),
        "all_kinds": every and _told(every, total, scaling),
    }


def _told(one: Uniform, total: float, scaling: float) -> Dict[str, Any]:
    return {
        "kept": one.kept / total,
        "parameters": one.parameters,
        "lora_rank": one.rank,
        "lora_alpha": one.rank * scaling,
        "target_modules": one.target_modules,
    }


def describe(plan: Dict[str, Any]) -> str:
    """The plan in a few lines: what is kept, and the config that can be trained."""
    kinds, best = plan["kinds"], plan["pet_config"]
    ranks = ", ".join(f"{kind} {rank}" for kind, rank in kinds["ranks"].items())
    lines = [
        f"{plan['parameters']:,} parameters keep of the energy",
        f"  {plan['matrices']['kept']:.2%} with a rank for each matrix (the bound is "
        f"{plan['matrices']['bound']:.2%})",
        f"  {kinds['kept']:.2%} with a rank for each kind: {ranks}",
    ]
    for said in (best, plan["all_kinds"]):
        if said:
            lines.append(
                f"  {said['kept']:.2%} with lora_rank: {said['lora_rank']}, lora_alpha: "
                f'{said["lora_alpha"]:g}, target_modules: "{said["target_modules"]}" '
                f"({said['parameters']:,} parameters)"
            )
    return "\n".join(lines[: 4 if plan["all_kinds"] == best else None])


def table_of_shape(shape: LlamaShape, budget: int, where: Path) -> str:
    """A Markdown table of the usual sets of kinds and the highest rank that fits the budget."""
    sets = within_budget(shape, budget)
    if not any(one.rank for one in sets):
        raise UserError(f"{budget} parameters allow no rank 1", where, "name a larger budget")
    lines = ["| target_modules | lora_rank | parameters |", "| --- | --- | --- |"]
    for one in sets:
        said = f"| {one.rank} | {one.parameters:,} |" if one.rank else "| – | too many at rank 1 |"
        lines.append(f"| `{one.target_modules}` {said}")
    return "\n".join(lines)
