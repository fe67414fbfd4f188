"""What can be fetched, read from configs/artifacts.yaml, and which of it a profile needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Tuple, Union

from pydantic import Field, field_validator, model_validator

from tools.files import artifact
from tools.files.errors import UserError
from tools.settings.lines import Settings, read_settings
from tools.settings.profile import CONFIGS, FILE_NAME

# Or `*.END`, of an archive: the name that the file has there.
_FILE_OR_END = r"^(\*\.)?[A-Za-z0-9_][A-Za-z0-9._-]*$"
_PACKAGE = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*$"
_SHA256 = r"^[0-9a-f]{64}$"
_URL = r"^https?://[^\s/]+/"


_Base = Annotated[str, Field(pattern=_URL + r"(.*/)?$")]


class ArchiveEntry(Settings):
    """The zip or wheel in which an artefact comes."""

    file: str = Field(pattern=FILE_NAME)
    bytes: Optional[int] = Field(gt=0)
    sha256: Optional[str] = Field(pattern=_SHA256)


class ArtifactEntry(Settings):
    """One artefact; `bytes` and `sha256` must be written, as null where they are not known.

    also   ids that are fetched with it, since it is of no use without them.
    """

    file: str = Field(pattern=_FILE_OR_END)
    about: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    bytes: Optional[int] = Field(gt=0)
    sha256: Optional[str] = Field(pattern=_SHA256)
    url: Optional[str] = Field(default=None, min_length=1)
    package: Optional[str] = Field(default=None, pattern=_PACKAGE)
    archive: Optional[ArchiveEntry] = None
    member: Optional[str] = Field(default=None, min_length=1)
    elsewhere: Tuple[Annotated[str, Field(pattern=_URL)], ...] = ()
    folder: Optional[str] = Field(default=None, pattern=FILE_NAME)
    also: Tuple[str, ...] = ()

    @model_validator(mode="after")
    def has_one_source(self) -> ArtifactEntry:
        if (self.url is None) == (self.package is None):
            raise ValueError("needs either url or package")
        if (self.archive is None) != (self.member is None):
            raise ValueError("archive and member go together")
        if self.package and not self.archive:
            raise ValueError("a package needs archive and member")
        if self.folder and (self.archive or not self.file.endswith(".zip")):
            raise ValueError("only a zip of its own is unpacked to a folder")
        if self.file.startswith("*") and self.file != self.member:
            raise ValueError("a file whose name the archive gives is its member too")
        return self


class ArtifactsFile(Settings):
    """The whole file: id -> artefact. Relative urls stand under each `base_url`, one or a list."""

    base_url: List[_Base]
    artifacts: Dict[str, ArtifactEntry]

    @field_validator("base_url", mode="before", json_schema_input_type=Union[str, List[str]])
    @classmethod
    def one_base_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def names_and_urls_fit(self) -> ArtifactsFile:
        entries = self.artifacts.values()
        files = [name for entry in entries for name in (entry.file, entry.folder) if name]
        twice = sorted({name for name in files if files.count(name) > 1})
        if twice:
            raise ValueError(f"two artefacts would be written to {', '.join(twice)}")
        for name, entry in self.artifacts.items():
            if not all(re.match(_URL, url) for url in self.absolute(entry.url)):
                raise ValueError(f"{name}: url is not http(s)")
            unknown = [other for other in entry.also if other not in self.artifacts]
            if unknown:
                raise ValueError(f"{name}: also names {unknown[0]}, which there is not")
        return self

    def absolute(self, url: Optional[str]) -> Tuple[str, ...]:
        """The addresses of a url, in the order in which they are tried."""
        return artifact.absolute(url, self.base_url)


def read_artifacts(path: Union[str, Path, None] = None) -> Dict[str, artifact.Artifact]:
    """Read all artefacts by id, from configs/artifacts.yaml unless another file is named.

    Raises UserError naming file, line and key of what is wrong.
    """
    return _artifacts(read_settings(path or CONFIGS / "artifacts.yaml", ArtifactsFile))


def _artifacts(content: ArtifactsFile) -> Dict[str, artifact.Artifact]:
    artifacts = {}
    for name, entry in content.artifacts.items():
        fields = entry.model_dump(exclude={"url", "also"})
        fields["urls"] = content.absolute(entry.url)
        if entry.archive:
            fields["archive"] = artifact.Archive(**entry.archive.model_dump())
        artifacts[name] = artifact.Artifact(id=name, **fields)
    return artifacts


def select_artifacts(
    ids: Iterable[str], configs: Union[str, Path] = CONFIGS
) -> List[artifact.Artifact]:
    """The artefacts named by `ids`, each once, in their order, each followed by what it says that
    is fetched along with it; UserError for an unknown id."""
    path = Path(configs) / "artifacts.yaml"
    content = read_settings(path, ArtifactsFile)
    known = _artifacts(content)
    ids = list(ids)
    unknown = [name for name in dict.fromkeys(ids) if name not in known]
    if unknown:
        raise UserError(
            f"unknown artefact {', '.join(unknown)}", path, f"choose from: {', '.join(known)}"
        )
    chosen = [name for wanted in ids for name in (wanted, *content.artifacts[wanted].also)]
    return [known[name] for name in dict.fromkeys(chosen)]
