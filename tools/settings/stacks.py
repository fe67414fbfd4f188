"""The two releases of MindFormers, and what a YAML for the one has to say otherwise for the other.

pypi      1.9.0, under MindSpore 2.9: what this project is tested with
contest   the organisers', frozen in 2024, under MindSpore 2.3.0rc2: what a contestant has

Most keys are the same. What differs, and why, is in docs/stacks.md.
"""

from __future__ import annotations

from typing import Any, Dict

CONTEST = "contest"
PYPI = "pypi"
STACKS = (CONTEST, PYPI)

# By section: a class of the contest's release, and what it is called since; None: it is gone.
_RENAMED: Dict[str, Dict[str, Any]] = {
    "callbacks": {"CheckpointMointor": "CheckpointMonitor", "ObsMonitor": None},
    "eval_callbacks": {"ObsMonitor": None},
}


def for_stack(config: Dict[str, Any], stack: str) -> Dict[str, Any]:
    """A MindFormers YAML, as a dictionary, in the words of one release; `config` stays as it is.

    Only names are exchanged. What only one release can do stays, and that release's own error, or
    `tools.check configs --stack`, tells of it.
    """
    config = dict(config)
    for section, names in _RENAMED.items():
        if stack == CONTEST:
            names = {new: old for old, new in names.items() if new}
        if isinstance(config.get(section), list):
            renamed = [{**e, "type": names.get(e["type"], e["type"])} for e in config[section]]
            config[section] = [entry for entry in renamed if entry["type"]]
    return config
