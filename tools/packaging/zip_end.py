"""The end of a zip, read before all else: how many members it says it has, and how it ends.

zipfile takes the whole directory of a zip into memory and makes an object of each member; a
directory of a million costs a gigabyte before the first name is seen. The record at the end tells
the directory's size in 22 bytes (with ZIP64, 98). Only a plain form is let through: nothing before
the first member, the directory directly before the record, and behind it at most a comment in which
no second record can be found. So no two readers can find different directories in one file.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import NamedTuple, Optional

from tools.files.errors import UserError

# APPNOTE.TXT of PKWARE, sections 4.3.14 to 4.3.16.
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MARK = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF

MOST_MEMBERS = 20_000
# 200 bytes a member: ours take about 80.
LARGEST_DIRECTORY = 200 * MOST_MEMBERS


class End(NamedTuple):
    """What the record says: members, and the directory's bytes and place."""

    members: int
    size: int
    offset: int


def end_fault(path: Path) -> Optional[str]:
    """What forbids to open the zip at all, None if nothing does; UserError where it is no zip."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        longest = _LOCATOR.size + _END64.size + _END.size + _LONGEST_COMMENT
        handle.seek(max(0, size - longest))
        tail = handle.read(longest)
    place = tail.rfind(_MARK)
    record = tail[place : place + _END.size] if place >= 0 else b""
    if len(record) < _END.size:
        if not zipfile.is_zipfile(path):
            raise UserError("neither a folder nor a zip", path, "name TEAM.zip")
        return "the end of the zip is damaged"
    _, disk, first_disk, _, members, length, offset, comment = _END.unpack(record)
    if place + _END.size + comment != len(tail):
        return "something that is no comment stands behind the end of the zip"
    end, position = End(members, length, offset), size - len(tail) + place
    tail = tail[: place + _END.size]
    locator = tail[-_END.size - _LOCATOR.size : -_END.size]
    if locator[:4] == b"PK\x06\x07":
        _, disk, place, _ = _LOCATOR.unpack(locator)
        position -= _LOCATOR.size + _END64.size
        record64 = tail[-_END.size - _LOCATOR.size - _END64.size : -_END.size - _LOCATOR.size]
        if place != position or record64[:4] != b"PK\x06\x06":
            return "the end of the zip is damaged"
        _, _, _, _, _, first_disk, _, members, length, offset = _END64.unpack(record64)
        end = End(members, length, offset)
    if disk or first_disk:
        return "a part of a zip in several files"
    if end.members > MOST_MEMBERS:
        return f"{end.members} members, more than {MOST_MEMBERS}"
    if end.size > LARGEST_DIRECTORY:
        return f"a directory of {end.size} bytes, more than {LARGEST_DIRECTORY}"
    if end.offset + end.size != position:
        return "its directory is not where its end says"
    return None
