"""One line that says what, where and what to do."""

from __future__ import annotations

import errno

import pytest

from tools.files.errors import CheckFailed, UserError, from_os_error


def test_line_and_exit_code():
    assert str(UserError("broken", "a.json:3", "mend it")) == "a.json:3: broken; mend it"
    assert str(UserError("it is broken")) == "it is broken"
    assert (UserError("").exit_code, CheckFailed("").exit_code) == (2, 1)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EACCES, "choose another folder"),
        (errno.ENOTDIR, "a file stands where a folder is needed"),
        (errno.ENOENT, "check the path"),
    ],
)
def test_system_errors_have_a_remedy(code, remedy):
    refusal = from_os_error(OSError(code, "Some fault", "runs/a"))
    assert str(refusal).startswith("runs/a: some fault; ") and remedy in str(refusal)


def test_system_error_without_a_file():
    assert str(from_os_error(OSError("odd fault"))) == "odd fault"
