"""The stages behind a run, as each run.json names what it began with."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging_run import write

from tools.files.errors import UserError
from tools.packaging.chain import chain_of


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """night-1, begun from the base; night-2 from its adapter; night-3 from that of night-2."""
    init = None
    for name in ("night-1", "night-2", "night-3"):
        run = tmp_path / "runs" / name
        write(run / "config/profile.json", {"profile": "tiny"})
        write(run / "finetune/run.json", {"steps": 10, "init": init})
        init = {"path": f"runs/{name}/finetune", "sha256": name, "base": "0", "init": init}
    return tmp_path / "runs"


def test_the_first_stage_comes_first(runs):
    names = ["night-1", "night-2", "night-3"]
    for count in (1, 2, 3):
        found = chain_of(runs / names[count - 1])
        assert found == [runs / name for name in names[:count]]


def test_a_stage_that_is_not_here_is_named(runs):
    (runs / "night-1/config/profile.json").unlink()
    with pytest.raises(UserError, match=r"night-2/.*began with .*night-1/finetune, which lies"):
        chain_of(runs / "night-3")
