"""What the tests of downloads and of fetching share: some bytes, and how a folder should look."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

# A file to download: 2.3 MB, more than two chunks.
BODY = bytes(range(256)) * 9000
BODY_DIGEST = hashlib.sha256(BODY).hexdigest()
# An artefact, alone or in a wheel.
DATA = b"GGUF" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
GONE = "http://127.0.0.1:9/model.gguf"
WHOLE = [".lock", "fetched.json", "model.gguf"]


def names(folder: Path) -> list[str]:
    """All that is in a folder, and below it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def is_whole(output: Path) -> bool:
    """Whether a folder holds the artefact and nothing else."""
    line = json.loads((output / "fetched.json").read_text())["artifacts"][0]
    content = (line["file"], line["bytes"], line["sha256"], line["verified"])
    return names(output) == WHOLE and content == ("model.gguf", len(DATA), DIGEST, True)


def page(web, body=BODY, **settings):
    """Serve the file to download."""
    web.serve("/weights.bin", body, **settings)
