"""The submission: one folder and one zip of it, made from a run and the project's files."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Union

from tools.files.atomic import atomic_path, write_json
from tools.files.errors import CheckFailed, UserError
from tools.files.hashing import content_of
from tools.files.outputs import require_space
from tools.files.progress import format_bytes, progress
from tools.packaging import layout
from tools.packaging.facts import Facts, gather
from tools.packaging.inspection import check_submission
from tools.packaging.manifest import make_manifest
from tools.packaging.page import own_words, render_markdown
from tools.packaging.provenance import ROOT
from tools.scoring.scores import squad_from_predictions

# Zips know no time before 1980; one fixed time makes the same files the same zip.
_TIME = (1980, 1, 1, 0, 0, 0)
# What deflate cannot make smaller, and graders want to read at once.
_STORED = (".ckpt", ".png", ".safetensors")
_URL = re.compile(r"https?://[^\s/@]+(/[^\s]*)?")


class Submission(NamedTuple):
    """What was made; `files` counts those in the folder, the manifest included."""

    folder: Path
    archive: Path
    files: int
    bytes: int
    sha256: str


def build_submission(
    run: Union[str, Path],
    team: str,
    output: Union[str, Path],
    weights_url: Optional[str] = None,
    root: Path = ROOT,
) -> Submission:
    """Make OUTPUT/TEAM/ and OUTPUT/TEAM.zip from a run whose report is written.

    weights_url  where the merged weights can be had: then weights/weights.json names the link,
                 size and sha256, and the weights themselves are left out.
    root         the project's checkout, whose source goes in.

    The package is checked before it appears: what `tools.check submission` would refuse is
    CheckFailed, and neither folder nor zip is touched. The same run gives the same bytes.
    """
    run, output = Path(run), Path(output)
    layout.check_team(team)
    if weights_url is not None and not _URL.fullmatch(weights_url):
        raise UserError(f"{weights_url!r} is not a link", "--weights-url", "give http(s)://…")
    facts = gather(run)
    files = layout.run_files(run, facts.best, [item.number for item in facts.checkpoints])
    files.update(layout.source_files(root))
    _require_current_report(run, facts)
    model = run / "merged" / str(facts.best) / "model.ckpt"
    if not model.is_file():
        raise UserError("no such file", model, "merge again (make merge)")
    if weights_url is None:
        files[layout.WEIGHTS] = model
    output.mkdir(parents=True, exist_ok=True)
    # Once in the folder, and once in the zip, where weights do not get smaller.
    require_space(output, 2 * sum(path.stat().st_size for path in files.values()))
    archive = output / f"{team}.zip"
    with atomic_path(archive) as zip_path, atomic_path(output / team) as folder:
        _copy(files, folder)
        for name, target in layout.SQUAD_LOGS.items():
            rows = _squad_rows(run, facts, name)
            squad_from_predictions(rows, folder / target)
        if weights_url is not None:
            content = content_of(model)
            link = {"url": weights_url, "bytes": content.bytes, "sha256": content.sha256}
            write_json(folder / layout.LINK, link)
        # Written last: a folder that has it is complete.
        write_json(folder / layout.MANIFEST, make_manifest(folder, team, facts.run, root))
        faults = check_submission(folder)
        if faults:
            what = f"the package would be refused: {'; '.join(faults)}"
            raise CheckFailed(what, run, "correct what is named and make it again")
        count = _zip(folder, zip_path, team)
        content = content_of(zip_path)
    return Submission(output / team, archive, count, content.bytes, content.sha256)


def _require_current_report(run: Path, facts: Facts) -> None:
    """Every figure of the report must be that of a file handed in beside it."""
    path = run / "report" / "report.md"
    if path.read_text(encoding="utf-8") != render_markdown(facts, own_words()):
        raise UserError("not the report of this run as it stands", path, "make report")


def _squad_rows(run: Path, facts: Facts, name: str) -> Path:
    folder = run / "baseline" if name == "baseline" else run / "evaluate" / str(facts.best)
    if not (folder / "squad.jsonl").is_file():
        raise UserError("no such file", folder / "squad.jsonl", "make evaluate")
    return folder / "squad.jsonl"


def _copy(files: Dict[str, Path], folder: Path) -> None:
    with progress("collect", sum(path.stat().st_size for path in files.values()), "B") as bar:
        for name, source in sorted(files.items()):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            bar.advance(target.stat().st_size)


def _zip(folder: Path, target: Path, team: str) -> int:
    """Write the files of `folder` under `team`/ in sorted order; return how many."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    with zipfile.ZipFile(target, "w") as archive, progress("zip", unit="B") as bar:
        bar.total = sum((folder / name).stat().st_size for name in names)
        for name in names:
            source = folder / name
            info = zipfile.ZipInfo(f"{team}/{name}", _TIME)
            stored = source.suffix in _STORED
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, wherever it is made
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            # Known beforehand, the size decides on its own whether 64-bit fields are needed.
            info.file_size = source.stat().st_size
            with source.open("rb") as reader, archive.open(info, "w") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
            bar.advance(info.file_size)
    return len(names)


def describe(submission: Submission) -> str:
    """One line on what was made."""
    size = format_bytes(submission.bytes)
    return f"{submission.archive}: {submission.files} files, {size}, sha256 {submission.sha256}"
