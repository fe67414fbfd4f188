"""tools.schema as a command: the committed schemas are what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
import yaml

from tools.packaging.config_schemas import SCHEMAS, own_schemas, read_schema
from tools.schema import schema_text
from tools.settings.profile import CONFIGS

ROOT = Path(__file__).resolve().parents[1]
GENERATED = [*own_schemas(), "finetune-pypi", "finetune-contest"]


def test_which_schemas_there_are() -> None:
    names = {path.name.partition(".")[0] for path in SCHEMAS.iterdir()}
    assert names == {*GENERATED, "values"}


@pytest.mark.parametrize("name", GENERATED)
def test_a_committed_schema_is_one_and_has_the_written_form(name: str) -> None:
    schema = read_schema(name)
    jsonschema.Draft7Validator.check_schema(schema)
    assert (SCHEMAS / f"{name}.schema.json").read_text("utf-8") == schema_text(schema)


def test_the_schemas_of_our_settings_are_their_models() -> None:
    for name, schema in own_schemas().items():
        assert read_schema(name) == json.loads(json.dumps(schema)), "run python -m tools.schema"


def test_every_config_names_its_schema_and_is_good_by_it() -> None:
    """As an editor reads them; what is in variants.yaml are parts of configs."""
    for path in sorted({*CONFIGS.rglob("*.yaml")} - {*CONFIGS.rglob("variants.yaml")}):
        text = path.read_text("utf-8")
        key, _, schema = text.partition("\n")[0].partition("$schema=")
        assert key == "# yaml-language-server: ", path
        told = json.loads((path.parent / schema).read_text("utf-8"))
        told.pop("allOf", None)  # refers to a file
        assert list(jsonschema.Draft7Validator(told).iter_errors(yaml.safe_load(text))) == [], path
        broken = {**yaml.safe_load(text), "no_such_key": 1}
        assert list(jsonschema.Draft7Validator(told).iter_errors(broken)), path


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mindformers") is None, reason="there is nothing to read")
def test_the_committed_schema_is_that_of_the_installed_mindformers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.schema", "--output", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    for path in tmp_path.iterdir():
        assert path.read_text("utf-8") == (SCHEMAS / path.name).read_text("utf-8"), path.name
    assert (tmp_path / "finetune-pypi.schema.json").is_file()
