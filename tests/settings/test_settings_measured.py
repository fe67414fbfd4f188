"""configs/measured.yaml: what it holds, and faults named by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.files.errors import UserError
from tools.settings.measured import MEASURED_FILE, read_measured
from tools.settings.profile import CONFIGS


def test_every_figure_has_a_profile_and_names_are_not_used_twice() -> None:
    measured = read_measured()
    profiles = {path.parent.name for path in CONFIGS.glob("*/profile.yaml")}
    for group in (measured.steps, measured.decoding):
        names = [point.name for point in group]
        assert len(names) == len(set(names))
        assert {point.profile for point in group} <= profiles
    assert set(measured.around) == {"Ascend", "CPU"}


def altered(tmp_path: Path, old: str, new: str) -> Path:
    text = MEASURED_FILE.read_text("utf-8")
    assert old in text
    path = tmp_path / "measured.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    "old, new, what",
    [
        ("    hours: [5.5, 6.5]\n", "", "needs either step_seconds, or rows, epochs and hours"),
        (
            "    step_seconds: [1.410, 1.410]\n",
            "    step_seconds: [1.4, 1.4]\n    rows: 5\n    epochs: 1\n    hours: [1, 1]\n",
            "needs either step_seconds, or rows, epochs and hours",
        ),
        ("    recompute: full\n", "    recompute: all\n", "recompute"),
        ("    cards: 4\n", "    cards: 0\n", "cards"),
        ("  Ascend:\n", "  GPU:\n", "around"),
        ("    batch: 64\n", "    batches: 64\n", "batches"),
        ("    outputs: 0.375\n", "    outputs: 1.5\n", "outputs"),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, what: str) -> None:
    path = altered(tmp_path, old, new)
    with pytest.raises(UserError, match=what) as caught:
        read_measured(path)
    assert str(caught.value.where).startswith(f"{path}:")
