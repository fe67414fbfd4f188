"""One function over many batches, on all cores, the results in order."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Deque, Optional, Tuple, TypeVar

from tools.files.errors import UserError
from tools.files.processes import die_with_parent

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def ordered_map(
    function: Callable[[Batch], Result],
    batches: Iterable[Batch],
    prepare: Optional[Callable[..., None]] = None,
    arguments: Tuple = (),
    workers: Optional[int] = None,
    ahead: Optional[int] = None,
    meanwhile: Optional[Callable[[], object]] = None,
) -> Iterator[Result]:
    """Yield function(batch) for each batch, in order.

    function, prepare   functions of a module: they are called in other processes. `prepare` is
                        called first, with `arguments`, in each of them.
    workers             processes; by default one a core.
    ahead               batches under way at most, so that memory does not grow with the input; by
                        default two a worker.
    meanwhile           called once while other processes, if any, are at the first batches.

    One batch alone, or one worker, is done in this process. An exception of `function` is raised
    here; a process that is killed is a UserError. Ctrl-C is left to this process, and the others
    do not outlive it (on Linux).
    """
    workers = cores() if workers is None else workers
    batches = iter(batches)
    head = list(itertools.islice(batches, 2))
    batches = itertools.chain(head, batches)
    if workers < 2 or len(head) < 2:
        if prepare is not None:
            prepare(*arguments)
        yield from map(function, batches)
        return
    # Not fork: libraries with threads of their own (MindSpore, tokenizers) do not survive it.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start, (prepare, arguments))
    most = 2 * workers if ahead is None else ahead
    under_way: Deque[Future] = deque()
    try:
        for batch in itertools.islice(batches, most):
            under_way.append(pool.submit(function, batch))
        if meanwhile is not None:
            meanwhile()
        while under_way:
            result = under_way.popleft().result()
            for batch in itertools.islice(batches, 1):
                under_way.append(pool.submit(function, batch))
            yield result
    except BrokenProcessPool as error:
        raise UserError(
            "one of its processes was killed", None, "free some memory and run it again"
        ) from error
    finally:
        # Not one by one: before Python 3.11 a pool may wait for ever for those cancelled so.
        pool.shutdown(wait=True, cancel_futures=True)


def _start(prepare: Optional[Callable[..., None]], arguments: Tuple) -> None:
    # A terminal sends Ctrl-C to all of its processes; this one is told by the parent to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not by the end of a pipe: the others hold its other end as well.
    die_with_parent(signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it ended before it was asked
        os._exit(1)
    if prepare is not None:
        prepare(*arguments)
