"""Ascend cards and CANN, as npu-smi and CANN's own files tell of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

NPU_SMI = ("npu-smi", "info")
# npu-smi asks every card in turn; one that hangs must not keep the user waiting.
_SECONDS = 30
# `| 0     910B1    | OK    | 93.1 …` and, below it, `| 0    | 0000:C1:00.0  | …  3418 / 65536  |`.
_CARD = re.compile(r"\|\s*(\d+)\s+(\S+)\s*\|\s*([A-Za-z]+)\s*\|")
_CHIP = re.compile(
    r"\|\s*\d+(?:\s+\d+)?\s*\|\s*[0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d\s*\|.*?"
    r"(\d+)\s*/\s*(\d+)\s*\|\s*"
)
# Where CANN's toolkit, its smaller runtime (nnae, nnrt) and the oldest releases write a version.
_VERSION_FILES = (
    "latest/*-linux/ascend_toolkit_install.info",
    "*-linux/ascend_toolkit_install.info",
    "ascend-toolkit/latest/*-linux/ascend_toolkit_install.info",
    "nnae/latest/*-linux/ascend_nnae_install.info",
    "nnae/latest/ascend_nnae_install.info",
    "nnrt/latest/*-linux/ascend_nnrt_install.info",
    "ascend-toolkit/latest/version.info",
    "latest/version.info",
    "version.info",
)


class Card(NamedTuple):
    """One chip: its model, npu-smi's word on its health, and its memory in bytes."""

    name: str
    health: str
    used: int
    total: int


class Cards(NamedTuple):
    """cards: those that npu-smi lists; fault: why it lists none."""

    cards: List[Card]
    fault: Optional[str] = None


def read_cards(command: Sequence[str] = NPU_SMI, seconds: float = _SECONDS) -> Cards:
    """The cards of this machine; never raises: what keeps them from being seen is the fault."""
    try:
        done = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
    except FileNotFoundError:
        return Cards([], f"{command[0]} is not there")
    except subprocess.TimeoutExpired:
        return Cards([], f"{command[0]} does not answer within {seconds:g} s")
    except OSError as error:
        return Cards([], f"{command[0]}: {error.strerror}")
    text = done.stdout.decode("utf-8", "replace")
    cards = parse_cards(text)
    if cards:
        return Cards(cards)
    lines = [line.strip() for line in (done.stderr.decode("utf-8", "replace") + text).splitlines()]
    said = next((line for line in lines if line and not line.startswith(("+", "|"))), "")
    return Cards([], f"{command[0]} lists no card" + (f" ({said[:120]})" if said else ""))


def parse_cards(text: str) -> List[Card]:
    """The chips in the table of `npu-smi info`; rows of another form are passed over.

    Of the two memories of older cards the last column, HBM, counts. A card of two chips has a
    pair of rows for each.
    """
    found: List[Card] = []
    head = None
    for line in text.splitlines():
        card, chip = _CARD.match(line), _CHIP.fullmatch(line)
        if chip and head:
            used, total = (int(number) * 10**6 for number in chip.groups())
            found.append(Card(head[2], head[3], used, total))
            head = None
        elif card:
            head = card
    return found


def read_cann(environment: Mapping[str, str], root: Path = Path("/")) -> Optional[str]:
    """The version of CANN where its environment script points, else below /usr/local/Ascend."""
    named = [environment.get(name) for name in ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")]
    for folder in [*(Path(name) for name in named if name), root / "usr" / "local" / "Ascend"]:
        for pattern in _VERSION_FILES:
            for path in sorted(folder.glob(pattern)):
                version = _version_in(path)
                if version:
                    return version
    return None


def _version_in(path: Path) -> Optional[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:10000]
    except OSError:
        return None
    found = re.search(r"^\s*version\s*=\s*([\w.+-]+)\s*$", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else None
