"""One line of the doctor's: what was checked, the verdict, what was found, and the remedy."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

# A fault makes `make all` fail; a warning does not, nor does what was not looked at.
OK, WARNING, FAULT, SKIPPED = "ok", "warning", "fault", "skipped"


class Line(NamedTuple):
    """found and needed: in words, with units; remedy: what to do where the verdict is not ok."""

    check: str
    verdict: str
    found: str
    needed: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.verdict:<8} {self.check:<9} {self.found}"
        text += f"; needs {self.needed}" if self.needed else ""
        text += f"; {self.remedy}" if self.remedy else ""
        return text.replace("\n", " ")

    def as_json(self) -> Dict[str, Any]:
        """The same, by name."""
        return self._asdict()


def fine(check: str, found: str, needed: str = "") -> Line:
    return Line(check, OK, found, needed)


def warn(check: str, found: str, needed: str, remedy: str) -> Line:
    return Line(check, WARNING, found, needed, remedy)


def fail(check: str, found: str, needed: str, remedy: str) -> Line:
    return Line(check, FAULT, found, needed, remedy)


def skip(check: str, found: str) -> Line:
    return Line(check, SKIPPED, found)
