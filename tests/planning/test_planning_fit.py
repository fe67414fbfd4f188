"""Whether it fits: limits, both verdicts, and remedies that hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import CheckFailed
from tools.planning.fit import (
    MARGIN,
    Limit,
    as_gib,
    limit_of,
    needed,
    processes,
    refusal,
    smaller,
)
from tools.planning.load import FULL, NONE
from tools.planning.memory import GIB, decoding_terms, training_terms
from tools.planning.speed import profile_load
from tools.settings.measured import read_measured

AROUND = read_measured().around["Ascend"]


def stages(load, around, batch: int = 8, positions: int = 186):
    return {
        "training": as_gib(training_terms(load, around), processes(load)),
        "decoding": as_gib(decoding_terms(load, around, batch, positions)),
    }


@pytest.mark.parametrize(
    "hbm, reserve, most, usable",
    [
        (32, None, None, 26),  # as the organisers' max_device_memory of 32 GB cards
        (64, None, None, 58),  # and of 64 GB cards, 肆拾加贰's README
        (32, None, 26.0, 26),
        (32, None, 30.0, 30),
        (64, None, 26.0, 26),  # the framework takes no more, whatever the card has
        (32, None, 59.0, 26),  # more than there is
        (32, 4, 26.0, 28),
        (32, 0, None, 32),
    ],
)
def test_limits_of_a_card(loads, measured, hbm, reserve, most, usable) -> None:
    load = replace(loads.alone, most_memory=most)
    limit = limit_of(load, hbm, reserve, measured.around["Ascend"])
    assert (limit.total, limit.usable) == (hbm, usable) and limit.why


def test_the_whole_machine_may_be_used_on_the_cpu(loads, measured) -> None:
    assert limit_of(loads.cpu, 6.5, None, measured.around["CPU"]).usable == 6.5
    assert limit_of(loads.cpu, 6.5, 1, measured.around["CPU"]).usable == 5.5


def test_a_run_that_fits_is_not_refused(loads, measured) -> None:
    around = measured.around["Ascend"]
    limit = limit_of(loads.alone, 32, None, around)
    assert refusal(loads.alone, stages(loads.alone, around), limit, around) is None


def test_the_largest_term_and_a_remedy_are_named(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, recompute=NONE, batch=8)
    limit = limit_of(load, 32, None, around)
    failed = refusal(load, stages(load, around), limit, around)
    assert isinstance(failed, CheckFailed) and failed.exit_code == 1
    assert str(failed) == (
        "HBM: training needs 42.6 GiB, 26.0 may be used (6 GiB stay for driver, CANN and "
        "communication); the largest term is activations, 18.8 GiB; recompute fully, and take "
        "batch_size 4: 20.5 GiB"
    )


def test_recomputation_alone_is_named_where_it_is_enough(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, recompute=NONE)
    limit = limit_of(load, 32, None, around)
    text = str(refusal(load, stages(load, around), limit, around))
    assert text.endswith("recompute fully (recompute_config.recompute: True): 20.5 GiB")


def test_decoding_too_large(loads, measured) -> None:
    around = measured.around["Ascend"]
    limit = limit_of(loads.alone, 32, None, around)
    failed = refusal(loads.alone, stages(loads.alone, around, 64, 2048), limit, around)
    assert str(failed).startswith("HBM: decoding needs ")
    assert "the largest term is key-value cache, 16.0 GiB; decode fewer prompts" in str(failed)


def test_where_the_weights_alone_are_too_large_other_cards_are_advised(loads, measured) -> None:
    around = measured.around["Ascend"]
    load = replace(loads.alone, cards=1)
    failed = refusal(load, stages(load, around), Limit(16, 10, "why"), around)
    assert "the largest term is base weights, 15.0 GiB; take cards with more memory" in str(failed)
    four = replace(load, cards=4)
    failed = refusal(four, stages(four, around), Limit(16, 10, "why"), around)
    assert str(failed).endswith("split the model (model_parallel 4, batch_size 4): 7.1 GiB")


def test_workers_on_the_cpu_add_up(loads, measured) -> None:
    around = measured.around["CPU"]
    two = replace(loads.cpu, cards=2)
    assert needed(two, around) == pytest.approx(2 * needed(loads.cpu, around))
    limit = limit_of(two, 6.5, None, around)
    failed = refusal(two, stages(two, around), limit, around)
    assert str(failed).startswith("memory: training needs ")
    assert "take batch_size 1 and CARDS=1" in str(failed)
    assert "recompute" not in str(failed)


@given(
    batch=st.integers(1, 64),
    length=st.sampled_from([128, 256, 512, 1024, 2048]),
    way=st.sampled_from([NONE, FULL]),
    cards=st.sampled_from([1, 4, 8]),
)
def test_what_is_advised_fits(batch: int, length: int, way: str, cards: int) -> None:
    around = AROUND
    load = replace(
        profile_load("llama3-8b"), batch=batch, length=length, recompute=way, cards=cards
    )
    limit = limit_of(load, 32, None, around)
    failed = refusal(load, stages(load, around), limit, around)
    assert (failed is None) == (needed(load, around) <= limit.usable)
    if failed:
        words, size = str(failed).rsplit(": ", 1)
        assert float(size.split()[0]) <= (1 - MARGIN) * limit.usable
        advised = {text: needed(changed, around) for text, changed in smaller(load)}
        assert any(
            words.endswith(text) and f"{gib:.1f} GiB" == size for text, gib in advised.items()
        )


def test_terms_in_gib() -> None:
    assert as_gib({"a": GIB / 2, "b": 3.0 * GIB}, 2) == {"a": 1.0, "b": 6.0}
