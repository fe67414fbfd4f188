"""The published adapter: small enough, whole, and it still writes what was published."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tools.files.atomic import write_text
from tools.files.hashing import content_of
from tools.packaging.adapter_folder import MOST_BYTES
from tools.packaging.remeasure import EVALUATION, FINETUNE
from tools.settings.resolve import resolve

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "material" / "embedded" / "adapters" / "smollm2-135m"
# The longest test of these asks so many of the published problems, of all kinds.
ASKED = 30

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"{FOLDER.relative_to(ROOT)} is not published yet"
)


def test_every_file_is_as_run_json_says() -> None:
    told = json.loads((FOLDER / "run.json").read_text("utf-8"))["files"]
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert found == {*told, "README.md", "run.json"}
    for name, said in told.items():
        assert vars(content_of(FOLDER / name)) == said, name
    assert told["adapter_model.safetensors"]["bytes"] <= MOST_BYTES
    # The hook lets one file be as large as that, and no other.
    large = [name for name, said in told.items() if said["bytes"] > 1 << 20]
    assert large == ["adapter_model.safetensors"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert f"--maxkb={MOST_BYTES // 1024} " in hooks


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 from the GGUF file that SMOLLM2_GGUF names, or that `make fetch` has brought."""
    given = os.environ.get("SMOLLM2_GGUF")
    found = [Path(given)] if given else sorted((ROOT / "material/smollm2-135m").glob("*.gguf"))
    if not found:
        pytest.skip("SmolLM2 is not on this machine: run `make fetch`, or set SMOLLM2_GGUF")
    from tools.llama.base import convert_weights
    from tools.llama.gguf import open_gguf, tokenizer_json

    folder = tmp_path_factory.mktemp("smollm2")
    resolve(folder / "config", "smollm2-135m", "quick", None, 1, 1)
    convert_weights(folder / "config/model.json", found[0].parent, folder / "base/model.ckpt")
    text = tokenizer_json(open_gguf(found[0]), str(found[0]))
    write_text(folder / "base/tokenizer.json", text)
    return folder / "base"


@pytest.mark.slow
def test_problems_are_answered_as_published_token_for_token(base: Path, tmp_path: Path) -> None:
    from tools.llama.answering import generate
    from tools.llama.merging import merge_all
    from tools.records.tokenizers import open_tokenizer

    rows = (FOLDER / "model" / "test.jsonl").read_text("utf-8").splitlines(keepends=True)
    rows = rows[:: max(1, len(rows) // ASKED)][:ASKED]
    write_text(tmp_path / "test.jsonl", "".join(rows))
    merge_all(base / "model.ckpt", FOLDER, FOLDER / FINETUNE, tmp_path / "merged")
    told = json.loads((FOLDER / EVALUATION).read_text("utf-8"))
    lengths = dict(entry.split("=") for entry in told["max_new_tokens"])
    generate(
        [tmp_path / "merged" / "1"],
        [tmp_path / "test.jsonl"],
        [tmp_path / "answers.jsonl"],
        [int(lengths["test"])],
        min_new_tokens=told["min_new_tokens"],
        batch_size=told["batch_size"],
    )
    encode = open_tokenizer(base / "tokenizer.json").encode
    answers = (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()
    assert len(answers) == len(rows) == ASKED
    for published, answer in zip(map(json.loads, rows), map(json.loads, answers)):
        assert encode(answer["prediction"]) == encode(published["prediction"]), answer["id"]
