"""A package unpacked into a folder of its own, and the run that it came from, as far as it goes.

Only data is unpacked: of `source/`, which is the team's code, nothing but its configs and its words
in the report is written to the disk, let alone run.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Optional

from tools.files.errors import CheckFailed, UserError
from tools.files.outputs import require_space
from tools.files.progress import progress
from tools.packaging import layout
from tools.packaging.contents import BROKEN, Contents
from tools.packaging.file_names import name_fault
from tools.packaging.manifest import Manifest, parse_manifest
from tools.settings.contest import read_contest
from tools.settings.lines import read_yaml
from tools.settings.resolve import read_resolved

SOURCE, CONFIGS = "source/", "source/configs/"
# Of a file that is parsed as a whole, by the end of its name.
_LARGEST = {".json": 1 << 20, ".yaml": 1 << 20, ".md": 16 << 20, ".html": 16 << 20}
_REMEDY = "ask the team for a package that `tools.check submission` passes"


class Package(NamedTuple):
    """An unpacked package.

    folder       what was unpacked
    run          the same files where a run has them; what is measured is not among them
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
    """Write a package's data below `target`, which is new and empty; return the names.

    Raises CheckFailed, naming the file, where the package has a fault (`contents.faults`) or a
    file is damaged, too large or longer than it says, UserError where the disk is too small. What
    is written are plain files, not executable, at names that `contents` has let through.
    """
    if contents.faults:
        raise CheckFailed("; ".join(contents.faults), None, _REMEDY)
    data = (layout.METHOD, CONFIGS)
    names = [n for n in contents.names if not n.startswith(SOURCE) or n.startswith(data)]
    for name in names:
        largest = _LARGEST.get(Path(name).suffix)
        if largest and contents.sizes[name] > largest and not name.startswith("weights/tokenizer."):
            raise CheckFailed(f"larger than {largest} bytes", name, _REMEDY)
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
    Raises UserError, or what parsing raises, where manifest, configs or scores/best.json cannot be
    used.
    """
    for path in (folder / "configs").glob("*.yaml"):
        read_yaml(path)  # bounds what aliases make of a file, for all who read it after this
    manifest = parse_manifest((folder / layout.MANIFEST).read_bytes())
    # A run's name becomes a folder, and the title of its report.
    if "/" in manifest.run or name_fault(manifest.run):
        raise UserError(f"run is {manifest.run!r:.40}, no name", layout.MANIFEST, _REMEDY)
    best = read_resolved(folder / layout.BEST, ["checkpoint"])["checkpoint"]
    checkpoints = list(range(1, read_contest().checkpoints + 1))
    if type(best) is not int or best not in checkpoints:
        raise UserError(f"names checkpoint {best!r:.40}", layout.BEST, _REMEDY)
    run = run / manifest.run
    pairs = layout.places(best, checkpoints)
    for there, here in layout.FOLDERS.items():
        for path in (folder / there).rglob("*"):
            name = path.relative_to(folder / there).as_posix()
            pairs[f"{there}/{name}"] = f"{here}/{name}"
    for name, place in pairs.items():
        # Scores are claims: those of this run are measured.
        if (folder / name).is_file() and (name == layout.BEST or not name.startswith("scores/")):
            link(folder / name, run / place)
    packed = folder / layout.WEIGHTS
    found = packed if packed.is_file() else weights
    if found is not None:
        link(found, run / f"merged/{best}/model.ckpt")
    return Package(folder, run, manifest, best, checkpoints, found)


def link(source: Path, target: Path) -> None:
    """Let `target`, in a folder of ours, lead to `source`: weights are not copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())
