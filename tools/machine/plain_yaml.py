"""Our own settings files without PyYAML, which is there only after `make setup`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

from tools.files.errors import UserError

_KEY = re.compile(r"( *)([A-Za-z0-9_][A-Za-z0-9_.-]*):(?: +(.*))?")
_QUOTED = re.compile(r"'[^']*'|\"[^\"\\]*\"")
_COMMENT = re.compile(r"(^|\s)#.*")
_WORDS = {"null": None, "~": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*")
# What YAML reads as something else than the text it seems to be: octal and sexagesimal numbers,
# exponents, dates, yes and no, and the beginnings of anchors, tags, blocks and other constructs.
_NO_TEXT = re.compile(
    r"[-+]?0[0-9xob_][0-9a-f_]*|[-+]?[0-9][0-9_]*_[0-9_.]*|[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*\.[0-9_]*(e[-+]?[0-9]+)?|[-+]?\.[0-9].*|[-+]?\.(inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|y|n|yes|no|on|off|null|true|false|=|<<"
    r"|[-?:,\[\]{}#&*!|>'\"%@`].*|.*:|.*: .*",
    re.IGNORECASE,
)


def read_yaml(path: Path) -> Dict[str, Any]:
    """The mapping in `path`, read by PyYAML where it is installed, by `parse` where it is not.

    Raises UserError for a file that cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text", path, "save it as UTF-8") from None
    try:
        import yaml
    except ModuleNotFoundError:
        return parse(text, path)
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        what = "not valid YAML"
        remedy = f".venv/bin/python -m tools.check configs {path} names the line"
        raise UserError(what, path, remedy) from None
    if not isinstance(value, dict):
        raise UserError("not a mapping", path, "write `key: value` lines")
    return value


def parse(text: str, where: Path) -> Dict[str, Any]:
    """Block mappings of scalars, `[lists]` and `{mappings}` that end on their line.

    That much of YAML our profiles and artifacts.yaml keep to. Whatever else there is (a block
    list, a text of several lines, an anchor) is refused as UserError at `file:line`, not guessed.
    """
    top: Dict[str, Any] = {}
    # The mappings that are open, outermost first, by the indentation of their keys.
    stack: List[Tuple[int, Dict[str, Any]]] = [(0, top)]
    opened: Any = None  # the mapping whose first key is still to come, if the last line began one
    for number, line in enumerate(text.split("\n"), 1):
        try:
            # YAML refuses some of these and ends lines at others.
            if not line.isprintable():
                raise ValueError(f"{line!r}")
            line = _without_comment(line)
            if not line:
                continue
            found = _KEY.fullmatch(line)
            if not found:
                raise ValueError(line.strip())
            indent, key, value = len(found[1]), found[2], found[3]
            if _scalar(key) != key:
                raise ValueError(f"the key {key}")
            if opened is not None and indent > stack[-1][0]:
                holder: Dict[str, Any] = {}
                opened[0][opened[1]] = holder
                stack.append((indent, holder))
            while stack[-1][0] > indent:
                stack.pop()
            level, mapping = stack[-1]
            if level != indent or key in mapping:
                raise ValueError("indentation" if level != indent else f"{key} a second time")
            mapping[key] = _value(value) if value else None
            opened = None if value else (mapping, key)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{error} cannot be read without PyYAML", f"{where}:{number}", "run `make setup`"
            ) from None
    return top


def _without_comment(line: str) -> str:
    # Quoted parts are hidden from the search: a # in them begins no comment.
    hidden = _QUOTED.sub(lambda found: "_" * len(found[0]), line)
    found = _COMMENT.search(hidden)
    return (line[: found.start()] if found else line).rstrip()


def _value(text: str) -> Any:
    value, rest = _flow(text.strip()) if text[0] in "[{" else (_scalar(text.strip()), "")
    if rest:
        raise ValueError(text)
    return value


def _flow(text: str) -> Tuple[Any, str]:
    """A value at the beginning of `text`, inside brackets or being them, and what follows it."""
    if text[:1] not in ("[", "{"):
        found = _QUOTED.match(text) or re.match(r"[^\[\]{},]*", text)
        assert found is not None
        return _scalar(found[0].strip()), text[found.end() :].lstrip()
    close = "]" if text[0] == "[" else "}"
    items: List[Any] = []
    rest = text[1:].lstrip()
    while not rest.startswith(close):
        key = None
        if close == "}":
            found = re.match(r"([A-Za-z0-9_][A-Za-z0-9_.-]*): +", rest)
            if not found or _scalar(found[1]) != found[1]:
                raise ValueError(text)
            key, rest = found[1], rest[found.end() :]
        value, rest = _flow(rest)
        items.append((key, value) if key else value)
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith(close):
            raise ValueError(text)
    return (items if close == "]" else dict(items)), rest[1:].lstrip()


def _scalar(text: str) -> Any:
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if not text or _NO_TEXT.fullmatch(text):
        raise ValueError(text or "an empty value")
    return text
