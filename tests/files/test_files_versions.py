"""Versions of packages, installed or on the path only."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tools.files.versions import version_of


def test_of_an_installed_package() -> None:
    assert version_of("numpy") == metadata.version("numpy")
    assert version_of("PyYAML") == metadata.version("PyYAML")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('"""A."""\n\n__version__ = "1.1"\nimport nothing_that_is_there\n', "1.1+source"),
        ("__version__='2.0rc1'\n", "2.0rc1+source"),
        ("x = 1\n", "unknown+source"),
    ],
)
def test_of_a_folder_on_the_path(
    text: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read, not imported: the first of these could not be."""
    package = tmp_path / "package_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text(text, "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert version_of("package_of_a_test") == version
    assert "package_of_a_test" not in sys.modules


@pytest.mark.parametrize("name", ["no_such_package", "no-such-package"])
def test_of_none(name: str) -> None:
    assert version_of(name) is None
