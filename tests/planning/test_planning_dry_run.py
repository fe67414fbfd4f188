"""A dry run: the network that MindFormers builds is the one of the formulas, or it says so."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from tools.files.errors import CheckFailed
from tools.llama.lora import adapter_parameters
from tools.planning.dry_run import BUILD, COMPILE, compare, dry_run, why
from tools.planning.load import Load
from tools.planning.setup import Changes, read_setup
from tools.settings.contest import read_contest


def setup(profile: str, **changes):
    return read_setup(profile, "quick", "plain", None, None, read_contest(), Changes(**changes))


def network(load: Load) -> dict:
    """What MindFormers builds, as its types and names are known to be."""
    parameters = {}
    for name, dims in load.shape.parameters().items():
        kind = "Float32" if len(dims) == 1 or load.weight == 4 else "BFloat16"
        parameters[name] = [list(dims), kind, False]
    for name, dims in adapter_parameters(load.shape, load.lora).items():
        parameters[name] = [list(dims), "Float32", True]
    return parameters


def test_counts_and_bytes(loads) -> None:
    counts = compare(network(loads.alone), loads.alone)
    assert counts == {
        "trained": 3_407_872,
        "total": 8_030_261_248,
        "bytes": 2 * 8_029_995_008 + 4 * 266_240 + 4 * 3_407_872,
    }


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("lm_head.weight", None, "lm_head.weight is absent in MindFormers' network"),
        ("lm_head.weight", [[128256, 4095], "BFloat16", False], "(128256, 4095), frozen"),
        ("lm_head.weight", [[128256, 4096], "BFloat16", True], "(128256, 4096), trained"),
        ("model.more.weight", [[3], "Float32", False], "absent by the formulas"),
        ("model.norm_out.weight", [[4096], "Float16", False], "the base weights have"),
    ],
)
def test_what_differs_is_named(loads, name: str, value: object, text: str) -> None:
    parameters = copy.deepcopy(network(loads.alone))
    if value is None:
        del parameters[name]
    else:
        parameters[name] = value
    with pytest.raises(CheckFailed) as caught:
        compare(parameters, loads.alone)
    assert text in str(caught.value) and caught.value.exit_code == 1


def test_a_model_that_will_be_split_is_built_whole(loads) -> None:
    assert compare(network(loads.split), loads.split)["trained"] == 3_407_872


def test_the_last_error_is_told() -> None:
    text = "ValueError: first\nTraceback\nmindspore.X.KeyError: 'none' is unknown\n at the end"
    assert why(text, 1).endswith("KeyError: 'none' is unknown")
    assert why("Killed", -9).endswith("it ended with code -9")


@pytest.mark.slow
def test_the_tiny_profile_is_built_and_its_step_compiled() -> None:
    found = setup("tiny", rank=4, batch=2)
    result = dry_run(found.native, found.load, COMPILE)
    assert set(result) == {
        "trained",
        "total",
        "bytes",
        "build_seconds",
        "compile_seconds",
        "peak_gib",
    }
    assert (result["trained"], result["total"]) == (3584, 155_968)
    assert result["bytes"] == 4 * (3584 + 155_968)
    assert result["compile_seconds"] > 0 and 0.2 < result["peak_gib"] < 2


@pytest.mark.slow
def test_the_contests_model_is_built_without_a_card() -> None:
    found = setup("llama3-8b")
    result = dry_run(found.native, found.load, BUILD)
    assert (result["trained"], result["total"]) == (3_407_872, 8_030_261_248)
    # 16 GB of weights are named, none is made.
    assert result["bytes"] > 16e9 and result["peak_gib"] < 2
    assert result["compile_seconds"] is None


@pytest.mark.slow
def test_a_formula_that_is_wrong_is_found_out() -> None:
    found = setup("tiny")
    wrong = replace(found.load, shape=replace(found.load.shape, intermediate_size=161))
    with pytest.raises(CheckFailed, match="in MindFormers' network, "):
        dry_run(found.native, wrong, BUILD)


@pytest.mark.slow
def test_what_mindformers_refuses() -> None:
    found = setup("tiny")
    native = copy.deepcopy(found.native)
    native["model"]["arch"]["type"] = "NoSuchModel"
    with pytest.raises(CheckFailed, match=r"MindFormers did not build the network: .*NoSuchModel"):
        dry_run(native, found.load, BUILD)
