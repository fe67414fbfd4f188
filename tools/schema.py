"""Write the schemas under configs/schema/, by which editors complete and `tools.check` checks."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional

import click

from tools.cli import Command

_EXAMPLE = """
Example:

  python -m tools.schema

  python -m tools.schema --source ../mindformers
"""


@click.command(cls=Command, epilog=_EXAMPLE)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder around the contest's mindformers/; without it, PyPI's, as installed.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder.")
def main(source: Optional[Path], output: Optional[Path]) -> None:
    """Write the schemas of our own settings, and of the YAML of one release of MindFormers.

    MindFormers is imported, which takes 20 seconds. What values may be is written by hand:
    configs/schema/values.schema.json.
    """
    from tools.files.atomic import write_text
    from tools.packaging.config_schemas import SCHEMAS, own_schemas

    if source is not None:
        sys.path.insert(0, str(source.resolve()))
    # Where it is imported, MindFormers makes its output folder.
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("LOCAL_DEFAULT_PATH", folder)
        from tools.training.yaml_schema import RELEASE, mindformers_schema

        schemas = {**own_schemas(), f"finetune-{RELEASE}": mindformers_schema()}
    for name, schema in schemas.items():
        write_text((output or SCHEMAS) / f"{name}.schema.json", schema_text(schema))
    click.echo(f"{output or SCHEMAS}: {', '.join(schemas)}")


def schema_text(schema: Dict[str, Any]) -> str:
    """Return a schema as JSON, a key a line, so that a diff shows what has changed."""
    lines = [f" {json.dumps(key)}: {_value(value)}" for key, value in schema.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    lines = [f"  {json.dumps(key)}: {json.dumps(inner)}" for key, inner in value.items()]
    return "{\n" + ",\n".join(lines) + "\n }"


if __name__ == "__main__":
    main()
