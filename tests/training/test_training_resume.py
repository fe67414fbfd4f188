"""Where a training goes on: the newest whole state, the losses up to it, one checkpoint of both."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.training.resume import (
    STATES,
    Start,
    cut_losses,
    identity,
    newest_state,
    open_work,
    whole_checkpoint,
)


def state(work, step):
    path = work / STATES / f"{step}.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(path, [("step_num", np.int32(step), "Int32")])
    return path


def test_the_newest_by_number(tmp_path):
    assert newest_state(tmp_path, print) == Start(0, None)
    for step in (9, 100, 20):
        state(tmp_path, step)
    (tmp_path / STATES / "partial.ckpt").write_bytes(b"half")
    assert newest_state(tmp_path, print) == Start(100, tmp_path / STATES / "100.ckpt")


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 50])
def test_damaged_states_are_told_and_removed(tmp_path, content):
    state(tmp_path, 1)
    state(tmp_path, 2).write_bytes(content)
    told = []
    assert newest_state(tmp_path, told.append).step == 1
    assert len(told) == 1 and told[0].startswith("2.ckpt is damaged")
    assert not (tmp_path / STATES / "2.ckpt").exists()


def test_a_state_cut_at_any_byte_is_not_taken(tmp_path):
    whole = state(tmp_path, 2).read_bytes()
    for size in range(len(whole)):
        (tmp_path / STATES / "2.ckpt").write_bytes(whole[:size])
        assert newest_state(tmp_path, lambda text: None) == Start(0, None)


def test_weights_and_state_are_one_checkpoint(tmp_path):
    base, saved = tmp_path / "base.ckpt", tmp_path / "state.ckpt"
    write_checkpoint(base, [("w", np.arange(6).reshape(2, 3), "Float32")])
    write_checkpoint(saved, [("lora", np.ones(2), "Float32"), ("step_num", np.int32(7), "Int32")])
    found = Checkpoint(whole_checkpoint(base, saved, tmp_path / "new" / "whole.ckpt"))
    assert found.names() == ["w", "lora", "step_num"]
    assert (found.read("w") == np.arange(6).reshape(2, 3)).all()
    assert found.read("step_num") == 7


@given(st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_losses_after_the_state_are_forgotten(tmp_path_factory, steps, kept, cut):
    path = tmp_path_factory.mktemp("losses") / "loss.csv"
    path.write_text("step,loss\n" + "".join(f"{n},0.5\n" for n in range(1, steps + 1)))
    if cut:
        path.write_text(path.read_text() + f"{steps + 1},0.")
    cut_losses(path, kept)
    lines = path.read_text().splitlines()
    assert lines == ["step,loss", *(f"{n},0.5" for n in range(1, min(steps, kept) + 1))]


def test_no_losses(tmp_path):
    cut_losses(tmp_path / "loss.csv", 3)
    assert not list(tmp_path.iterdir())


def test_a_work_folder_belongs_to_its_inputs(tmp_path):
    work = tmp_path / "work"
    assert not open_work(work, {"a": 1}, True, print)
    steps_done(work, 3)
    assert open_work(work, {"a": 1}, True, print)
    assert (work / STATES / "3.ckpt").is_file()
    for inputs in ({"a": 2}, {"a": 2}):
        told = []
        steps_done(work, 3)
        assert not open_work(work, inputs, False, told.append)
        assert not list((work / STATES).iterdir())
        assert told == [f"{work}: 3 steps of an unfinished training are thrown away"]


def steps_done(work, step):
    """As a training leaves `work` that was cut short after `step`."""
    state(work, step)
    lines = "".join(f"{number},0.5\n" for number in range(1, step + 1))
    (work / "loss.csv").write_text("step,loss\n" + lines)


def changed(work, before, now):
    """What is told of a folder that was left with other inputs; it is still there afterwards."""
    open_work(work, before, True, print)
    steps_done(work, 3)
    with pytest.raises(UserError, match="RESUME=no") as caught:
        open_work(work, now, True, print)
    assert (work / STATES / "3.ckpt").is_file() and caught.value.exit_code == 2
    found = re.search(
        "holds 3 steps of a training with other inputs: (.*); go back", str(caught.value)
    )
    return found[1]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"a": 1}, {"a": 2}, "a was 1, is 2"),
        ({"c": {"x": {"y": 1, "z": 2}}}, {"c": {"x": {"y": 1, "z": 3}}}, "c.x.z was 2, is 3"),
        ({"c": {"x": [1, 2]}}, {"c": {"x": [1]}}, "c.x was [1, 2], is [1]"),
        ({"c": {}}, {"c": {}, "p": "bfloat16"}, "p was None, is bfloat16"),
        ({"base": {"bytes": 1, "t": 2}}, {"base": {"bytes": 2, "t": 3}}, "another base file"),
        (
            dict.fromkeys("abcde", 1),
            {},
            "a was 1, is None, b was 1, is None, c was 1, is None and 2 more",
        ),
    ],
)
def test_what_changed_is_named(tmp_path, before, now, told):
    assert changed(tmp_path / "work", before, now) == told


def test_a_record_of_inputs_that_is_damaged(tmp_path):
    work = tmp_path / "work"
    open_work(work, {"a": 1}, True, print)
    steps_done(work, 3)
    (work / "inputs.json").write_text("{")
    with pytest.raises(UserError, match=r"holds 3 steps .*: inputs unknown"):
        open_work(work, {"a": 1}, True, print)


def test_without_a_step_nothing_is_refused(tmp_path):
    told = []
    open_work(tmp_path / "work", {"a": 1}, True, told.append)
    assert not open_work(tmp_path / "work", {"a": 2}, True, told.append)
    assert told == [] and open_work(tmp_path / "work", {"a": 2}, True, told.append)


def test_identity(tmp_path):
    path = tmp_path / "x"
    path.write_text("ab")
    before = identity(path)
    assert before["bytes"] == 2 and identity(path) == before
    path.write_text("abc")
    assert identity(path) != before
