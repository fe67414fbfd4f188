"""Names of the two releases of MindFormers, exchanged both ways."""

from __future__ import annotations

import copy

import pytest
import yaml

from tools.settings.profile import CONFIGS
from tools.settings.stacks import CONTEST, PYPI, STACKS, for_stack

CONTESTS = {
    "callbacks": [
        {"type": "MFLossMonitor"},
        {"type": "CheckpointMointor", "save_checkpoint_steps": 7},
        {"type": "ObsMonitor"},
    ],
    "eval_callbacks": [{"type": "ObsMonitor"}],
    "seed": 1,
}


def test_to_the_newer_release() -> None:
    before = copy.deepcopy(CONTESTS)
    assert for_stack(CONTESTS, PYPI) == {
        "callbacks": [
            {"type": "MFLossMonitor"},
            {"type": "CheckpointMonitor", "save_checkpoint_steps": 7},
        ],
        "eval_callbacks": [],
        "seed": 1,
    }
    assert before == CONTESTS


def test_to_the_contests_release_and_its_own_names_stay() -> None:
    newer = {"callbacks": [{"type": "CheckpointMonitor"}, {"type": "MFLossMonitor"}]}
    assert [c["type"] for c in for_stack(newer, CONTEST)["callbacks"]] == [
        "CheckpointMointor",
        "MFLossMonitor",
    ]
    assert for_stack(CONTESTS, CONTEST) == CONTESTS


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*/finetune.yaml")), ids=str)
def test_a_config_of_ours_is_known_to_the_release_it_is_put_into(path, stack) -> None:
    """Translated, our files name no callback that the release does not have."""
    from tools.packaging.config_schemas import read_schema

    config = for_stack(yaml.safe_load(path.read_text("utf-8")), stack)
    definitions = read_schema(f"finetune-{stack}")["definitions"]
    known = {name.partition(".")[2] for name in definitions if name.startswith("callback.")}
    assert {c["type"] for c in config["callbacks"]} <= known
