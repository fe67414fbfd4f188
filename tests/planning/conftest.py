"""The contest's model and a small one on the CPU, as their profiles have them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tools.planning.load import Load, profile_load
from tools.settings.measured import Measured, read_measured


@pytest.fixture(scope="session")
def measured() -> Measured:
    return read_measured()


@pytest.fixture(scope="session")
def loads() -> SimpleNamespace:
    """alone: 8B on one card, 4 rows of 512, recomputed; split: the baseline's way; cpu: SmolLM2."""
    card: Load = profile_load("llama3-8b")
    alone = replace(card, batch=4, length=512, recompute=True, most_memory=None)
    split = replace(alone, cards=4, model_parallel=4, batch=64, length=256)
    return SimpleNamespace(alone=alone, split=split, cpu=profile_load("smollm2-135m"))
