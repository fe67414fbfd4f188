"""Digests, both verdicts of the check, and copies that appear whole or not at all."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.files.hashing import Content, check_content, content_of, store

# FIPS 180-2, appendix B.1: the digest of "abc".
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_content_of_the_published_example(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    read = []
    assert content_of(tmp_path / "abc", read.append) == Content(3, ABC)
    assert sum(read) == 3


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_store_equals_its_chunks(tmp_path_factory, chunks):
    target = tmp_path_factory.getbasetemp() / "stored"
    whole = b"".join(chunks)
    found = store(chunks, target, where="here", remedy="none")
    assert target.read_bytes() == whole
    assert found == Content(len(whole), hashlib.sha256(whole).hexdigest()) == content_of(target)


@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("sha256", [None, ABC])
def test_right_content_passes(size, sha256):
    check_content(Content(3, ABC), size, sha256, "file", "remove it")


@pytest.mark.parametrize(
    ("size", "sha256", "fault"),
    [(4, ABC, "truncated"), (2, ABC, "altered"), (4, None, "truncated"), (3, "0" * 64, "altered")],
)
def test_wrong_content_is_named(size, sha256, fault):
    with pytest.raises(UserError) as error:
        check_content(Content(3, ABC), size, sha256, "material/file", "remove it")
    text = str(error.value)
    assert text.startswith(f"material/file: {fault}: ") and text.endswith("; remove it")
    assert ABC in text and (sha256 or "any") in text and f"({size} bytes)" in text
    assert "\n" not in text


def test_wrong_content_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(UserError):
        store([b"new"], target, 3, ABC, where="source", remedy="none")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
