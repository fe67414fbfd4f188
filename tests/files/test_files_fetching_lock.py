"""Files whose sha256 nobody publishes: what is seen first counts, here and elsewhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from toy import DATA, DIGEST, names

from tools.files.errors import UserError
from tools.files.fetching import fetch_artifacts
from tools.files.pins import read_pins, write_pin


@pytest.fixture
def seen(unknown, output, tmp_path, lock) -> Path:
    """The mirror from which the file was fetched for the first time."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "model.gguf").write_bytes(DATA)
    assert not fetch_artifacts([unknown], output, str(mirror), lock=lock)[0].verified
    return mirror


def test_first_fetch_counts_here(unknown, output, lock, seen):
    fetch_artifacts([unknown], output, lock=lock)
    (output / "model.gguf").write_bytes(DATA[:-1] + b"!")
    with pytest.raises(UserError, match="altered") as fault:
        fetch_artifacts([unknown], output, lock=lock)
    assert "--accept toy" in str(fault.value) and "artifacts.lock" in str(fault.value)


def test_first_fetch_counts_on_every_machine(unknown, lock, seen, tmp_path):
    """Another folder, the same lock: other bytes are refused, the right ones are taken."""
    (seen / "model.gguf").write_bytes(DATA + b"more")
    with pytest.raises(UserError) as fault:
        fetch_artifacts([unknown], tmp_path / "other", str(seen), lock=lock)
    text = str(fault.value)
    assert DIGEST in text and hashlib.sha256(DATA + b"more").hexdigest() in text
    assert "--accept toy" in text and "delete its entry" in text and "\n" not in text
    assert names(tmp_path / "other") == [".lock"]
    (seen / "model.gguf").write_bytes(DATA)
    fetch_artifacts([unknown], tmp_path / "other", str(seen), lock=lock)
    assert (tmp_path / "other" / "model.gguf").read_bytes() == DATA


def test_a_new_one_is_accepted_by_name_only(unknown, lock, seen, tmp_path):
    before = lock.read_text()
    (seen / "model.gguf").write_bytes(b"new")
    other = tmp_path / "other"
    fetch_artifacts([unknown], other, str(seen), lock=lock, accept=["toy"])
    assert read_pins(lock)["toy"].sha256 == hashlib.sha256(b"new").hexdigest()
    assert lock.read_text() != before
    fetch_artifacts([unknown], other, lock=lock)


def test_what_is_accepted_is_what_is_there(unknown, output, lock, seen):
    (output / "model.gguf").write_bytes(b"mine")
    fetch_artifacts([unknown], output, lock=lock, accept=["toy"])
    assert read_pins(lock)["toy"].bytes == 4
    assert (output / "model.gguf").read_bytes() == b"mine"


def test_an_entry_that_is_deleted_counts_no_more(unknown, output, lock, seen):
    lock.unlink()
    (output / "model.gguf").write_bytes(b"mine")
    fetch_artifacts([unknown], output, lock=lock)
    assert read_pins(lock)["toy"].bytes == 4


def test_published_digests_win_over_the_lock(plain, output, tmp_path, lock, seen):
    other = replace(read_pins(lock)["toy"], sha256="0" * 64)
    write_pin(lock, "toy", other)
    fetch_artifacts([plain], tmp_path / "two", str(seen), lock=lock)
    assert read_pins(lock) == {"toy": other}
    lock.unlink()
    fetch_artifacts([plain], output, lock=lock)
    assert not lock.exists()


@pytest.mark.parametrize("name, fault", [("toy", "published"), ("other", "not among")])
def test_what_cannot_be_accepted(plain, output, name, fault):
    with pytest.raises(UserError, match=fault):
        fetch_artifacts([plain], output, accept=[name])


def test_the_lock_tells_nothing_of_this_machine(unknown, web, lock, seen, tmp_path):
    assert str(tmp_path) not in lock.read_text()
    web.serve("/model.gguf", DATA)
    address = web.url.replace("://", "://user:secret@")
    output = tmp_path / "two"
    fetch_artifacts([unknown], output, address, lock=lock, accept=["toy"])
    assert web.headers[-1]["Authorization"].startswith("Basic ")
    assert read_pins(lock)["toy"].source == f"{web.url}/model.gguf"
    assert "secret" not in lock.read_text() + (output / "fetched.json").read_text()


@pytest.mark.parametrize("here", [True, False])
def test_an_empty_file_is_never_the_first_seen(unknown, output, tmp_path, lock, here):
    folder = output if here else tmp_path / "mirror"
    folder.mkdir()
    (folder / "model.gguf").touch()
    with pytest.raises(UserError, match="is empty"):
        fetch_artifacts([unknown], output, None if here else str(folder), lock=lock)
    assert not lock.exists() and "fetched.json" not in names(output)
    assert (output / "model.gguf").exists() == here


def test_the_configs_choose_the_name(unknown, output, lock, seen):
    """artifacts.lock of before a file was renamed, or of somebody else."""
    write_pin(lock, "toy", replace(read_pins(lock)["toy"], file="fetched.json"))
    assert fetch_artifacts([unknown], output, lock=lock)[0].file == "model.gguf"


@pytest.mark.parametrize("source", [5, None, {"a": 1}])
def test_a_record_of_another_form_is_no_obstacle(unknown, output, lock, seen, source):
    record = output / "fetched.json"
    content = json.loads(record.read_text())
    content["artifacts"][0]["source"] = source
    record.write_text(json.dumps(content))
    lock.unlink()
    fetch_artifacts([unknown], output, lock=lock)
    assert read_pins(lock)["toy"].sha256 == DIGEST
