"""Names of files that lie in a package: safe everywhere, each in a place of its own everywhere."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import PurePosixPath
from typing import Dict, Optional, Set, Tuple

# What file systems allow of one name, and room for the folder that a package is unpacked into.
LONGEST_PART = 255
LONGEST_NAME = 500
_ADDED = (".DS_Store", "Thumbs.db", "desktop.ini")


def name_fault(name: str) -> Optional[str]:
    """What forbids this path inside of an archive, None if nothing does."""
    parts = PurePosixPath(name).parts
    if "\\" in name and "/" in name:
        return "its name has both / and \\: pack it again"
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts or "\0" in name:
        return "its name leads out of the package"
    if "//" in name or "." in name.split("/"):
        return "its name is not in its plain form"
    if not name.isprintable():
        return "its name holds characters that cannot be printed"
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if max(sizes, default=0) > LONGEST_PART or sum(sizes) > LONGEST_NAME:
        return "its name is too long"
    return None


def decoded(info: zipfile.ZipInfo) -> str:
    """Return a zip member's name as the program that packed it meant it.

    Without the flag for UTF-8 (bit 11; APPNOTE.TXT, appendix D) the name should be in cp437. macOS
    writes UTF-8 all the same, Chinese Windows GBK: both are tried first. A name with backslashes
    alone is of a Windows program that keeps its own separators.
    """
    name = info.orig_filename.partition("\0")[0]
    if not info.flag_bits & 0x800:
        raw = name.encode("cp437")
        for encoding in ("utf-8", "gbk"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name if "/" in name else name.replace("\\", "/")


def is_added(name: str) -> bool:
    """Tell whether macOS or Windows put this path beside what a user packs; it holds no data."""
    parts = name.split("/")
    last = parts[-1] or (parts[-2] if len(parts) > 1 else "")
    return "__MACOSX" in parts or last in _ADDED or last.startswith("._")


class Places:
    """The paths met so far, by what a file system that folds case and Unicode makes of them."""

    def __init__(self) -> None:
        self._taken: Dict[str, Tuple[str, bool]] = {}
        self._files: Set[str] = set()

    def take(self, name: str, is_file: bool) -> Optional[str]:
        """Note a path and the folders above it; what forbids it beside the others, or None."""
        above = name.split("/")[:-1]
        folders = ["/".join(above[: depth + 1]) for depth in range(len(above))]
        for path, file in [*((folder, False) for folder in folders), (name, is_file)]:
            spelled, was_file = self._taken.setdefault(folded(path), (path, file))
            if spelled != path:
                return f"differs from {spelled} only in case or in the form of its characters"
            if file != was_file:
                return "stands for a file and for a folder"
            if path == name and is_file and name in self._files:
                return "stands in the zip twice"
        if is_file:
            self._files.add(name)
        return None


def folded(path: str) -> str:
    """The same for all spellings that macOS or Windows would put into one place.

    Unicode's canonical caseless matching (The Unicode Standard, section 3.13, D145).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
