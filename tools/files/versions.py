"""The version of a package, installed or merely on the path."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

_STATED = re.compile(r"""^__version__\s*=\s*["']([^"']+)["']""", re.MULTILINE)


def version_of(package: str) -> Optional[str]:
    """Its version, without importing it; None where there is none.

    The contest's MindFormers is a folder on the path and was never installed: then the version is
    what its source states, with the mark `+source`.
    """
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        spec = find_spec(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        return None
    stated = _STATED.search(Path(spec.origin).read_text("utf-8"))
    return f"{stated[1] if stated else 'unknown'}+source"
