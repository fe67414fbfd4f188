"""The two ways in which a command refuses: bad input (exit 2) and a check that says no (exit 1)."""

from __future__ import annotations

import errno
import unicodedata
from pathlib import Path
from typing import Optional, Tuple, Union


class UserError(Exception):
    """Input that cannot be used.

    what    the fault, in one sentence without a full stop.
    where   the file, `file:line`, option or variable in which it stands.
    remedy  what the user does about it, in one sentence without a full stop.
    """

    exit_code = 2

    def __init__(
        self, what: str, where: Union[str, Path, None] = None, remedy: Optional[str] = None
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.remedy = what, where, remedy

    def __reduce__(self) -> Tuple[type, Tuple]:
        # Raised in another process, it arrives with all its parts.
        return type(self), (self.what, self.where, self.remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.remedy}" if self.remedy else text


class CheckFailed(UserError):
    """A check was carried out and its answer is no."""

    exit_code = 1


_REMEDIES = {
    errno.ENOSPC: "free some disk space and run the same command again",
    errno.EDQUOT: "free some disk space and run the same command again",
    errno.EACCES: "make it readable and writable for this user, or choose another folder",
    errno.EPERM: "make it readable and writable for this user, or choose another folder",
    errno.EROFS: "choose a folder on a disk that can be written to",
    errno.ENOENT: "check the path",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "a file stands where a folder is needed; remove it or choose another path",
}


def from_os_error(error: OSError) -> UserError:
    """The one-line form of a system error: full disk, missing file, no permission."""
    what = error.strerror or str(error)
    where = error.filename2 or error.filename
    return UserError(what[:1].lower() + what[1:], where, _REMEDIES.get(error.errno or 0))


def visible(text: str) -> str:
    """Return text whose control characters, which names and answers may hold, are escapes."""
    return "".join(
        char if unicodedata.category(char) != "Cc" else repr(char)[1:-1] for char in text
    )
