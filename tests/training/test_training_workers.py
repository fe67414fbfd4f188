"""Workers as processes: how they are started, watched and ended. Shell scripts stand for msrun."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from tools.files.errors import CheckFailed, UserError
from tools.training import workers
from tools.training.workers import ALONE, Hosts, last_line, run_workers, why_it_failed


def write_log(work, name, text, age):
    path = work / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text)
    os.utime(path, (1000 - age, 1000 - age))


def test_why_it_failed(tmp_path):
    (tmp_path / "logs").mkdir()
    assert why_it_failed(tmp_path) == "the training ended before its last step"
    write_log(tmp_path, "worker_0.log", b"RuntimeError: connection lost\n", age=1)
    write_log(
        tmp_path,
        "worker_1.log",
        b"ERROR in passing\nErrorless words\nMatMulError: a first one\n\xff\xfe\nTraceback:\n"
        b"mindspore.common.FooError: \n--------\nFor 'MatMul', shapes\n  do not fit\n",
        age=5,
    )
    told = why_it_failed(tmp_path)
    # Worker 1 was the first to stop writing; of its errors the last is what ended it.
    assert told == "worker_1 failed: mindspore.common.FooError: For 'MatMul', shapes do not fit"
    # What MindPet leaves where HOME is another user's: no traceback.
    log = b"ERROR:root:An <class 'ValueError'> occurred, Wrong environment variables\n[INFO] x\n"
    write_log(tmp_path, "worker_1.log", log, age=5)
    assert "occurred, Wrong environment variables" in why_it_failed(tmp_path)
    write_log(tmp_path, "worker_1.log", b"ValueError: " + b"x" * 999, age=5)
    assert len(why_it_failed(tmp_path)) < 330


MSRUN = """#!/bin/bash
echo "$@" > {record}
csv="$(dirname "${{@: -1}}")/loss.csv"
echo step,loss,learning_rate > "$csv"
{body}
"""


@pytest.fixture
def msrun(tmp_path, monkeypatch):
    """A shell script in msrun's place; call it with the script's last lines."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(workers, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(workers, "_POLL_SECONDS", 0.01)
    (tmp_path / "bin").mkdir()
    work = tmp_path / "holder" / "work"
    (work / "logs").mkdir(parents=True)

    def call(body, steps=2, count=1, hosts=ALONE, precision="float32"):
        script = tmp_path / "bin" / "msrun"
        script.write_text(MSRUN.format(record=tmp_path / "arguments", body=body))
        script.chmod(0o755)
        return run_workers({"config": "x.yaml"}, work, count, hosts, steps, precision)

    return call


def wait_until_gone(pid):
    """The process named in the file was killed: the system takes a moment to end it."""
    mark = pid.with_name("mark")
    mark.write_text(pid.read_text().strip())
    deadline = time.monotonic() + 10
    while workers._is_alive(mark):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_workers_are_started_by_msrun(msrun, tmp_path):
    body = 'echo 1,9,0.1 >> "$csv"; echo 2,8,0.1 >> "$csv"; env > "$(dirname "$csv")/environment"'
    assert msrun(body, count=2) >= 0
    arguments = (tmp_path / "arguments").read_text().split()
    assert {"--worker_num=2", "--local_worker_num=2", "--join=True"} <= {*arguments}
    worker, job = arguments[-2:]
    assert Path(worker).is_file() and worker.endswith("tools/training/worker.py")
    told = json.loads(Path(job).read_text())
    assert told == {"config": "x.yaml", "local": 2, "running": str(Path(job).parent / "running")}
    environment = (Path(job).parent / "environment").read_text()
    assert f"PATH={tmp_path / 'bin'}:" in environment and "PYTHONPATH=" in environment
    # MindPet wants a home that is the user's own.
    home = Path(job).parent / "home"
    assert f"\nHOME={home}\n" in f"\n{environment}" and home.is_dir()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("users", ["BF16", "ANY", None])
