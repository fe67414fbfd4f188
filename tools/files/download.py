"""One file over HTTP: resumed after a break, verified, renamed when it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from tools.files.hashing import Content, WrongContent, check_content, content_of
from tools.files.partial import Partial
from tools.files.progress import progress
from tools.files.space import require_space
from tools.files.transfer import ALTERED, Http, Transfer


def download(
    url: str,
    target: Union[str, Path],
    size: Optional[int] = None,
    sha256: Optional[str] = None,
    http: Optional[Http] = None,
) -> Content:
    """Fetch `url` to `target`, which appears only when it is whole and verified.

    What has arrived stands in `target`.part, and beside it a record of what is missing and of the
    version it belongs to; a later call goes on from there if the server still has that version
    (RFC 9110, Range and If-Range). A server without ranges is read in one stream, after a break
    from the beginning again.

    size      expected bytes, None if unknown: then the server's Content-Length must be met.
    sha256    expected digest, None if unknown.
    Raises Unavailable (no network, refused, not there), WrongContent, or OSError (full disk).
    """
    target = Path(target)
    partial = Partial(target, url, anyhow=sha256 is not None)
    if size is not None and partial.total not in (None, size):
        partial.discard()
    if partial.total is not None:
        require_space(target.parent, partial.total - partial.arrived)
    with progress(f"fetch {target.name}", partial.total or size, "B", start=partial.arrived) as bar:
        Transfer(url, partial, size, sha256, http or Http(), bar).run()
    # Read from the disk, not summed up on the way: this is what will be used.
    with progress(f"verify {target.name}", partial.total, "B") as bar:
        found = content_of(partial.path, bar.advance)
    try:
        check_content(found, size, sha256, partial.url, ALTERED)
    except WrongContent:
        partial.discard()
        raise
    partial.move_to(target)
    return found
