"""The workers of a training: started by msrun, watched, ended together."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from tools.files.atomic import write_json
from tools.files.errors import CheckFailed, UserError
from tools.files.processes import killed_with
from tools.files.progress import Bar, progress
from tools.llama.precision import set_matmul_precision

ROOT = Path(__file__).resolve().parents[2]
LOSSES = "loss.csv"
_POLL_SECONDS = 0.5
# A worker that is gone while others run: msrun may be about to say so itself.
_GRACE_SECONDS = 5.0


class Hosts(NamedTuple):
    """The machines of a training, each with as many workers.

    count, rank     how many there are, and which of them this is, from 0
    address, port   where the scheduler, on the first host, listens; port None: a free one
    """

    count: int = 1
    rank: int = 0
    address: str = "127.0.0.1"
    port: Optional[int] = None

    def check(self, workers: int) -> None:
        """UserError where `workers` in all do not fit the hosts, or the port is taken."""
        if workers % self.count or self.rank >= self.count:
            raise UserError(
                f"{workers} workers on {self.count} hosts, this being host {self.rank}",
                "NODES",
                "give a number of workers (CARDS) that the hosts share out evenly, and NODE_RANK "
                "from 0 on",
            )
        if self.count > 1 and self.port is None:
            raise UserError(
                "several hosts need one port to meet at",
                "MASTER_PORT",
                "give the same one on each: MASTER_ADDR=… MASTER_PORT=8118",
            )
        if self.port is not None and self.rank == 0:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("", self.port))
                except OSError as error:
                    raise UserError(
                        f"port {self.port} cannot be used ({error.strerror})",
                        "MASTER_PORT",
                        "choose another, or none to take a free one",
                    ) from error


ALONE = Hosts()


def run_workers(
    job: Dict[str, Any], work: Path, workers: int, hosts: Hosts, steps: int, precision: str
) -> float:
    """Run the workers of this host to their last step; give the seconds that it took.

    job        what the workers are told (`launch` makes it); `local` and `running` are added
    workers    of all hosts
    precision  of their matrix products, as `tools.llama.precision` names it

    Raises CheckFailed, naming the rank and the end of its log, where one fails; the others are
    ended first.
    """
    local = workers // hosts.count
    running = work / "running"
    running.mkdir(exist_ok=True)
    for mark in running.iterdir():
        mark.unlink()
    write_json(work / "job.json", {**job, "local": local, "running": str(running)})
    started = time.time()
    with (work / "logs" / "msrun.log").open("wb") as log:
        process = subprocess.Popen(
            _command(work, workers, hosts),
            cwd=work,
            env=_environment(local, precision, work / "home"),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=killed_with(os.getpid()),
        )
        lost = None
        try:
            lost = _watch(process, work, steps)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    done = last_line(work / LOSSES)
    if lost is not None or process.returncode != 0 or done is None or int(done["step"]) != steps:
        raise CheckFailed(
            why_it_failed(work, lost),
            f"step {done['step']}" if done else None,
            f"the whole logs are in {work / 'logs'}",
        )
    return time.time() - started


def _command(work: Path, workers: int, hosts: Hosts) -> List[str]:
    return [
        str(Path(sys.executable).parent / "msrun"),
        f"--worker_num={workers}",
        f"--local_worker_num={workers // hosts.count}",
        f"--node_rank={hosts.rank}",
        f"--master_addr={hosts.address}",
        f"--master_port={hosts.port or _free_port()}",
        f"--log_dir={work / 'logs'}",
        "--join=True",
        "--cluster_time_out=300",
        str(ROOT / "tools" / "training" / "worker.py"),
        str(work / "job.json"),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment(workers: int, precision: str, home: Path) -> Dict[str, str]:
    # MindPet, which MindFormers imports, refuses to work where HOME is unset or another user's:
    # containers without a home, sudo -E, a mounted home.
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home)}
    set_matmul_precision(environment, precision)
    # The workers run in their own folder, since MindSpore writes beside itself.
    # What the user put on it stays: the contest's MindFormers is a folder there.
    path = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    # msrun starts whatever `python` comes first.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # Kernels allocate index vectors of megabytes at every call; glibc would map and unmap, and
    # the kernel clear, each of them: 60 % of the first step's time was page clearing.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 34))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 34))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    return environment


def _watch(process: subprocess.Popen, work: Path, steps: int) -> Optional[int]:
    """Show steps as they come; give the rank of a worker that is gone while msrun waits on."""
    before = last_line(work / LOSSES)
    start = int(before["step"]) if before else 0
    missed: Dict[int, float] = {}
    # The first step of this process waits for the graph.
    with progress("finetune: graph", steps, "steps", start=start, warm_up=1) as bar:
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
            _show(bar, last_line(work / LOSSES))
            for rank in _gone(work / "running"):
                if time.monotonic() - missed.setdefault(rank, time.monotonic()) > _GRACE_SECONDS:
                    return rank
        _show(bar, last_line(work / LOSSES))
    return None


def _show(bar: Bar, line: Optional[Dict[str, str]]) -> None:
    if line is not None and int(line["step"]) != bar.done:
        loss, rate = float(line["loss"]), float(line["learning_rate"])
        bar.label = f"finetune: loss {loss:.4f}, learning rate {rate:.2e}"
        bar.reach(int(line["step"]))


def _gone(running: Path) -> List[int]:
    """Ranks whose worker has ended without taking away its mark."""
    return [int(mark.name) for mark in running.iterdir() if not _is_alive(mark)]


def _is_alive(mark: Path) -> bool:
    try:
        text = mark.read_text()
        # A worker that msrun has not waited for is a zombie, Z.
        state = Path(f"/proc/{text}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return not mark.exists()
    return not text or state[0] not in "ZX"


def last_line(path: Path) -> Optional[Dict[str, str]]:
    """Give the last whole line of loss.csv by its header's names; None where there is none."""
    if not path.is_file():
        return None
    lines = path.read_text("utf-8").rpartition("\n")[0].splitlines()
    return next(iter(csv.DictReader([lines[0], lines[-1]])), None) if len(lines) > 1 else None


