"""Batches on all cores: order, bounds, errors of one line, a process that is killed."""

from __future__ import annotations

import os
import pickle
import signal

import pytest

from tools.files.errors import CheckFailed, UserError
from tools.files.parallel import cores, ordered_map

_READY = []


def prepare(value: int) -> None:
    _READY.append(value)


def square(number: int) -> int:
    return number * number + sum(_READY)


def where(number: int) -> int:
    return os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise CheckFailed("three", "rows.jsonl:3", "take it out")
    return number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order_and_each_process_is_prepared(workers):
    _READY.clear()
    expected = [n * n + 5 for n in range(20)]
    assert list(ordered_map(square, range(20), prepare, (5,), workers)) == expected


def test_one_batch_stays_in_this_process_and_many_do_not():
    assert list(ordered_map(where, [1], workers=2)) == [os.getpid()]
    assert list(ordered_map(where, [1, 2, 3], workers=1)) == [os.getpid()] * 3
    others = set(ordered_map(where, range(8), workers=2))
    assert os.getpid() not in others and len(others) <= 2
    assert list(ordered_map(where, [], workers=2)) == []
    assert cores() >= 1


def test_input_is_read_only_a_little_ahead():
    taken = []

    def batches():
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(square, batches(), workers=2)
    next(results)
    assert len(taken) <= 6
    results.close()
    assert len(taken) <= 6


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_arrives_with_all_its_parts(workers):
    with pytest.raises(CheckFailed, match=r"rows\.jsonl:3: three; take it out") as caught:
        list(ordered_map(refuse, range(9), workers=workers))
    assert caught.value.exit_code == 1
    copy = pickle.loads(pickle.dumps(UserError("a", "b", "c")))  # noqa: S301
    assert (copy.what, copy.where, copy.remedy) == ("a", "b", "c")


def test_a_killed_process_is_an_error_of_one_line():
    with pytest.raises(UserError, match="was killed"):
        list(ordered_map(die, range(9), workers=2))
