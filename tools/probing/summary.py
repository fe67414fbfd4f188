"""probe.json: measures of each matrix beside a random one's, medians by kind, and the verdict."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np

from tools.probing.allocation import Spectrum
from tools.probing.measures import RANKS, measure
from tools.probing.sources import ATTENTION, FEED_FORWARD, KINDS, Source


def summarise(source: Source, spectra: Sequence[Spectrum]) -> Dict[str, Any]:
    """Content of probe.json: {"what", "origin", "matrices", "kinds", "verdict"}.

    matrices   name, kind, layer, shape, `measures.Measures`; "side": how many singular values
               there can be; "random": the ranks of a random matrix of that shape
    kinds      for each kind and each rank of `measures.RANKS`: median, lowest and highest over
               the layers, medians of its share of the side and of its share of the random rank;
               "energy": the kind's share of the sum of all squares
    verdict    for each rank, see `compare`
    """
    matrices = []
    for matrix, values in spectra:
        random = measure(source.baseline(matrix))._asdict()
        matrices.append(
            {
                **matrix._asdict(),
                "side": len(values),
                **measure(values)._asdict(),
                "random": {rank: random[rank] for rank in RANKS},
            }
        )
    total = sum(entry["frobenius"] ** 2 for entry in matrices)
    kinds = {
        kind: _of_kind([entry for entry in matrices if entry["kind"] == kind], total)
        for kind in KINDS
        if any(entry["kind"] == kind for entry in matrices)
    }
    return {
        "what": source.what,
        "origin": source.origin,
        "kinds": kinds,
        "verdict": {rank: compare(matrices, rank) for rank in RANKS},
        "matrices": matrices,
    }


def _of_kind(entries: List[Dict[str, Any]], total: float) -> Dict[str, Any]:
    found: Dict[str, Any] = {
        "layers": len(entries),
        "shape": entries[0]["shape"],
        "energy": sum(entry["frobenius"] ** 2 for entry in entries) / total,
    }
    for rank in RANKS:
        values = [entry[rank] for entry in entries]
        found[rank] = {
            "median": float(np.median(values)),
            "low": min(values),
            "high": max(values),
            "of_side": float(np.median([entry[rank] / entry["side"] for entry in entries])),
            "of_random": float(np.median([_of_random(entry, rank) for entry in entries])),
        }
    return found


def _of_random(entry: Dict[str, Any], rank: str) -> float:
    return entry[rank] / entry["random"][rank]


def compare(matrices: Sequence[Dict[str, Any]], rank: str) -> Dict[str, Any]:
    """Attention beside the feed-forward: {"attention", "feed_forward", "lower_in", "layers"}.

    The first two are medians of the rank's share of the random rank; lower_in counts the layers
    in which the median of attention's matrices is below that of the feed-forward's. None where
    either has no matrix.
    """
    groups = {"attention": ATTENTION, "feed_forward": FEED_FORWARD}
    shares = {
        name: [(m["layer"], _of_random(m, rank)) for m in matrices if m["kind"] in kinds]
        for name, kinds in groups.items()
    }
    found: Dict[str, Any] = {
        name: float(np.median([value for _, value in own])) if own else None
        for name, own in shares.items()
    }
    lower = [
        np.median([value for at, value in shares["attention"] if at == layer])
        < np.median([value for at, value in shares["feed_forward"] if at == layer])
        for layer in sorted({at for at, _ in shares["attention"]})
        if any(at == layer for at, _ in shares["feed_forward"])
    ]
    both = None not in found.values()
    return {**found, "lower_in": sum(map(bool, lower)) if both else None, "layers": len(lower)}


def table(summary: Dict[str, Any]) -> str:
    """A Markdown table by kind: the medians, ranges, and shares of a random matrix's ranks."""
    lines = [
        "| kind | shape | energy | stable | participation | entropy | 90 % energy | range "
        "| of the side | entropy, of random | 90 %, of random |",
        "| --- " * 11 + "|",
    ]
    for kind, found in summary["kinds"].items():
        r90 = found["r90"]
        cells = [kind, " × ".join(map(str, found["shape"])), f"{found['energy']:.1%}"]
        cells += [f"{found[rank]['median']:.1f}" for rank in RANKS]
        cells += [f"{r90['low']}–{r90['high']}", f"{r90['of_side']:.2f}"]
        cells += [f"{found[rank]['of_random']:.3f}" for rank in ("entropy_rank", "r90")]
        lines.append(f"| {' | '.join(cells)} |")
    for rank, found in summary["verdict"].items():
        if found["lower_in"] is not None:
            lines.append(
                f"\n{rank}, of random: attention {found['attention']:.3f}, feed-forward "
                f"{found['feed_forward']:.3f}; attention lower in {found['lower_in']} of "
                f"{found['layers']} layers"
            )
    return "\n".join(lines)
