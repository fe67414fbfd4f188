"""All checks of one machine for one profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from tools.machine import judge_hardware, judge_software, judge_surroundings
from tools.machine.facts import Facts, gather
from tools.machine.needs import CONFIGS, Needs, read_needs
from tools.machine.verdicts import FAULT, SKIPPED, WARNING, Line

ROOT = Path(__file__).resolve().parents[2]

# In the order in which they would stop a newcomer.
CHECKS = (
    judge_software.judge_system,
    judge_software.judge_programs,
    judge_software.judge_python,
    judge_software.judge_packages,
    judge_hardware.judge_cores,
    judge_hardware.judge_memory,
    judge_hardware.judge_disk,
    judge_hardware.judge_folders,
    judge_hardware.judge_cards,
    judge_hardware.judge_cann,
    judge_surroundings.judge_index,
    judge_surroundings.judge_artifacts,
    judge_surroundings.judge_clock,
    judge_surroundings.judge_locale,
    judge_surroundings.judge_lock,
)


class Examination(NamedTuple):
    """What was found for a profile, a line a check."""

    profile: str
    lines: List[Line]

    @property
    def passes(self) -> bool:
        """Whether `make all` has what it needs: no line is a fault."""
        return all(line.verdict != FAULT for line in self.lines)

    def __str__(self) -> str:
        verdicts = [line.verdict for line in self.lines]
        words = ((FAULT, "faults"), (WARNING, "warnings"), (SKIPPED, "skipped"))
        counts = [(verdicts.count(name), name, many) for name, many in words]
        said = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
        end = "can start" if self.passes else "would fail"
        last = f"make all PROFILE={self.profile} {end}" + (f": {', '.join(said)}" if said else "")
        return "\n".join([*map(str, self.lines), last])

    def as_json(self) -> Dict[str, Any]:
        """{"profile", "passes", "checks": [{"check", "verdict", "found", "needed", "remedy"}]}."""
        checks = [line.as_json() for line in self.lines]
        return {"profile": self.profile, "passes": self.passes, "checks": checks}


def judge(needs: Needs, facts: Facts) -> Examination:
    """The verdict of every check; nothing is looked at but `facts`."""
    lines = [line for check in CHECKS for line in check(needs, facts)]
    return Examination(needs.profile, lines)


def examine(
    profile: str,
    run: Optional[str] = None,
    mirror: Optional[str] = None,
    cards: Optional[int] = None,
    python: str = "python3.11",
    stack: str = "cpu",
    offline: bool = False,
    root: Path = ROOT,
    configs: Path = CONFIGS,
) -> Examination:
    """Look at this machine, and judge whether `make all` could run `profile` on it.

    Options as in `facts.gather`; cards: msrun workers, if not the profile's.
    Raises UserError for an unknown profile or stack.
    """
    needs = read_needs(profile, cards, configs)
    folder = Path(run) if run else root / "runs" / f"{profile}-quick"
    found = gather(needs, root, folder, python, stack, mirror or None, offline, configs)
    return judge(needs, found)
