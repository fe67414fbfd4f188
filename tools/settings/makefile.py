"""What make must know of a profile before it can tell what depends on what: runs/RUN/run.mk."""

from __future__ import annotations

import json
from pathlib import Path

from tools.settings.artifacts import select_artifacts
from tools.settings.profile import CONFIGS, Profile
from tools.settings.resolve import write_if_changed

_TEXT = """\
# Written by tools.run from the profile and material/, and included by the Makefile.
# The base model's weights, the contest's problems and the reading questions, as fetched:
WEIGHTS := {weights}
TRAIN_JSON := {problems}
READING := {reading}
# The tokenizer, what it is made of, and how `tools.convert tokenizer` is told so:
TOKENIZER := $(R)/base/tokenizer.{suffix}
VOCABULARY := {vocabulary}
VOCABULARY_OPTIONS := {options}
# `gone` where a file that was fetched is not there any more:
GONE := {gone}
"""
_TRAINED_ON = "$(R)/corpus/corpus.json material/embedded/reading.json"
_TRAINED = "--train $(R)/corpus/train.jsonl --text material/embedded/reading.json"


def write_makefile(path: Path, profile: Profile, material: Path, configs: Path = CONFIGS) -> None:
    """Write run.mk of a run with this profile, whose artefacts are fetched into `material`.

    Folders are named by the Makefile's own variables: M is material/PROFILE, R the run.
    """
    files = {item.id: f"$(M)/{item.file}" for item in select_artifacts(profile.artifacts, configs)}
    weights = f"$(M)/{profile.model.file}" if profile.model.file else ""
    named = f"$(M)/{profile.tokenizer.file}"
    suffix, vocabulary, options = {
        "gguf": ("json", weights, f"--gguf {weights}"),
        "sentencepiece": ("model", _TRAINED_ON, _TRAINED),
        "file": ("model", named, f"--whole {named}"),
    }[profile.tokenizer.kind]
    text = _TEXT.format(
        weights=weights,
        problems=files.get("contest-train", ""),
        reading=files.get("squad-dev", "material/embedded/reading.json"),
        suffix=suffix,
        vocabulary=vocabulary,
        options=options,
        gone="gone" if _is_gone(material) else "",
    )
    write_if_changed(path, text)


def _is_gone(material: Path) -> bool:
    """Return whether a file that `tools.fetch` brought here was deleted by hand."""
    record = material / "fetched.json"
    if not record.is_file():
        return False
    fetched = json.loads(record.read_text("utf-8"))["artifacts"]
    return any(not (material / item["file"]).exists() for item in fetched)
