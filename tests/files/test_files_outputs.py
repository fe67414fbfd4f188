"""Room on the disk, and outputs that replace nothing else: both verdicts."""

from __future__ import annotations

import shutil

import pytest

from tools.files.errors import UserError
from tools.files.outputs import keep_apart, require_space


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("x")
    return tmp_path / "in" / "file"


@pytest.mark.parametrize("output", ["in/file", "in", ".", "in/../in/file", "link"])
def test_refused(tmp_path, source, output):
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(UserError, match="would replace what it is made of"):
        keep_apart(tmp_path / output, source)


@pytest.mark.parametrize("output", ["out", "in/other", "file"])
def test_allowed(tmp_path, source, output):
    before = sorted(tmp_path.rglob("*"))
    assert keep_apart(tmp_path / output, source, mark="mark") is None
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_somebody_else_s(tmp_path, source):
    out = tmp_path / "out"
    out.mkdir()
    keep_apart(out, source, mark="mark")
    (out / "notes").write_text("mine")
    with pytest.raises(UserError, match="is a folder without mark"):
        keep_apart(out, source, mark="mark")
    (out / "mark").write_text("")
    keep_apart(out, source, mark="mark")


def test_room_on_the_disk(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    require_space(tmp_path, free // 2)
    with pytest.raises(UserError, match=r"needs .* of disk space, .* too little") as caught:
        require_space(tmp_path, 2 * free)
    assert str(caught.value).startswith(f"{tmp_path}: ")
