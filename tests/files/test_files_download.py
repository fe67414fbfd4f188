"""Downloads that break off, change, lie, lack ranges or do not exist."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import resource
import shutil

import pytest
from toy import BODY, BODY_DIGEST, names, page

from tools.files.download import Http, download
from tools.files.errors import UserError
from tools.files.hashing import WrongContent
from tools.files.web import Unavailable


@pytest.mark.parametrize("known", [{}, {"size": len(BODY), "sha256": BODY_DIGEST}])
def test_whole_file(web, target, fetch, known):
    page(web)
    found = fetch(**known)
    assert (found.bytes, found.sha256) == (len(BODY), BODY_DIGEST)
    assert target.read_bytes() == BODY
    assert names(target.parent) == ["weights.bin"]


@pytest.mark.parametrize("known", [{}, {"size": len(BODY), "sha256": BODY_DIGEST}])
def test_goes_on_after_each_break(web, target, fetch, known):
    page(web, drops=[100_000, 0, 1_200_000])
    fetch(**known)
    assert target.read_bytes() == BODY
    ranges = [wanted for _, wanted, _ in web.requests]
    last = len(BODY) - 1
    assert ranges == [None, *(f"bytes={at}-{last}" for at in (100_000, 100_000, 1_300_000))]
    assert {condition for _, _, condition in web.requests[1:]} == {'"one"'}


def test_goes_on_in_a_later_run(web, target, fetch):
    page(web, drops=[50_000])
    with pytest.raises(Unavailable, match="broke off"):
        fetch(attempts=1)
    assert names(target.parent) == ["weights.bin.part", "weights.bin.part.json"]
    fetch()
    assert target.read_bytes() == BODY
    assert web.requests[-1][1:] == (f"bytes=50000-{len(BODY) - 1}", '"one"')
    assert names(target.parent) == ["weights.bin"]


def test_begins_anew_when_the_file_changed_meanwhile(web, target, fetch):
    page(web, drops=[50_000])
    with pytest.raises(Unavailable):
        fetch(attempts=1)
    page(web, body=BODY[::-1], etag='"two"')
    fetch()
    assert target.read_bytes() == BODY[::-1]


def test_begins_anew_when_the_file_became_shorter(web, target, fetch):
    page(web, drops=[50_000], etag=None)
    with pytest.raises(Unavailable):
        fetch(attempts=1, sha256=hashlib.sha256(b"short").hexdigest())
    page(web, body=b"short", etag=None)
    fetch(sha256=hashlib.sha256(b"short").hexdigest())
    assert target.read_bytes() == b"short"


def test_begins_anew_without_validator_and_digest(web, target, fetch):
    page(web, drops=[50_000], etag=None)
    with pytest.raises(Unavailable):
        fetch(attempts=1)
    fetch()
    assert web.requests[-1][1] is None
    assert target.read_bytes() == BODY


def test_weak_etag_is_no_condition(web, target, fetch):
    page(web, drops=[50_000], etag='W/"one"')
    fetch(sha256=BODY_DIGEST)
    assert web.requests[-1][1:] == (f"bytes=50000-{len(BODY) - 1}", None)
    assert target.read_bytes() == BODY


def test_server_without_ranges(web, target, fetch):
    page(web, drops=[50_000, 1_500_000], ranges=False)
    fetch()
    assert target.read_bytes() == BODY


def test_server_without_content_length(web, target, fetch):
    page(web, length=False)
    fetch(size=len(BODY), sha256=BODY_DIGEST)
    assert target.read_bytes() == BODY


def test_whole_part_needs_no_request(web, target, fetch):
    page(web, body=BODY[:-1] + b"!")
    with pytest.raises(WrongContent):
        fetch(sha256=BODY_DIGEST)
    target.with_name("weights.bin.part").write_bytes(BODY)
    record = {"url": f"{web.url}/weights.bin", "validator": None, "total": len(BODY)}
    target.with_name("weights.bin.part.json").write_text(json.dumps(record))
    web.requests.clear()
    fetch(size=len(BODY), sha256=BODY_DIGEST)
    assert web.requests == []
    assert target.read_bytes() == BODY


def test_busy_server_is_asked_again(web, target, fetch):
    page(web, statuses=[503, 429])
    fetch()
    assert len(web.requests) == 3


def test_busy_server_is_given_up(web, target, fetch):
    page(web, statuses=[503] * 9)
    with pytest.raises(Unavailable, match="503, tried 4 times"):
        fetch()
    assert names(target.parent) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_not_retried(web, target, fetch, status):
    page(web, statuses=[status])
    with pytest.raises(Unavailable, match=str(status)) as fault:
        fetch()
    assert fault.value.exit_code == 2
    assert len(web.requests) == 1
    assert names(target.parent) == []


def test_no_server(target):
    with pytest.raises(Unavailable, match="cannot be reached"):
        download("http://127.0.0.1:9/weights.bin", target, http=Http(pause=0, attempts=2))
    assert names(target.parent) == []


@pytest.mark.parametrize("url", ["http://", "nowhere", "http://[bad/weights"])
def test_unusable_url(target, url):
    with pytest.raises(UserError):
        download(url, target, http=Http(pause=0))


def test_altered_file_is_refused_and_removed(web, target, fetch):
    page(web, body=BODY[:-1] + b"!")
    with pytest.raises(UserError, match="altered") as fault:
        fetch(size=len(BODY), sha256=BODY_DIGEST)
    found = hashlib.sha256(BODY[:-1] + b"!").hexdigest()
    assert BODY_DIGEST in str(fault.value) and found in str(fault.value)
    assert "MIRROR" in str(fault.value)
    assert names(target.parent) == []


def test_wrong_size_is_refused_before_the_body(web, target, fetch):
    page(web, body=BODY + b"more")
    with pytest.raises(UserError, match=f"has {len(BODY) + 4} bytes, expected {len(BODY)}"):
        fetch(size=len(BODY), sha256=BODY_DIGEST)
    assert names(target.parent) == []


def test_web_page_instead_of_file(web, target, fetch):
    page(web, body=b"<html>log in</html>", kind="text/html; charset=utf-8")
    with pytest.raises(Unavailable, match="web page"):
        fetch()


def test_too_little_space_is_said_first(web, target, fetch, monkeypatch):
    page(web)
    usage = shutil.disk_usage(target.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(UserError, match=r"needs 2\.3 MB of disk space, 1\.0 kB is free"):
        fetch()
    assert names(target.parent) == []


@pytest.fixture
def full():
    """Let no file grow beyond so many bytes: EFBIG, as near as a test comes to a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_disk_full_in_the_middle_keeps_what_arrived(web, target, fetch, full):
    page(web)
    full(1_000_000)
    with pytest.raises(OSError) as fault:
        fetch()
    assert fault.value.errno == errno.EFBIG
    assert fault.value.filename.endswith("weights.bin.part")
    assert len(web.requests) == 1
    full(len(BODY))
    fetch()
    assert target.read_bytes() == BODY
    assert web.requests[-1][1] == f"bytes=1000000-{len(BODY) - 1}"


