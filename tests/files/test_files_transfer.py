"""Downloads over several connections, of which any may break, lie, stall or be refused."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy import BODY, BODY_DIGEST, names, page

from tools.files.download import download
from tools.files.partial import Partial
from tools.files.transfer import Http
from tools.files.web import Unavailable

# --- In parallel ---------------------------------------------------------------------------------


def rate(web, **settings):
    """Served so slowly that all connections have work: 1 s on one."""
    page(web, speed=len(BODY), **settings)


def test_parts_arrive_on_connections_of_their_own(web, target, apart):
    rate(web)
    began = time.monotonic()
    apart()
    assert target.read_bytes() == BODY
    assert names(target.parent) == ["weights.bin"]
    assert web.at_once == 4
    assert time.monotonic() - began < 0.7
    first, *ranged = web.requests
    assert first[1] is None and len(ranged) >= 3
    assert all(wanted and condition == '"one"' for _, wanted, condition in ranged)
    # What a connection sends on until it is cut lies in buffers.
    assert web.sent < 1.3 * len(BODY)


@pytest.mark.parametrize(
    "settings", [{"ranges": False}, {"etag": None}, {"length": False}, {"ranges": "wrong"}]
)
def test_one_stream_where_parts_cannot_be_had(web, target, apart, settings):
    page(web, speed=4 * len(BODY), **settings)
    apart()
    assert target.read_bytes() == BODY
    assert web.sent < 1.6 * len(BODY)


def test_parts_without_a_version_where_a_digest_will_judge(web, target, apart):
    rate(web, etag=None)
    apart(sha256=BODY_DIGEST)
    assert target.read_bytes() == BODY
    assert web.at_once == 4


def test_small_files_are_worth_one_connection(web, target, fetch):
    page(web)
    fetch(parts=4, least=len(BODY) // 2 + 1)
    assert len(web.requests) == 1


def test_every_part_goes_on_after_drops(web, target, apart):
    rate(web, drops=[200_000, 0, 50_000, 1, 70_000, 300_000, 10_000])
    apart()
    assert target.read_bytes() == BODY
    assert web.sent < 1.3 * len(BODY)


def test_busy_for_all_but_two(web, target, apart):
    """Connections that are refused leave; their work falls to the others."""
    rate(web, limit=2)
    apart(attempts=2)
    assert target.read_bytes() == BODY
    assert web.sent < 1.3 * len(BODY)


def test_parts_go_on_in_a_later_run(web, target, apart):
    rate(web, statuses=[200] * 4 + [404] * 99, drops=[300_000] * 4)
    with pytest.raises(Unavailable, match="404"):
        apart()
    record = json.loads(target.with_name("weights.bin.part.json").read_text())
    missing = sum(end - first for first, end in record["missing"])
    assert len(record["missing"]) == 4
    assert missing == len(BODY) - 4 * 300_000
    page(web)
    sent = web.sent
    apart()
    assert target.read_bytes() == BODY
    assert web.sent - sent == missing


@pytest.mark.parametrize("honest", [True, False])
def test_versions_are_never_mixed(web, target, apart, honest):
    """The file changes while its parts arrive, on a server that heeds If-Range and on one not."""
    rate(web, honest=honest)
    real = web._answer

    def answer(handler):
        if len(web.requests) == 2:
            page(web, body=BODY[::-1], etag='"two"', honest=honest)
        real(handler)

    web._answer = answer
    apart()
    assert target.read_bytes() == BODY[::-1]


def test_a_file_that_keeps_changing_is_given_up(web, target, apart):
    rate(web)
    real, count = web._answer, iter(range(999))

    def answer(handler):
        web.pages["/weights.bin"].etag = f'"{next(count)}"'
        real(handler)

    web._answer = answer
    with pytest.raises(Unavailable, match="keeps changing"):
        apart(attempts=3)
    assert names(target.parent) == []


# --- Slow and silent lines -----------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 4])
def test_a_silent_line_is_cut_and_made_anew(web, target, apart, parts):
    page(web, stalls=[400_000])
    apart(parts=parts, timeout=0.3)
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


def test_ctrl_c_keeps_what_has_arrived(web, target, apart, monkeypatch):
    rate(web)
    real = Partial.write

    def write(self, span, data):
        if threading.current_thread() is threading.main_thread() and self.arrived > 10**6:
            raise KeyboardInterrupt
        return real(self, span, data)

    monkeypatch.setattr(Partial, "write", write)
    with pytest.raises(KeyboardInterrupt):
        apart()
    monkeypatch.undo()
    sent = web.sent
    page(web)
    apart()
    assert target.read_bytes() == BODY
    assert web.sent - sent < len(BODY) - 10**6 + (1 << 18)


@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_breaks_the_file_is_right(web, target, data):
    """Any drops, busy answers and number of parts: the file is right or it is not there."""
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
    http = Http(parts=data.draw(st.integers(1, 5)), least=64, pause=0, timeout=5)
    try:
        download(f"{web.url}/weights.bin", target, http=http)
    except Unavailable:
        assert not target.exists()
    else:
        assert target.read_bytes() == body
