"""The words of a report in one language, from submission/texts.yaml."""

from __future__ import annotations

from functools import cache
from typing import Any, Dict, List

import yaml

from tools.files.errors import UserError
from tools.packaging.provenance import ROOT

TEXTS_FILE = ROOT / "submission" / "texts.yaml"
# As texts.yaml and as HTML name them.
LANGUAGES = {"en": "en", "zh": "zh-Hans"}


class Words:
    """The texts of one language, "en" or "zh"; `values` may be named by every text."""

    def __init__(self, language: str, values: Dict[str, Any]) -> None:
        self.language, self._values = language, values

    def say(self, key: str, **values: Any) -> str:
        """Return the text `group.name`, filled in by str.format.

        Raises UserError where there is no such text, or it names a value that is not given.
        """
        group, _, name = key.partition(".")
        try:
            text = read_texts()[group][name][self.language]
            return text.format(**{**self._values, **values})
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"{key}: {error} cannot be said in {self.language}"
            raise UserError(what, TEXTS_FILE, "correct it there, in both languages") from error

    def label(self, group: str, name: str) -> str:
        """Return what a run's `name` is called; itself where nobody has named it here."""
        pair = read_texts()[group].get(name)
        return pair[self.language] if pair else name.replace("_", " ")

    def of_english(self, *groups: str) -> Dict[str, str]:
        """Return {English text: text in this language} of whole groups."""
        texts: List[Dict[str, str]] = [
            pair for group in groups for pair in read_texts()[group].values()
        ]
        return {pair["en"]: pair[self.language] for pair in texts}


@cache
def read_texts() -> Dict[str, Dict[str, Dict[str, str]]]:
    """Return group -> name -> language -> text."""
    return yaml.safe_load(TEXTS_FILE.read_text(encoding="utf-8"))