def test_foreign_record_is_no_obstacle(web, target, fetch):
    page(web)
    good = {"url": f"{web.url}/weights.bin", "validator": '"one"', "total": 10}
    changes = [
        {"url": "x"}, {"validator": ["y"]}, {"validator": None}, {"total": 9}, {"total": "10"},
        {"total": None}, {"total": True}, {"total": -1}, {"total": math.inf}, {"total": [10]},
        {"validator": "one\r\nX: y", "total": 20},
    ]  # fmt: skip
    records = [json.dumps({**good, **change}) for change in changes]
    for record in ('{"url": 3}', "[]", "null", "\x00", "[" * 100_000, *records):
        target.with_name("weights.bin.part").write_bytes(b"some other")
        target.with_name("weights.bin.part.json").write_text(record)
        fetch()
        assert target.read_bytes() == BODY
        target.unlink()


def test_a_range_that_was_not_asked_for(web, target, fetch):
    page(web, ranges="unasked")
    with pytest.raises(Unavailable, match="206 where the whole file was asked for"):
        fetch()
    assert names(target.parent) == []


def test_no_content_is_no_file(web, target, fetch):
    page(web, statuses=[204])
    with pytest.raises(Unavailable, match="204"):
        fetch()
    assert names(target.parent) == []


def test_what_is_encoded_is_taken_where_a_digest_judges_it(web, target, fetch):
    page(web, encoding="gzip")
    with pytest.raises(Unavailable, match=r"encoded \('gzip'\), though asked not to"):
        fetch()
    assert names(target.parent) == []
    fetch(sha256=BODY_DIGEST)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("known", [{}, {"sha256": BODY_DIGEST}])
def test_ranges_shorter_than_asked_for_are_not_the_end(web, target, fetch, known):
    """The first answer does not tell the size, and falls silent; the second tells it."""
    page(web, stalls=[100_000], length=False, most=1_000_000)
    fetch(**known, timeout=0.3)
    assert target.read_bytes() == BODY
    assert len(web.requests) == 4


def test_bytes_of_no_version_are_not_put_together(web, target, fetch):
    """Nothing would notice that the file was changed between two answers."""
    page(web, drops=[100_000], etag=None)
    fetch()
    assert target.read_bytes() == BODY
    assert [wanted for _, wanted, _ in web.requests] == [None, None]


def test_half_a_file_of_unknown_size_does_not_stay(web, target, fetch, full):
    """The next run could not go on from it, and it may be what fills the disk."""
    page(web, length=False)
    full(1_000_000)
    with pytest.raises(OSError, match="File too large"):
        fetch()
    assert names(target.parent) == []
