"""Every module imports and every script answers, on whatever Python the tests run with.

`make test-py39` runs these on Python 3.9 as well: syntax, annotations that are evaluated, or a part
of the standard library that are newer show here, in modules that no other test loads, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Dict, List

import pytest

ROOT = Path(__file__).resolve().parents[1]
# By their files: looking for modules through pkgutil would import half of them already.
MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").replace(".__init__", "")
    for folder in ("tools", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
# The packages of these may import neither MindSpore nor MindFormers; nor may any script.
LIGHT = ("files", "settings", "corpus", "scoring", "packaging")

_IMPORT = """
import importlib, json, sys
for name in json.loads(sys.argv[2]):
    sys.modules[name] = None  # as if it were not installed
faults = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except BaseException as error:
        faults[name] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(faults))
"""

_HELP = """
import contextlib, io, json, runpy, sys
said = {}
for name in json.loads(sys.argv[1]):
    sys.argv = [name, "--help"]
    text, code = io.StringIO(), None
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            runpy.run_module(name, run_name="__main__")
        except SystemExit as end:
            code = end.code
    said[name] = [code, text.getvalue()]
print(json.dumps(said))
"""


def run(code: str, *arguments: List[str]) -> Dict:
    """What one fresh interpreter prints last, given each list as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(json.dumps, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not util.find_spec("mindspore"), reason="MindSpore is not installed")
def test_every_module_imports() -> None:
    assert run(_IMPORT, MODULES, []) == {}


def test_light_modules_import_without_mindspore() -> None:
    light = [
        name
        for name in MODULES
        if name.startswith("tools.") and (name.count(".") == 1 or name.split(".")[1] in LIGHT)
    ]
    assert len(light) > 100 and {"tools.score", "tools.files.atomic"} <= {*light}
    assert run(_IMPORT, light, ["mindspore", "mindformers"]) == {}


def test_a_module_that_does_not_import_is_named(tmp_path: Path) -> None:
    """The test above can fail."""
    assert run(_IMPORT, ["json", "tools.no_such"], ["json"]).keys() == {"json", "tools.no_such"}


def test_every_script_answers_help() -> None:
    scripts = [
        f"tools.{path.stem}"
        for path in sorted((ROOT / "tools").glob("*.py"))
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]
    assert {"tools.convert", "tools.doctor", "tools.finetune", "tools.score"} <= {*scripts}
    said = run(_HELP, scripts)
    assert {*said} == {*scripts}
    for name, (code, text) in said.items():
        assert code == 0 and "Usage:" in text and "Example" in text, (name, code, text[-500:])