def test_a_users_own_environment_does_not_choose_the_precision(
    msrun, tmp_path, monkeypatch, precision, users
):
    for name in ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"):
        monkeypatch.setenv(name, users) if users else monkeypatch.delenv(name, raising=False)
    body = 'echo 1,9,0.1 >> "$csv"; echo 2,8,0.1 >> "$csv"; env > "$(dirname "$csv")/environment"'
    msrun(body, precision=precision)
    lines = (tmp_path / "holder" / "work" / "environment").read_text().splitlines()
    found = [line for line in lines if "FPMATH_MODE" in line]
    assert found == (["ONEDNN_DEFAULT_FPMATH_MODE=BF16"] if precision == "bfloat16" else [])


@pytest.mark.parametrize(
    "body, told",
    [
        ("echo 'ValueError: no' > logs/worker_0.log; exit 1", "worker_0 failed: ValueError: no"),
        ("exit 3", "the training ended before its last step"),
        # msrun ends with 0 though a worker was killed: the steps tell.
        ('echo 1,9,0.1 >> "$csv"', "the training ended before its last step"),
    ],
)
def test_a_failure_is_told_and_its_logs_are_kept(msrun, tmp_path, body, told):
    with pytest.raises(CheckFailed) as caught:
        msrun(body)
    kept = tmp_path / "holder" / "work" / "logs"
    assert str(caught.value).endswith(f"{told}; the whole logs are in {kept}")
    assert caught.value.exit_code == 1 and (kept / "msrun.log").is_file()


def test_an_interrupt_ends_the_workers(msrun, tmp_path, monkeypatch):
    def interrupt(process, *_):
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().endswith("\n"):
            assert process.poll() is None
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_watch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        msrun(f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait")
    wait_until_gone(tmp_path / "pid")


def test_a_killed_worker_ends_the_others_and_is_named(msrun, tmp_path):
    body = (
        "echo the end > logs/worker_1.log; "
        f"sleep 60 & echo $! > {tmp_path / 'pid'}; echo -n $! > running/0; "
        "sleep 0.01 & echo -n $! > running/1; wait"
    )
    began = time.monotonic()
    with pytest.raises(CheckFailed, match="worker 1 was killed; its log ends with: the end"):
        msrun(body, count=2)
    assert time.monotonic() - began < 30
    wait_until_gone(tmp_path / "pid")


def test_several_hosts(msrun, tmp_path):
    body = 'echo 1,9,0.1 >> "$csv"; echo 2,8,0.1 >> "$csv"'
    msrun(body, count=8, hosts=Hosts(2, 1, "10.0.0.1", 8118))
    arguments = {*(tmp_path / "arguments").read_text().split()}
    assert {"--worker_num=8", "--local_worker_num=4", "--node_rank=1"} <= arguments
    assert {"--master_addr=10.0.0.1", "--master_port=8118"} <= arguments


@pytest.mark.parametrize(
    "hosts, count, fault",
    [
        (Hosts(2, 0, "a", 8118), 3, "3 workers on 2 hosts, this being host 0"),
        (Hosts(2, 2, "a", 8118), 4, "this being host 2"),
        (Hosts(2, 0, "a"), 4, "several hosts need one port"),
    ],
)
def test_hosts_that_do_not_fit(hosts, count, fault):
    with pytest.raises(UserError, match=fault):
        hosts.check(count)


def test_a_taken_port_is_told_beforehand():
    ALONE.check(2)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} cannot be used"):
            Hosts(port=port).check(1)
        Hosts(2, 1, "elsewhere", port).check(2)  # the port of another host
    Hosts(port=port).check(1)


def test_last_line(tmp_path):
    path = tmp_path / "loss.csv"
    assert last_line(path) is None
    path.write_text("step,loss\n")
    assert last_line(path) is None
    path.write_text("step,loss\n1,2.5\n2,2")  # being written
    assert last_line(path) == {"step": "1", "loss": "2.5"}


def test_the_logs_of_each_part_are_kept_and_empty_ones_are_not(tmp_path):
    for part in ("one\n", "two\n"):
        (tmp_path / "worker_0.log").write_text(part)
        # Killed before its first word.
        (tmp_path / "worker_1.log").write_text("")
        workers.keep_logs(tmp_path, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["worker_0.until_7.log"]
    assert (tmp_path / "worker_0.until_7.log").read_text() == "one\ntwo\n"
