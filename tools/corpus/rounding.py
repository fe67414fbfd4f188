"""To how many places an answer is rounded: a setting of a recipe."""

from __future__ import annotations

from typing import NamedTuple, Optional


class Rounding(NamedTuple):
    """So many decimals, or so many significant digits, half away from zero; None: not rounded."""

    decimals: Optional[int] = None
    significant: Optional[int] = None
