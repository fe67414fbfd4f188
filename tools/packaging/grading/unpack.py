"""A package unpacked into a folder of its own, and the run that it came from, as far as it goes.

Only data is unpacked: of `source/`, which is the team's code, nothing but its words in the report
is written to the disk, let alone run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple, Optional

import yaml

from tools.files.errors import CheckFailed, UserError
from tools.files.progress import progress
from tools.files.space import require_space
from tools.packaging import layout
from tools.packaging.contents import BROKEN, Contents
from tools.packaging.grading.rows import flat
from tools.packaging.manifest import Manifest, parse_manifest
from tools.packaging.names import name_fault
from tools.settings.lines import LARGEST_FILE
from tools.settings.resolve import read_resolved

_SOURCE = "source/"
# Of a JSON or YAML file, which is parsed as a whole.
_LARGEST_DOCUMENT = 8 << 20
_MOST_VALUES = 10_000
_SCORES = re.compile(r"scores/([1-9][0-9]{0,2})\.json")


class Package(NamedTuple):
    """An unpacked package.

    folder       what was unpacked
    run          the same files where a run has them; what was scored is not among them
    manifest     MANIFEST.json
    best         the number of the checkpoint that is handed in
    checkpoints  numbers of all whose scores are claimed, in order
    weights      the merged weights, None where only their link is there
    """

    folder: Path
    run: Path
    manifest: Manifest
    best: int
    checkpoints: List[int]
    weights: Optional[Path]


def unpack(contents: Contents, target: Path) -> List[str]:
    """Write a package's data below `target`, which is new and empty; give the names.

    Raises CheckFailed, naming the file, where the package has a fault (`contents.faults`) or a
    file is damaged or longer than it says, UserError where the disk is too small. What is written
    are plain files, readable and not executable, at names that `contents` has let through.
    """
    if contents.faults:
        raise CheckFailed("; ".join(contents.faults), None, _REMEDY)
    names = [n for n in contents.names if not n.startswith(_SOURCE) or n == layout.METHOD]
    target.mkdir(parents=True)
    total = sum(contents.sizes[name] for name in names)
    require_space(target, total)
    with progress("unpack", total, "B") as bar:
        for name in names:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                # x: an existing file, or a link that stands there, is never written through.
                with path.open("xb") as handle:
                    for chunk in contents.chunks(name):
                        handle.write(chunk)
                        bar.advance(len(chunk))
            except BROKEN as error:
                raise CheckFailed(f"damaged ({error})", name, _REMEDY) from error
    return names


def open_package(folder: Path, run: Path, weights: Optional[Path] = None) -> Package:
    """Take an unpacked package for reading; lay its files out in `run` as a run has them.

    weights   the merged weights, where the package only links them.
    Raises UserError where the manifest or scores/best.json cannot be used.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        document = path.suffix in (".json", ".yaml") and not name.startswith("weights/tokenizer.")
        if document and path.stat().st_size > _LARGEST_DOCUMENT:
            raise UserError(f"larger than {_LARGEST_DOCUMENT} bytes", name, _REMEDY)
        if path.suffix == ".yaml":
            _refuse_explosions(path, name)
    try:
        manifest = parse_manifest((folder / layout.MANIFEST).read_bytes())
    except ValueError as error:
        raise UserError(f"not a manifest ({error})", layout.MANIFEST, _REMEDY) from error
    # A run's name becomes a folder, and the title of its report.
    if "/" in manifest.run or name_fault(manifest.run):
        raise UserError(f"run is {manifest.run!r:.40}, no name", layout.MANIFEST, _REMEDY)
    chosen = read_resolved(folder / layout.BEST, ["checkpoint"])
    numbers = (_SCORES.fullmatch(f"scores/{path.name}") for path in folder.glob("scores/*.json"))
    checkpoints = sorted(int(number[1]) for number in numbers if number)
    best = chosen["checkpoint"]
    if type(best) is not int or best not in checkpoints:
        raise UserError(f"names checkpoint {best!r:.40}, without scores", layout.BEST, _REMEDY)
    run = run / manifest.run
    claimed = {layout.scored_files(name)[0] for name in (layout.BASE, *checkpoints, layout.CHOSEN)}
    pairs = dict(layout.places(best, checkpoints))
    for there, here in layout.FOLDERS.items():
        for found in sorted((folder / there).rglob("*")):
            name = found.relative_to(folder / there).as_posix()
            if found.is_file():
                pairs[f"{there}/{name}"] = f"{here}/{name}"
    for name, place in pairs.items():
        # Scores are claims: those of this run are measured.
        if name not in claimed and (folder / name).is_file():
            link(folder / name, run / place)
    packed = folder / layout.WEIGHTS
    found_weights = packed if packed.is_file() else weights
    if found_weights is not None:
        link(found_weights, run / f"merged/{best}/model.ckpt")
    return Package(folder, run, manifest, best, checkpoints, found_weights)


def _refuse_explosions(path: Path, name: str) -> None:
    """UserError where aliases make more of a YAML file than can be printed."""
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"larger than {LARGEST_FILE} bytes", name, _REMEDY)
    try:
        flat(yaml.safe_load(path.read_text("utf-8")), _MOST_VALUES)
    except yaml.YAMLError:
        return  # whoever reads it says so
    except (ValueError, RecursionError) as error:
        raise UserError(f"not a config ({error})", name, _REMEDY) from error


def link(source: Path, target: Path) -> None:
    """Let `target`, in a folder of ours, lead to `source`: weights are not copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


_REMEDY = "ask the team for a package that `tools.check submission` passes"
