"""The words of a report, each in English and Chinese, from submission/texts.yaml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, NamedTuple

from pydantic import Field, RootModel

from tools.files.errors import UserError
from tools.packaging.provenance import ROOT
from tools.settings.lines import Settings, read_settings

TEXTS_FILE = ROOT / "submission" / "texts.yaml"


class Text(NamedTuple):
    """The same in both languages; its string is the English one."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.en


class _Pair(Settings):
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class _Texts(RootModel[Dict[str, Dict[str, _Pair]]]):
    pass


def say(key: str, **values: Any) -> Text:
    """The text `group.name` with `values` in its braces, as str.format puts them there.

    A value that is a Text is put in in the language of each side. Raises UserError where
    submission/texts.yaml has no such text, or names a value that is not given.
    """
    group, _, name = key.partition(".")
    pair = _texts().get(group, {}).get(name)
    if pair is None:
        raise UserError(f"has no text {key!r}", TEXTS_FILE, "add it in both languages")
    try:
        return Text(*(_fill(pair, side, values) for side in range(2)))
    except (LookupError, ValueError) as error:
        what = f"{key}: {error} cannot be filled in"
        raise UserError(what, TEXTS_FILE, f"name only {', '.join(values) or 'nothing'}") from error


def label(group: str, name: str) -> Text:
    """What `name` is called in both languages; itself, underscores as spaces, where unknown.

    For what comes from a run: a profile may have a key, or a team a kind, that nobody named here.
    """
    return _texts().get(group, {}).get(name) or Text(*[name.replace("_", " ")] * 2)


def read_texts(path: Path = TEXTS_FILE) -> Dict[str, Dict[str, Text]]:
    """Group -> name -> text. Raises UserError with the line of an entry that lacks a language."""
    groups = read_settings(path, _Texts).root
    return {
        group: {name: Text(pair.en, pair.zh) for name, pair in entries.items()}
        for group, entries in groups.items()
    }


@lru_cache(maxsize=1)
def _texts() -> Dict[str, Dict[str, Text]]:
    return read_texts()


def _fill(pair: Text, side: int, values: Dict[str, Any]) -> str:
    chosen = {
        name: value[side] if isinstance(value, Text) else value for name, value in values.items()
    }
    return pair[side].format(**chosen)
