"""A published adapter: PEFT's folder with a run.json that says what it holds, over which base."""

from __future__ import annotations

from pathlib import Path

from tools.files.errors import UserError
from tools.files.hashing import check_content, content_of
from tools.settings.resolve import read_resolved

RUN = "run.json"


def check_published(folder: Path, base: Path) -> None:
    """Raise UserError where a file of `folder`, or the base, is not what its run.json says.

    base   checkpoint of the base weights

    A folder without run.json, as PEFT itself writes it, promises nothing and is not checked.
    """
    if not (folder / RUN).exists():
        return
    told = read_resolved(folder / RUN, ["files", "base"])
    try:
        files = {name: (said["bytes"], said["sha256"]) for name, said in told["files"].items()}
        wanted, profile = told["base"]["sha256"], told["base"]["profile"]
    except (AttributeError, KeyError, TypeError) as error:
        what = "does not say what was published"
        raise UserError(what, folder / RUN, "take it from the repository again") from error
    for name, (size, sha256) in files.items():
        remedy = "take the published file from the repository again"
        if not (folder / name).is_file():
            raise UserError("no such file", folder / name, remedy)
        check_content(content_of(folder / name), size, sha256, folder / name, remedy)
    found = content_of(base).sha256
    if found != wanted:
        what = f"is another base (sha256 {found}) than {folder / RUN} says ({wanted})"
        raise UserError(what, base, f"make it with PROFILE={profile}")
