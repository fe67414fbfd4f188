"""What pip would ask, and whether it answers: only the heads of replies are read."""

from __future__ import annotations

import ast
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Dict, Iterable, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tools.files.web import make_request, without_password
from tools.machine.interpreters import run_quietly

PYPI = "https://pypi.org/simple"
SECONDS = 5.0
REACHED, REFUSED, SILENT = "reached", "refused", "silent"
MISTRUSTED, UNKNOWN = "mistrusted", "unknown"


class Index(NamedTuple):
    """Where pip looks. others: further indexes and folders of wheels, which may serve instead."""

    url: str = PYPI
    others: Tuple[str, ...] = ()
    proxy: Optional[str] = None
    certificates: Optional[str] = None
    asked: bool = True  # False: pip is told to use no index


DEFAULT = Index()


class Reply(NamedTuple):
    """What came of one request.

    where     the address, without user name and password
    outcome   reached; refused: it answers with an error; silent: it cannot be reached;
              mistrusted: its certificate is not accepted; unknown: this Python cannot tell
    what      the fault, as a phrase
    skew      seconds by which this machine's clock is ahead of the server's, if it tells its own
    """

    where: str
    outcome: str
    what: str = ""
    skew: Optional[float] = None


def pip_index(python: str, environment: Mapping[str, str]) -> Index:
    """What the pip of `python` is set to, files and environment; without a pip, the environment."""
    settings: Dict[str, str] = {}
    output = run_quietly([python, "-m", "pip", "config", "list"])
    # Each of these is stronger than those before it, whatever the order in pip's list.
    for section in ("global", "install", ":env:"):
        for line in (output or "").splitlines():
            found = re.fullmatch(rf"{re.escape(section)}\.([a-z-]+)=(['\"].*)", line.strip())
            if found:
                settings[found[1]] = _literal(found[2])
    for name, value in environment.items():
        if name.startswith("PIP_"):
            settings[name[len("PIP_") :].lower().replace("_", "-")] = value
    others = f"{settings.get('extra-index-url', '')} {settings.get('find-links', '')}".split()
    others = [without_password(other) for other in others]  # they are only shown
    return Index(
        url=settings.get("index-url") or PYPI,
        others=tuple(others),
        proxy=settings.get("proxy") or None,
        certificates=settings.get("cert") or None,
        asked=settings.get("no-index", "").lower() not in ("1", "true", "yes", "on"),
    )


def package_page(index: Index, package: str) -> str:
    """The address of one package in an index (PEP 503)."""
    name = re.sub(r"[-_.]+", "-", package.partition("==")[0]).lower()
    return f"{index.url.rstrip('/')}/{name}/"


def ask_all(
    urls: Iterable[str], index: Index = DEFAULT, seconds: float = SECONDS
) -> Dict[str, Reply]:
    """The reply of each address, asked for at the same time."""
    urls = list(dict.fromkeys(urls))
    if not urls:
        return {}
    with ThreadPoolExecutor(len(urls)) as pool:
        return dict(zip(urls, pool.map(lambda url: ask(url, index, seconds), urls)))


def ask(url: str, index: Index = DEFAULT, seconds: float = SECONDS) -> Reply:
    """Ask for `url` and read the head of the reply; never raises."""
    try:
        request = make_request(url)
        where = without_password(url)
    except ValueError as error:
        return Reply(without_password(url), SILENT, f"it is no address ({error})")
    if where.startswith("file:"):
        there = Path(url2pathname(urlsplit(where).path)).exists()
        return Reply(where, REACHED) if there else Reply(where, REFUSED, "there is no such folder")
    try:
        context = ssl.create_default_context(cafile=index.certificates)
    except OSError:
        return Reply(where, MISTRUSTED, f"the certificates {index.certificates} cannot be read")
    try:
        with _opener(index, context).open(request, timeout=seconds) as response:
            return Reply(where, REACHED, "", _skew(response.headers))
    except urllib.error.HTTPError as error:
        error.close()
        return Reply(where, REFUSED, f"it answers {error.code}", _skew(error.headers))
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason: Any = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            what = f"its certificate is not accepted ({reason.verify_message})"
            # pip brings certificates of its own; a Python that has none cannot judge for it.
            judges = index.certificates or _has_certificates(context)
            skew = _unverified_skew(request, index, seconds)
            return Reply(where, MISTRUSTED if judges else UNKNOWN, what, skew)
        return Reply(where, SILENT, _phrase(reason, seconds))
    except Exception as error:  # http.client's many, on replies that are none
        return Reply(where, REFUSED, f"its reply is not understood ({type(error).__name__})")


def _opener(index: Index, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    handlers: list = [urllib.request.HTTPSHandler(context=context)]
    if index.proxy:
        handlers.append(urllib.request.ProxyHandler({"http": index.proxy, "https": index.proxy}))
    return urllib.request.build_opener(*handlers)


def _unverified_skew(
    request: urllib.request.Request, index: Index, seconds: float
) -> Optional[float]:
    """The server's clock although its certificate is refused, since a wrong clock refuses all.

    Nothing but the Date of the reply is used, and no password is sent.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    bare = urllib.request.Request(request.full_url, headers=dict(request.headers))
    try:
        with _opener(index, context).open(bare, timeout=seconds) as response:
            return _skew(response.headers)
    except Exception:
        return None


def _has_certificates(context: ssl.SSLContext) -> bool:
    # A folder of certificates is read only when one of it is wanted.
    return bool(context.cert_store_stats()["x509_ca"] or ssl.get_default_verify_paths().capath)


def _skew(headers: Any) -> Optional[float]:
    """This clock minus that of a Date header, to the second; a cache adds how old its reply is."""
    try:
        date = parsedate_to_datetime(headers.get("Date")).timestamp()
    except (TypeError, ValueError, OverflowError, AttributeError):
        return None
    age = str(headers.get("Age") or "")
    return time.time() - date - (int(age) if age.isascii() and age.isdigit() else 0)


def _phrase(reason: Any, seconds: float) -> str:
    if isinstance(reason, socket.gaierror):
        return "its name is not known (DNS)"
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return f"no answer within {seconds:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror[:1].lower() + reason.strerror[1:]
    return str(reason)[:120] or "it cannot be reached"


def _literal(text: str) -> str:
    # pip prints values as Python writes strings; literal_eval reads constants, it runs nothing.
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text.strip("'\"")


def least_skew(replies: Sequence[Reply]) -> Optional[float]:
    """The skew nearest to none: one server with a wrong clock does not accuse this machine."""
    skews = [reply.skew for reply in replies if reply.skew is not None]
    return min(skews, key=abs) if skews else None
