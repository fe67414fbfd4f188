"""A whole plan: its parts agree with each other and with the contest's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.files.errors import CheckFailed, UserError
from tools.planning.plan import Asked, present
from tools.planning.setup import Changes
from tools.scoring.contest import contest_score
from tools.settings.contest import read_contest

RULES = read_contest()
# The contest's own way: one model on four cards.
BASELINE = Changes(batch=64, recompute="full", model_parallel=4)


def plan(profile="llama3-8b", budget="full", **more):
    words = {"recipe": "plain", "cards": None, "hbm": None, "reserve": None, "accuracy": 0.5}
    return present(Asked(profile, budget, **{**words, **more}))


@pytest.fixture(scope="module")
def baseline():
    found, refused = plan(cards=4, hbm=32, reserve=6, accuracy=0.64, changes=BASELINE)
    assert refused is None
    return found


def test_the_parts_of_a_plan(baseline) -> None:
    assert set(baseline) == {
        "profile",
        "budget",
        "recipe",
        "config",
        "training",
        "assumptions",
        "parameters",
        "memory",
        "hours",
        "score",
        "doubling",
        "calibration",
        "errors",
        "fits",
        "close",
    }
    assert json.loads(json.dumps(baseline)) == baseline


def test_the_contests_baseline(baseline) -> None:
    assert baseline["parameters"]["trained"] == 3_407_872
    assert baseline["parameters"]["total"] == 8_030_261_248
    assert f"{baseline['parameters']['ratio']:.6g}" == "0.000424393"
    assert baseline["training"]["steps"] == 7030
    assert baseline["training"]["tokens"] == 7030 * 64 * 256
    hours = baseline["hours"]["training"]
    assert hours["low"] < 6 < hours["high"]
    assert (baseline["fits"], baseline["close"]) == (True, False)
    # 肆拾贰's published score, at its accuracy and ratio.
    assert baseline["score"]["score"] == pytest.approx(0.747872682, abs=1e-9)
    assert baseline["score"]["rank"] == 3
    assert baseline["score"]["minimum"]["f1"] == 53.88321397598089


def test_memory_adds_up(baseline) -> None:
    memory = baseline["memory"]
    for stage in memory["stages"].values():
        assert stage["total"] == pytest.approx(sum(stage["terms"].values()))
    assert memory["limit"] == {
        "total": 32,
        "usable": 26,
        "why": "6 GiB stay for driver, CANN and communication",
    }
    assert memory["cache"] == {"batch": 8, "positions": 186, "a_position": 131_072}
    # The planned row of the last table is the training of the first.
    assert baseline["doubling"][0]["memory"] == memory["stages"]["training"]["total"]


def test_hours_add_up(baseline) -> None:
    hours = baseline["hours"]
    assert hours["models"] == 6
    for name in ("low", "middle", "high"):
        load = 700 / 3600
        # The chosen checkpoint is loaded again for the test problems.
        each = 6 * hours["squad"][name] + 5 * hours["valid"][name] + 2 * hours["math"][name]
        assert hours["evaluations"][name] == pytest.approx(each + 7 * load, abs=1e-4)
        whole = hours["training"][name] + hours["evaluations"][name]
        assert hours["all"][name] == pytest.approx(whole, abs=1e-5)


def test_scores_at_several_accuracies(baseline) -> None:
    rows = baseline["score"]["rows"]
    assert [row["accuracy"] for row in rows] == [0.44, 0.54, 0.59, 0.64, 0.69, 0.74, 0.84]
    ratio = baseline["score"]["ratio"]
    assert all(row["score"] == contest_score(row["accuracy"], ratio, RULES) for row in rows)
    assert [row["rank"] for row in rows] == sorted([row["rank"] for row in rows], reverse=True)


def test_accuracies_stay_shares() -> None:
    found, _ = plan("tiny", "quick", accuracy=0.97)
    assert [row["accuracy"] for row in found["score"]["rows"]] == [0.77, 0.87, 0.92, 0.97, 1.0]


def test_what_twice_as_much_costs(baseline) -> None:
    rows = {row["what"]: row for row in baseline["doubling"]}
    assert list(rows) == ["as planned", "rank", "length", "rows", "batch"]
    once = rows["as planned"]
    assert rows["rank"]["trained"] == 2 * once["trained"]
    # 0.3 x 3 407 872 / 8.03e9 less: a fiftieth of a point of accuracy.
    assert once["score"] - rows["rank"]["score"] == pytest.approx(0.3 * 3_407_872 / 8.03e9)
    assert rows["rank"]["points"] == pytest.approx(100 * 0.3 * 3_407_872 / 8.03e9 / 0.7)
    for name in ("length", "rows", "batch"):
        assert rows[name]["trained"] == once["trained"] and rows[name]["points"] == 0
    start = 1190 / 3600 + 5 * 28 / 3600
    for name in ("length", "rows"):
        grown = (rows[name]["hours"] - start) / (once["hours"] - start)
        assert 2 <= grown < 2.1
    assert rows["rows"]["memory"] == once["memory"] < rows["length"]["memory"]
    # A step of twice the rows, half as many of them; an odd last one is dropped.
    assert rows["batch"]["hours"] == pytest.approx(once["hours"], rel=1e-3)


def test_a_run_that_does_not_fit_is_planned_and_refused() -> None:
    changes = Changes(recompute="none", batch=16)
    found, refused = plan(cards=4, hbm=32, changes=changes)
    assert isinstance(refused, CheckFailed) and not found["fits"]
    assert "the largest term is activations, 18.8 GiB" in str(refused)
    # On cards of 64 GB the same run is no trouble.
    found, refused = plan(cards=4, hbm=64, reserve=6, changes=changes)
    assert refused is None and found["fits"]


def test_a_run_that_is_close_says_so() -> None:
    found, refused = plan(hbm=32, reserve=6, changes=Changes(recompute="full", batch=16))
    assert refused is None and (found["fits"], found["close"]) == (True, True)


@pytest.mark.parametrize("profile", ["smollm2-135m", "tiny"])
def test_profiles_on_the_cpu(profile: str) -> None:
    found, refused = plan(profile, "quick")
    assert refused is None
    assert "process" in found["memory"]["stages"]["training"]["terms"]
    assert found["training"]["device"] == "CPU"


def test_a_log_takes_the_place_of_the_formula(tmp_path: Path) -> None:
    line = "step:[ {}/ 9], loss: 1.0, per_step_time: {}ms"
    log = tmp_path / "worker_0.log"
    log.write_text("\n".join(line.format(i, t) for i, t in enumerate([9000, 500, 500, 600])))
    found, _ = plan("smollm2-135m", "quick", log=log)
    assert found["hours"]["step_seconds"] == {"low": 0.5, "middle": 0.5, "high": 0.5}
    assert "step time: the median of the log" in found["assumptions"]
    rows = {row["what"]: row["hours"] for row in found["doubling"]}
    fixed = (63 + 5) / 3600
    # Twice the rows, twice the steps of the log; twice the length, steps that take longer.
    assert (rows["rows"] - fixed) / (rows["as planned"] - fixed) == pytest.approx(2)
    assert 2 < (rows["length"] - fixed) / (rows["as planned"] - fixed) < 2.3


@pytest.mark.parametrize(
    "words, text",
    [
        ({"hbm": 5}, "HBM: of 5 GiB nothing is left"),
        ({"cards": 4, "changes": Changes(model_parallel=8)}, "model_parallel 8 does not divide"),
    ],
)
def test_faults(words: dict, text: str) -> None:
    with pytest.raises(UserError) as caught:
        plan(**words)
    assert text in str(caught.value)


def test_targets_that_match_nothing(tmp_path: Path) -> None:
    from tools.settings.profile import CONFIGS

    path = tmp_path / "finetune.yaml"
    text = (CONFIGS / "llama3-8b" / "finetune.yaml").read_text()
    assert '".*wq|.*wv"' in text
    path.write_text(text.replace('".*wq|.*wv"', '"query"'))
    with pytest.raises(UserError, match="target_modules 'query' matches no module"):
        plan(finetune=path)
