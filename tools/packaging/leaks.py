"""What must not leave a machine: its absolute paths, and secrets."""

from __future__ import annotations

import re
from typing import Iterable, Iterator, List, NamedTuple, Tuple


class Leak(NamedTuple):
    """A find in a text, `line` counted from 1; a secret's text is never repeated in full."""

    line: int
    what: str


# Well-known folders count alone, anything else from two names on: `km/h`, `</b>` and `5/6` are
# no paths. In URLs the path stands behind a host's letters and is not met; "#/definitions/x" is a
# place within a JSON Schema.
_ROOTS = "home|root|Users|mnt|media|tmp|opt|usr|var|etc|data|cache|work|workspace|srv|run|dev|proc"
_NAME = r"[A-Za-z0-9_.][\w.+-]*"
_PATH = re.compile(
    rf"(?<![\w./~$}}\])*<-])(?<!\"#)(?:/(?:{_ROOTS})(?![\w.-])(?:/[\w.+-]+)*|(?:/{_NAME}){{2,}}"
    r"|[A-Za-z]:\\[\w\\.+-]+|~/[\w.+-]+)"
)
# Those name a person.
_HOME = re.compile(r"(?<![\w.])(?:/(?:home|Users)/|/root/|[A-Za-z]:\\Users\\)[\w.-]+")
# An image in a page is base64, in which slashes stand for a value.
_DATA_URI = re.compile(r"data:[\w/.+-]+;base64,[A-Za-z0-9+/=]+")

_SECRETS: Tuple[Tuple[str, re.Pattern], ...] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("an access key of AWS", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a token of GitHub", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})")),
    ("a token of GitLab", re.compile(r"\bglpat-[\w-]{20,}")),
    ("a token of Hugging Face", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("a token of Slack", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a key of an API", re.compile(r"\bsk-(?:[a-z]+-)*[A-Za-z0-9]{32,}")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("a password in a URL", re.compile(r"\b[a-z][a-z0-9+]*://[^\s/:@'\"]+:[^\s/:@'\"]{3,}@")),
    (
        "a password or key",
        # A value that has digits and letters: prose, names and placeholders have not both.
        re.compile(
            r"(?i)(?:passw(?:or)?d|secret|access_?key|secret_?key|api_?key|auth_?token|"
            r"access_?token)[\w-]*[\"']?\s*[:=]\s*[\"']?"
            r"(?=[A-Za-z+/_-]*[0-9])(?=[0-9+/_-]*[A-Za-z])[A-Za-z0-9+/_-]{16,}={0,2}(?![\w(.\[])"
        ),
    ),
)


def absolute_paths(lines: Iterable[str]) -> Iterator[Leak]:
    """Yield the absolute paths of a machine in `lines`, one a line at most."""
    for number, line in enumerate(lines, 1):
        if "/" not in line and "\\" not in line:
            continue
        found = _PATH.search(_DATA_URI.sub("", line))
        if found:
            yield Leak(number, f"absolute path {found[0][:80]}")


def home_folders(lines: Iterable[str]) -> Iterator[Leak]:
    """Yield the folders of users in `lines`, one a line at most: for text that may name others."""
    for number, line in enumerate(lines, 1):
        found = _HOME.search(line)
        if found:
            yield Leak(number, f"home folder {found[0][:80]}")


def secrets(lines: Iterable[str]) -> Iterator[Leak]:
    """Yield what looks like a key, a token or a password in `lines`."""
    for number, line in enumerate(lines, 1):
        yield from (Leak(number, f"holds {name}") for name in _secrets_in(line))


def _secrets_in(line: str) -> List[str]:
    return [name for name, pattern in _SECRETS if pattern.search(line)]
