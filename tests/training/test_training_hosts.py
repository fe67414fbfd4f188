"""Two hosts: network namespaces of one machine, joined by a cable. Skipped where they cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager

import numpy as np
import pytest

from tests.training.test_training_real import (
    ROOT,
    ROWS,
    command,
    inputs,  # noqa: F401 - a fixture
    is_alive,
    losses,
    train,
)
from tools.llama.checkpoint import Checkpoint

pytestmark = pytest.mark.slow
ADDRESSES = ("192.0.2.1", "192.0.2.2")  # for documents and tests, RFC 5737
NAMES = [f"host{rank}-{os.getpid()}" for rank in (0, 1)]


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def hosts():
    made = []
    try:
        for name in NAMES:
            ip("netns", "add", name)
            made.append(name)
        ends = [f"v{rank}p{os.getpid()}"[:15] for rank in (0, 1)]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name, end, address in zip(NAMES, ends, ADDRESSES):
            ip("link", "set", end, "netns", name)
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield NAMES
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces: {error}")
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@contextmanager
def started(hosts, words_of):
    """The same command on each host, as a user gives it."""
    meeting = ["--nodes", "2", "--master-addr", ADDRESSES[0], "--master-port", "8118"]
    processes = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *words_of(rank), *meeting, "--node-rank", str(rank)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, name in enumerate(hosts)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def step_of(path):
    return int(path.stem)


def ended(processes):
    return [(process.communicate(timeout=300)[1], process.returncode) for process in processes]


def test_two_hosts_are_one_worker_with_the_same_batch(inputs, hosts, tmp_path):  # noqa: F811
    def words_of(rank):
        return command(inputs, tmp_path / str(rank), 2, ROWS // 2, epochs=20)

    with started(hosts, words_of) as processes:
        for said, code in ended(processes):
            assert code == 0, said[-2000:]
            assert "20 steps, 2 workers on 2 hosts" in said
    train(command(inputs, tmp_path / "alone", 1, ROWS, epochs=20))
    alone = losses(tmp_path / "alone" / "finetune")
    results = [tmp_path / str(rank) / "finetune" for rank in (0, 1)]
    for result in results:
        found = losses(result)
        assert len(found) == len(alone) == 20
        assert max(abs(a["loss"] - b["loss"]) for a, b in zip(found, alone)) < 1e-4
    for number in range(1, 6):
        one, other = (Checkpoint(result / "adapters" / f"{number}.ckpt") for result in results)
        assert one.names() == other.names()
        assert all(np.array_equal(one.read(name), other.read(name)) for name in one.names())
    assert json.loads((results[1] / "run.json").read_text())["hosts"] == 2


def test_hosts_that_would_go_on_from_different_steps_are_stopped(
    inputs,  # noqa: F811
    hosts,
    tmp_path,
):
    def words_of(rank):
        return command(inputs, tmp_path / str(rank), 2, 2)

    works = [tmp_path / str(rank) / "finetune.work" for rank in (0, 1)]
    with started(hosts, words_of) as processes:
        deadline = time.monotonic() + 300
        while any(len(list((work / "states").glob("[0-9]*.ckpt"))) < 2 for work in works):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for process in processes:
            process.send_signal(signal.SIGKILL)
    # The workers die with the launcher, but a little later, and may save another state meanwhile.
    workers = [int(mark.read_text()) for work in works for mark in (work / "running").iterdir()]
    assert len(workers) == 2
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # One may have been a step ahead; where they were not, one is made to lack its newest state.
    newest = [max(map(step_of, (work / "states").glob("[0-9]*.ckpt"))) for work in works]
    if newest[0] == newest[1]:
        (works[1] / "states" / f"{newest[1]}.ckpt").unlink()
    with started(hosts, words_of) as processes:
        for said, code in ended(processes):
            assert code == 1
            assert "the hosts go on from different steps" in said
    # As the message says: without the states that not all of them have, they go on.
    names = [{path.name for path in (work / "states").glob("[0-9]*.ckpt")} for work in works]
    common = names[0] & names[1]
    assert common
    for work in works:
        for path in (work / "states").iterdir():
            if path.name not in common:
                path.unlink()
    with started(hosts, words_of) as processes:
        for said, code in ended(processes):
            assert code == 0, said[-2000:]
    step = max(int(name.split(".")[0]) for name in common)
    for rank in (0, 1):
        told = json.loads((tmp_path / str(rank) / "finetune" / "run.json").read_text())
        assert told["resumed_at"] == step
