"""MANIFEST.json: every file of a submission with its size and sha256, and where it comes from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Optional

from pydantic import Field, ValidationError

from tools.files.hashing import content_of
from tools.packaging.provenance import ROOT, commit_of
from tools.settings.lines import Settings

FORMAT = 1
_SHA256 = r"^[0-9a-f]{64}$"


class FileEntry(Settings):
    """One file."""

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)


class Manifest(Settings):
    """`lock_sha256` is that of requirements/cpu.txt, `commit` that of the project's checkout."""

    format: int = Field(ge=FORMAT, le=FORMAT)
    team: str = Field(min_length=1)
    run: str = Field(min_length=1)
    commit: Optional[str] = Field(pattern=r"^[0-9a-f]{40}(-dirty)?$")
    lock_sha256: Optional[str] = Field(pattern=_SHA256)
    files: Dict[str, FileEntry] = Field(min_length=1)


def make_manifest(folder: Path, team: str, run: str, root: Path = ROOT) -> Dict[str, Any]:
    """Describe all files below `folder`, in sorted order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {}
    for path in paths:
        content = content_of(path)
        entry = {"bytes": content.bytes, "sha256": content.sha256}
        files[path.relative_to(folder).as_posix()] = entry
    lock = root / "requirements" / "cpu.txt"
    return {
        "format": FORMAT,
        "team": team,
        "run": run,
        "commit": commit_of(root) if (root / ".git").exists() else None,
        "lock_sha256": content_of(lock).sha256 if lock.is_file() else None,
        "files": dict(sorted(files.items())),
    }


def parse_manifest(text: bytes) -> Manifest:
    """Read a manifest; ValueError with what is wrong in one line."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(step) for step in fault['loc']) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise ValueError(re.sub(r"\s+", " ", "; ".join(faults[:5]))) from error