def keep_logs(logs: Path, step: int) -> None:
    """Set the logs of a training that was cut short after `step` apart, for the next part's.

    The rules ask for the whole log of a training. A worker killed before its first word leaves an
    empty one, which tells nothing and would be taken for a lost one.
    """
    for path in logs.glob("*.log"):
        if ".until_" not in path.name:
            with path.with_name(f"{path.stem}.until_{step}.log").open("ab") as kept:
                kept.write(path.read_bytes())
            path.unlink()
    for path in logs.glob("*.until_*.log"):
        if not path.stat().st_size:
            path.unlink()


# A Python traceback's last line, or what MindPet logs of an exception before it ends the process.
_ERROR = re.compile(r"^([A-Za-z.]*(Error|Exception)\b|ERROR:\w*:An <class )")


def why_it_failed(work: Path, lost: Optional[int] = None) -> str:
    """Give the rank that failed first and the last error line of its log."""
    logs = sorted((work / "logs").glob("worker_*.log"), key=lambda path: path.stat().st_mtime)
    for log in logs:
        lines = log.read_text("utf-8", errors="replace").splitlines()
        errors = [i for i, line in enumerate(lines) if _ERROR.match(line)]
        if errors:
            # MindSpore puts the reason on the lines below the class of the error.
            told = " ".join(line for line in lines[errors[-1] :][:6] if line[:1] not in "-[")
            return f"{log.stem} failed: {' '.join(told.split())[:300]}"
    if lost is None:
        return "the training ended before its last step"
    log = work / "logs" / f"worker_{lost}.log"
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.is_file() else []
    end = f"; its log ends with: {lines[-1].strip()[-200:]}" if lines else ""
    return f"worker {lost} was killed{end}"
