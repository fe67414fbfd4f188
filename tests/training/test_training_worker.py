"""Which worker a process is, from what msrun exports."""

from __future__ import annotations

import pytest

from tools.training.worker import rank_of


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({"MS_NODE_ID": "3", "RANK_ID": "3", "MS_ROLE": "MS_WORKER"}, "3"),
        ({"MS_NODE_ID": "3", "MS_ROLE": "MS_WORKER"}, "3"),
        # Set for the machine, not by msrun.
        ({"MS_NODE_ID": "3", "RANK_ID": "0", "MS_ROLE": "MS_WORKER"}, "3"),
        ({"RANK_ID": "0", "MS_ROLE": "MS_SCHED"}, "0"),
        ({}, "0"),
    ],
)
def test_msrun_tells_the_rank(environment: dict, rank: str) -> None:
    assert rank_of(environment) == rank
