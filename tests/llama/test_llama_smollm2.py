"""SmolLM2-135M itself, converted and decoded, against values that transformers computed.

The golden's origin stands in it: benchmarks/decode_reference.py, torch and transformers on the
same GGUF file. Skipped where the artefact has not been fetched.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GGUF = ROOT / "material" / "smollm2-135m" / "SmolLM2-135M-Instruct.Q4_1.gguf"
GOLDEN = Path(__file__).parent / "golden" / "smollm2-logits.json"
pytestmark = pytest.mark.slow


def test_logits_and_greedy_tokens_equal_transformers(tmp_path: Path) -> None:
    if not GGUF.is_file():
        pytest.skip("run `make fetch` for the real model")
    from benchmarks.logits import ALLOWED, compare
    from tools.files.hashing import content_of
    from tools.llama.base import convert_weights
    from tools.settings.resolve import resolve

    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert content_of(GGUF).sha256 == golden["gguf_sha256"]
    resolve(tmp_path / "config", "smollm2-135m", "quick", "plain", 1, None)
    base = tmp_path / "base"
    convert_weights(tmp_path / "config" / "model.json", GGUF.parent, base / "model.ckpt")
    result = compare(golden, base)
    assert result.largest < ALLOWED
    assert (result.argmax, result.greedy) == (0, 0)
