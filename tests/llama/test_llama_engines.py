"""Two engines, one interface: which is chosen when, and that both give the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.generate import main
from tools.llama.checkpoint import write_checkpoint
from tools.llama.engines import ENGINES, CachedEngine, open_engine
from tools.llama.greedy import Limits
from tools.llama.mindformers_engine import (
    _ON_CARDS,
    MindFormersEngine,
    batches_of,
    ended,
    padding_of,
)
from tools.llama.shape import LlamaShape
from tools.settings.profile import CONFIGS

EOS = 2
SHAPE = LlamaShape(2, 32, 48, 4, 2, 24, 10000.0, 1e-5, 1, EOS, EOS)


def test_the_device_chooses_and_the_user_may() -> None:
    assert isinstance(open_engine(None, "CPU", 4), CachedEngine)
    assert isinstance(open_engine("mindformers", "CPU", 4), MindFormersEngine)
    assert isinstance(open_engine(None, "Ascend", 4), MindFormersEngine)
    (option,) = (option for option in main.params if option.name == "engine")
    assert tuple(option.type.choices) == ENGINES == (CachedEngine.name, MindFormersEngine.name)
    with pytest.raises(UserError, match="CPU alone"):
        open_engine("cached", "Ascend", 4)


@given(st.lists(st.integers(1, 9)), st.integers(1, 4), st.booleans(), st.data())
def test_every_prompt_is_in_one_batch(lengths, places: int, alike: bool, data) -> None:
    chosen = [i for i in range(len(lengths)) if data.draw(st.booleans())]
    batches = batches_of(chosen, lengths, places, alike)
    assert sorted(index for batch in batches for index in batch) == chosen
    assert all(1 <= len(batch) <= places for batch in batches)
    found = [lengths[index] for batch in batches for index in batch]
    assert found == sorted(lengths[index] for index in chosen)
    if alike:
        assert all(len({lengths[index] for index in batch}) == 1 for batch in batches)
    else:
        assert len(batches) == -(-len(chosen) // places)


class Scripted(MindFormersEngine):
    """Answers by the rule below in place of a model's; how it was asked is kept."""

    def __init__(self, places: int) -> None:
        super().__init__("CPU", places)
        self.asked: list = []

    def _build(self, shape, length: int) -> None:
        pass

    def _load(self, folder: Path, shape) -> None:
        pass

    def _answers(self, prompts, limits: Limits):
        self.asked.append(([len(prompt) for prompt in prompts], limits.min_new_tokens))
        return [self.rule(prompt, limits.min_new_tokens) for prompt in prompts]

    @staticmethod
    def rule(prompt, least: int) -> list:
        """EOS comes after as many tokens as the prompt's first id says, or after `least`."""
        return [7] * max(int(prompt[0]), least) + [EOS]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5))), st.integers(0, 3))
def test_only_what_ends_too_early_is_asked_again(told, least: int) -> None:
    prompts = [np.array([end] + [5] * (length - 1)) for end, length in told]
    engine, found = Scripted(2), {}

    def done(index: int, tokens, reason) -> None:
        assert index not in found
        found[index] = tokens

    if prompts:
        engine.decode(Path(), SHAPE, prompts, Limits(9, least, EOS), done)
    assert found == {index: [7] * max(end, least) for index, (end, _) in enumerate(told)}
    again = [lengths for lengths, minimum in engine.asked if minimum]
    assert sum(map(len, again)) == sum(end < least for end, _ in told)
    assert all(len(set(lengths)) == 1 for lengths in again)


def test_padding_is_never_how_a_prompt_ends() -> None:
    prompts = [np.array([5, 4]), np.array([5])]
    assert padding_of(prompts, EOS) == EOS
    assert padding_of([*prompts, np.array([0]), np.array([7, EOS])], EOS) == 1


@pytest.mark.parametrize("task", ["squad", "math"])
def test_cards_decode_in_the_types_of_the_contests_configs(task: str) -> None:
    path = CONFIGS / "llama3-8b" / "contest" / f"{task}.yaml"
    model = yaml.safe_load(path.read_text("utf-8"))["model"]["model_config"]
    for key in ("compute_dtype", "param_init_type", "rotary_dtype", "use_past"):
        assert _ON_CARDS[key] == model[key], key


def test_how_a_row_ends() -> None:
    limits = Limits(5, 0, EOS)
    assert ended([7, 8, EOS], limits) == ([7, 8], "eos")
    assert ended([7, 8, 9, 7, 8], limits) == ([7, 8, 9, 7, 8], "length")
    assert ended([EOS], limits) == ([], "eos")
    stopping = Limits(5, 0, EOS, lambda tokens: 8 in tokens)
    assert ended([7, 8, 9, EOS], stopping) == ([7, 8], "stop")
    assert ended([7, EOS, 8], stopping) == ([7], "eos")


def make_model(folder: Path) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(3)
    write_checkpoint(
        folder / "model.ckpt",
        (
            (name, generator.normal(0, 0.4, dims).astype(np.float32), "Float32")
            for name, dims in SHAPE.parameters().items()
        ),
    )
    (folder / "model.json").write_text(json.dumps(SHAPE.to_dict()))
    return folder


@pytest.mark.slow  # importing MindFormers takes seconds, and two engines compile
def test_mindformers_gives_what_ours_gives(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_model(tmp_path / "model")
    generator = np.random.default_rng(0)
    prompts = [generator.integers(3, 24, size) for size in (3, 17, 9, 9, 30, 5, 12)]
    prompts[2][-1] = EOS
    engines = [CachedEngine(4), MindFormersEngine("CPU", 4)]
    for limits in (
        Limits(12, 0, EOS),
        Limits(12, 6, EOS),
        Limits(12, 1, EOS, lambda tokens: 11 in tokens),
    ):
        found: list[dict[int, Any]] = [{}, {}]
        for engine, answers in zip(engines, found):

            def keep(index: int, tokens: list[int], reason: str, into: Any = answers) -> None:
                into[index] = (tokens, reason)

            engine.decode(folder, SHAPE, prompts, limits, keep)
        assert found[0] == found[1] and len(found[0]) == len(prompts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    reasons = {reason for _, reason in found[0].values()}
    assert "stop" in reasons and len(reasons) > 1
