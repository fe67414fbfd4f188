"""Downloads whose server lies, changes the file, stalls, or is busy."""

from __future__ import annotations

import signal
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy import BODY, BODY_DIGEST, page

from tools.files.download import Http, download
from tools.files.progress import Bar
from tools.files.web import Unavailable

# --- Ranges and versions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, again",
    [
        ({"ranges": False}, 100_000),
        ({"ranges": "wrong"}, 100_000),
        ({"etag": None}, 100_000),
        ({"length": False}, 0),
    ],
)
def test_what_is_sent_again_after_a_break(web, target, fetch, settings, again):
    page(web, drops=[100_000], **settings)
    fetch(size=len(BODY))
    assert target.read_bytes() == BODY
    # Of the wrong range some bytes are sent as well, before the server sees that nobody listens.
    assert web.sent >= len(BODY) + again
    assert web.sent == len(BODY) + again or settings == {"ranges": "wrong"}


def test_ranges_without_a_version_where_a_digest_will_judge(web, target, fetch):
    page(web, drops=[500_000, 1_000_000], etag=None)
    fetch(sha256=BODY_DIGEST)
    assert target.read_bytes() == BODY
    assert web.sent == len(BODY)


@pytest.mark.parametrize("where", ["meanwhile", "in a later run"])
@pytest.mark.parametrize("honest", [True, False])
def test_versions_are_never_mixed(web, target, fetch, honest, where):
    """The file changes after half of it, on a server that heeds If-Range and on one not."""
    page(web, drops=[len(BODY) // 2], honest=honest)
    real = web._answer

    def answer(handler):
        if len(web.requests) == 1:
            page(web, body=BODY[::-1], etag='"two"', honest=honest)
        real(handler)

    web._answer = answer
    if where == "in a later run":
        with pytest.raises(Unavailable):
            fetch(attempts=1)
    fetch()
    assert target.read_bytes() == BODY[::-1]
    assert web.requests[1][1:] == (f"bytes={len(BODY) // 2}-{len(BODY) - 1}", '"one"')


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_that_keeps_changing_is_given_up(web, target, fetch, honest):
    page(web, drops=[100_000] * 99, honest=honest)
    real, count = web._answer, iter(range(999))

    def answer(handler):
        web.pages["/weights.bin"].etag = f'"{next(count)}"'
        real(handler)

    web._answer = answer
    with pytest.raises(Unavailable, match="tried 3 times"):
        fetch(attempts=3)
    assert len(web.requests) == 3


def test_what_arrives_counts_only_once(web, target, fetch):
    """A stream that breaks off at the same place again and again does not go on for ever."""
    page(web, drops=[100_000] * 99, ranges=False)
    with pytest.raises(Unavailable, match=r"broke off.*, tried 4 times"):
        fetch()
    assert len(web.requests) == 4


# --- Slow and silent lines -----------------------------------------------------------------------


def test_a_silent_line_is_cut_and_made_anew(web, target, fetch):
    page(web, stalls=[400_000])
    fetch(timeout=0.3)
    assert target.read_bytes() == BODY
    assert web.sent < 1.6 * len(BODY)


def test_a_line_that_trickles_is_cut_and_made_anew(web, target, fetch):
    """Silence never lasts as long as the timeout, and still next to nothing comes."""
    page(web, speed=400, chunk=20)
    with pytest.raises(Unavailable, match="too slow"):
        fetch(timeout=0.2, attempts=1)


def test_retry_after_is_waited_for(web, target, fetch):
    page(web, statuses=[(503, 1)])
    began = time.monotonic()
    fetch()
    assert time.monotonic() - began >= 1
    assert len(web.requests) == 2


def test_an_hour_is_not_waited_for(web, target, fetch):
    page(web, statuses=[(503, 3600)])
    with pytest.raises(Unavailable, match="to be asked again in 3600 s"):
        fetch()
    assert len(web.requests) == 1


def test_ctrl_c_keeps_what_has_arrived(web, target, fetch, monkeypatch):
    page(web)
    real = Bar.reach

    def reach(self, done):
        real(self, done)
        if done > 10**6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bar, "reach", reach)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    monkeypatch.undo()
    arrived = target.with_name("weights.bin.part").stat().st_size
    assert arrived > 10**6
    fetch()
    assert target.read_bytes() == BODY
    assert web.requests[-1][1] == f"bytes={arrived}-{len(BODY) - 1}"


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_breaks_the_file_is_right(web, target, data):
    """Any drops and busy answers: the file is right or it is not there."""
    body = data.draw(st.binary(max_size=400)) * 40
    page(
        web,
        body=body,
        drops=data.draw(st.lists(st.integers(0, 9000), max_size=8)),
        statuses=data.draw(st.lists(st.sampled_from([200, 200, 503, 404]), max_size=8)),
        ranges=data.draw(st.sampled_from([True, True, False, "wrong"])),
        honest=data.draw(st.booleans()),
    )
    target.unlink(missing_ok=True)
    http = Http(pause=0, timeout=5)
    try:
        download(f"{web.url}/weights.bin", target, http=http)
    except Unavailable:
        assert not target.exists()
    else:
        assert target.read_bytes() == body
