"""One bad package for each rule of the check, as a folder or as a zip."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Callable, List

import pytest
import yaml
from packaging_run import TEAM, write

from tools.files.errors import UserError
from tools.files.hashing import content_of
from tools.packaging import contents, inspection
from tools.packaging.inspection import check_submission
from tools.packaging.layout import OURS, PARTS, scored_files
from tools.packaging.manifest import make_manifest
from tools.settings.contest import read_contest


def seal(package: Path) -> List[str]:
    """Write a manifest that fits what is there, so that only the rule under test can object."""
    (package / "MANIFEST.json").unlink(missing_ok=True)
    write(
        package / "MANIFEST.json", make_manifest(package, package.name, "tiny", package / "source")
    )
    return check_submission(package)


def edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text("utf-8")
    assert change(before) != before
    path.write_text(change(before), "utf-8")


def test_a_sealed_package_is_good(package: Path) -> None:
    assert seal(package) == []


def test_every_required_part_has_files() -> None:
    assert {part.name for part in read_contest().submission.parts} == set(PARTS)


def test_all_faults_are_named_at_once(package: Path) -> None:
    (package / "report/loss.png").unlink()
    write(package / "notes.txt", "extra\n")
    edit(package / "training/loss.csv", lambda text: text.replace("2,3.6", "2,0.1"))
    (package / "logs/training/worker_1.log").write_text("")
    assert check_submission(package) == [
        "report/loss.png: missing, the manifest names it",
        "notes.txt: extra, the manifest does not name it",
        "report/loss.png: missing, the part report needs it",
        "logs/training/worker_1.log: empty",
        "logs/training/worker_1.log: altered, 0 bytes instead of 52",
        "training/loss.csv: altered, its sha256 is not the manifest's",
    ]


@pytest.mark.parametrize(
    "name",
    [
        *(name for names in PARTS.values() for name in names),
        *OURS,
        *(name for model in ("baseline", 1, 5, "best-test") for name in scored_files(model)),
    ],
)
def test_a_missing_file_is_named_even_if_the_manifest_agrees(package: Path, name: str) -> None:
    (package / name).unlink()
    assert any(fault.startswith(f"{name}: missing") for fault in seal(package))


def test_empty_files(package: Path) -> None:
    (package / "adapter/adapter.ckpt").write_bytes(b"")
    assert seal(package) == ["adapter/adapter.ckpt: empty"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("report/report.md", "see /home/me/x\n", "report/report.md:1: absolute path /home/me/x"),
        ("configs/more.yaml", "a: 1\nb: /data/x\n", "configs/more.yaml:2: absolute path /data/x"),
        ("stages/x.json", '{"a": "/mnt/x"}', "stages/x.json:1: absolute path /mnt/x"),
        ("source/configs/x.yaml", "a: ~/b\n", "source/configs/x.yaml:1: absolute path ~/b"),
        ("logs/training/worker_1.log", "/home/me is fine\n", None),
        ("source/tools/finetune.py", "open('/proc/cpuinfo')\n", None),
        ("source/tools/a.py", "\nP = '/home/me/x'\n", "source/tools/a.py:2: home folder /home/me"),
        ("source/Makefile", "X := /root/x\n", "source/Makefile:1: home folder /root/x"),
        ("predictions/best-test.jsonl", '"/home/me"\n', None),
        ("scores/3.json", "{}", "logs/squad/best.log: its pairs give f1 75.0, the scores say None"),
        ("scores/3.json", "[]", "logs/squad/best.log: its pairs give em 75.0, the scores say None"),
        ("scores/2.json", "nothing", "scores/2.json: not JSON"),
        ("weights/tokenizer.json", '{"Ġ/usr/bin": 1}\n', None),
        ("configs/x.json", "{", "configs/x.json: not JSON"),
        ("configs/profile.json", "{}", "configs/profile.json: `cards` is not a number of workers"),
        ("configs/profile.json", '{"cards": 3}', "logs/training/worker_2.log: missing, 3 workers"),
        ("scores/best.json", '{"checkpoint": 7}', "scores/best.json: names checkpoint 7"),
        ("configs/finetune.yaml", "a: [\n", "configs/finetune.yaml:2: not valid YAML"),
        ("configs/finetune.yaml", b"\xff", "configs/finetune.yaml: not UTF-8 text"),
    ],
)
def test_contents(package: Path, name: str, content: str, fault: str) -> None:
    write(package / name, content)
    faults = seal(package)
    if fault is None:
        assert faults == []
    else:
        assert any(found.startswith(fault) for found in faults), faults


@pytest.mark.parametrize(
    "name", ["logs/training/worker_0.log", "source/tools/finetune.py", "report/report.md"]
)
def test_secrets_anywhere(package: Path, name: str) -> None:
    secret = "gh" + "p_" + "a1B2" * 10
    write(package / name, f"a\ntoken {secret}\n")
    faults = seal(package)
    assert faults == [f"{name}:2: holds a token of GitHub"]
    assert secret not in faults[0]


@pytest.mark.parametrize("name", ["report/loss.png", "adapter/adapter.ckpt"])
def test_what_looks_like_a_secret_in_numbers_is_chance(package: Path, name: str) -> None:
    write(package / name, b"\x89 gh" + b"p_" + b"a1B2" * 10)
    assert seal(package) == []


def test_a_text_too_large_to_be_looked_into(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_LARGEST_TEXT", 1 << 20)
    write(package / "logs/training/msrun.log", "x" * (1 << 20))
    assert seal(package) == []
    write(package / "logs/training/msrun.log", "x" * (1 << 20) + "x")
    assert seal(package) == ["logs/training/msrun.log: a text of more than 1048576 bytes"]


def test_a_rule_that_nobody_has_files_for(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PARTS, "squad_log")
    with pytest.raises(UserError, match="the part squad_log has no files"):
        check_submission(package)


def test_a_file_that_cannot_be_read(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("input/output error")

    monkeypatch.setattr(inspection, "secrets", refuse)
    assert "training/loss.csv: damaged (input/output error)" in check_submission(package)


def test_our_vocabulary_passes(package: Path) -> None:
    # Words of a vocabulary may look like paths.
    words = {f"/usr/{index:x}": index for index in range(5000)}
    write(package / "weights/tokenizer.json", {"model": {"vocab": words}})
    assert seal(package) == []


def test_a_config_that_would_not_train(package: Path) -> None:
    path = package / "configs/finetune.yaml"
    config = yaml.safe_load(path.read_text())
    config["only_save_strategy"] = True
    write(path, yaml.safe_dump(config, sort_keys=False))
    (fault,) = seal(package)
    assert fault.startswith("configs/finetune.yaml:6: only_save_strategy is True: left on")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text[: text.rindex("F1 score")], "not complete, its final line is missing"),
        (
            lambda text: text.replace("pred is: ['nothing']", "pred is: ['Denver Broncos']"),
            "claims",
        ),
        (lambda text: text.rpartition("label is")[0], "ends between a prediction and its label"),
        (lambda text: "nothing\n", "holds no `pred is`"),
    ],
)
def test_a_squad_log_that_is_not_whole(
    package: Path, change: Callable[[str], str], fault: str
) -> None:
    edit(package / "logs/squad/best.log", change)
    assert any(fault in found and "logs/squad/best.log" in found for found in seal(package))


def test_a_squad_log_of_another_run(package: Path) -> None:
    shutil.copy(package / "logs/squad/baseline.log", package / "logs/squad/best.log")
    faults = seal(package)
    assert "logs/squad/best.log: its pairs give f1 50.0, the scores say 75.0" in faults


def test_weights_that_were_not_evaluated(package: Path) -> None:
    (package / "weights/model.ckpt").write_bytes(b"others")
    (fault,) = seal(package)
    assert fault.startswith("scores/best.json: the scores are of weights with sha256 ")


def test_what_the_training_began_with_is_held_against_its_record(package: Path) -> None:
    init = package / "adapter/init.ckpt"
    init.write_bytes(b"matrices")
    digest = content_of(init).sha256
    (fault,) = seal(package)
    assert fault == f"adapter/init.ckpt: its sha256 is {digest}, training/run.json says None"
    begun = {"path": "runs/first/finetune", "sha256": "ab" * 32, "matrices_sha256": digest}
    run = json.loads((package / "training/run.json").read_text())
    write(package / "training/run.json", {**run, "init": begun})
    assert seal(package) == []
    init.unlink()
    (fault,) = seal(package)
    assert fault == f"adapter/init.ckpt: missing, training/run.json says {digest}"


def test_weights_and_their_link(package: Path) -> None:
    write(package / "weights/weights.json", {"url": "https://x.example/y", "bytes": 1})
    faults = seal(package)
    assert any("both are there" in fault for fault in faults)
    assert "weights/weights.json: needs url, bytes and sha256" in faults
    (package / "weights/model.ckpt").unlink()
    (package / "weights/weights.json").unlink()
    (package / "weights/tokenizer.model").unlink()
    faults = seal(package)
    assert any("neither is there" in fault for fault in faults)
    assert "weights/tokenizer.*: missing" in faults


def manifest(**changes: object) -> dict:
    """A manifest of one file, with something else in it."""
    files = {"a": {"bytes": 0, "sha256": "0" * 64}}
    content = {"format": 1, "team": TEAM, "run": "tiny", "commit": None, "lock_sha256": None}
    return {**content, "files": files, **changes}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "MANIFEST.json: missing"),
        ("{", "MANIFEST.json: not a manifest"),
        ('{"format": 1}', "MANIFEST.json: not a manifest"),
        ("[" * 100_000, "MANIFEST.json: not a manifest"),
        (manifest(team="../a"), "MANIFEST.json: not a manifest ('../a' cannot name a submission"),
        (manifest(commit="main"), "MANIFEST.json: not a manifest (commit: "),
        (manifest(files={}), "MANIFEST.json: not a manifest (files: "),
        (manifest(files={"a": {"bytes": 1, "sha256": "0"}}), "MANIFEST.json: not a manifest (fi"),
    ],
)
def test_manifests(package: Path, content: object, fault: str) -> None:
    if content is None:
        (package / "MANIFEST.json").unlink()
    else:
        write(package / "MANIFEST.json", content)
    assert check_submission(package)[0].startswith(fault)


def test_a_folder_of_another_name(package: Path) -> None:
    other = package.rename(package.parent / "other")
    (fault,) = check_submission(other)
    assert fault == f"MANIFEST.json: made for team {TEAM}, the folder is named other"


def test_links_in_a_folder(package: Path) -> None:
    (package / "report/loss.png").unlink()
    (package / "report/loss.png").symlink_to("accuracy.png")
    faults = check_submission(package)
    assert faults[0] == "report/loss.png: a link or a device, not a file"


def rezip(package: Path, target: Path, **more: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file():
                archive.write(path, f"{TEAM}/{path.relative_to(package).as_posix()}")
        for name, content in more.items():
            archive.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (f"{TEAM}/../../x", "leads out of the package"),
        ("/x", "leads out of the package"),
        (f"{TEAM}/a\\b", "has both / and"),
        (f"{TEAM}/./x", "not in its plain form"),
        (f"{TEAM}/a\nb", "characters that cannot be printed"),
        ("other/x", "does not hold exactly one folder"),
        ("x", "does not hold exactly one folder"),
        (f"{TEAM}/x", "extra, the manifest does not name it"),
    ],
)
def test_names_in_a_zip(package: Path, tmp_path: Path, name: str, fault: str) -> None:
    faults = check_submission(rezip(package, tmp_path / "a.zip", **{name: b"x"}))
    assert any(fault in found for found in faults), faults
    assert all("\n" not in found for found in faults)


def test_a_good_zip_made_elsewhere_passes(package: Path, tmp_path: Path) -> None:
    assert check_submission(rezip(package, tmp_path / "a.zip")) == []


def test_links_and_duplicates_in_a_zip(package: Path, tmp_path: Path) -> None:
    path = rezip(package, tmp_path / "a.zip")
    link = zipfile.ZipInfo(f"{TEAM}/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(f"{TEAM}/Makefile", "a")
            archive.writestr(f"{TEAM}/Makefile", "b")
    faults = check_submission(path)
    assert f"{TEAM}/link: a link or a device, not a file" in faults
    assert f"{TEAM}/Makefile: stands in the zip twice" in faults


def test_a_bomb(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_DEFLATED", 1 << 20)
    path = rezip(package, tmp_path / "a.zip", **{f"{TEAM}/bomb": bytes(2 << 20)})
    assert any("larger than the 1048576 bytes" in fault for fault in check_submission(path))


def test_a_header_that_lies_about_the_size(package: Path, tmp_path: Path) -> None:
    name = "training/loss.csv"
    size = (package / name).stat().st_size
    (package / name).write_bytes(b"1" * 500_000)
    path = rezip(package, tmp_path / "a.zip")
    # The size stands in the local header and in the directory at the end.
    lie = path.read_bytes().replace((500_000).to_bytes(4, "little"), size.to_bytes(4, "little"))
    path.write_bytes(lie)
    faults = check_submission(path)
    assert any(fault.startswith(f"{name}: damaged") or "altered" in fault for fault in faults)


def test_damaged_members_and_overlapping_ones(package: Path, tmp_path: Path) -> None:
    path = rezip(package, tmp_path / "a.zip")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{TEAM}/report/report.html")
    data = bytearray(path.read_bytes())
    middle = info.header_offset + info.compress_size // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    assert any(fault.startswith("report/report.html: damaged") for fault in check_submission(path))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_package(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        check_submission(write(tmp_path / "a.zip", content))


def test_an_empty_folder_names_all_that_is_missing(tmp_path: Path) -> None:
    faults = check_submission(tmp_path)
    assert "MANIFEST.json: missing" in faults
    assert len(faults) > 20
