"""The base model and the trained one, loaded once and asked the same problem."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tools.corpus.grammar import NoFit, parse
from tools.corpus.kinds import CHINESE
from tools.corpus.sample import in_slots
from tools.corpus.verify import recorded_styles
from tools.corpus.worked.restate import Styles
from tools.corpus.worked.styles import Style, work_out
from tools.files.errors import UserError
from tools.llama.answering import LONGEST
from tools.llama.engines import open_engine
from tools.llama.greedy import Limits
from tools.llama.shape import LlamaShape
from tools.records.prompts import render_answer, render_prompt
from tools.records.tokenizers import SpecialIds, find_tokenizer, open_complete
from tools.settings.resolve import most_new_tokens, read_resolved

# The base model does not work a problem out; what it goes on to say is cut off here.
BASE_TOKENS = 64
# Nearly every problem of the kinds has no more tokens: one capacity and its graphs serve them all,
# so that the first of another length waits for no compiler.
_USUAL_PROMPT = 64
# More is no problem of any kind: refused before anything looks at it.
_MOST_CHARACTERS = 10_000
EXAMPLE = "计算 4204.22 + -2369.17 等于多少？"


class Training(NamedTuple):
    """What a model was trained on, as far as its answers are read by it.

    prompt           frame of the problems
    styles           of the solutions, by kind
    kinds            those that were taught
    exponents        of the powers that were taught; None for all
    device           where it answers
    min_new_tokens, max_new_tokens   bounds of its answers
    """

    prompt: str
    styles: Styles
    kinds: Tuple[str, ...]
    exponents: Optional[Sequence[int]]
    device: str
    min_new_tokens: int
    max_new_tokens: int


class Answer(NamedTuple):
    """What a model wrote; `cut`, whether it was stopped at its longest answer."""

    text: str
    cut: bool


def read_training(folder: Path) -> Training:
    """Read corpus.json, evaluation.json and the prompt's frame in `folder`.

    folder   config/ of a run, which has the frame in records.json, or a published adapter, which
             has it in run.json

    Raises UserError where a file lacks what it should have.
    """
    corpus = read_resolved(folder / "corpus.json", ["weights", "exponents", "styles"])
    evaluation = read_resolved(folder / "evaluation.json", ["device", "min_new_tokens"])
    records = folder / "records.json"
    told = read_resolved(records if records.exists() else folder / "run.json", ["prompt"])
    return Training(
        prompt=told["prompt"],
        styles=recorded_styles(folder / "corpus.json"),
        # Without weights the corpus has the kinds of the contest's own file: all.
        kinds=tuple(corpus["weights"] or CHINESE),
        exponents=corpus["exponents"],
        device=evaluation["device"],
        min_new_tokens=evaluation["min_new_tokens"],
        max_new_tokens=most_new_tokens(folder / "evaluation.json"),
    )


class Model:
    """A model folder that answers prompts one by one; its weights are loaded with the first."""

    def __init__(self, folder: Path, training: Training, max_new_tokens: int) -> None:
        self._folder, self._shape = folder, LlamaShape.load(folder / "model.json")
        path = find_tokenizer(folder)
        self._tokenizer = open_complete(path, SpecialIds(), folder / "model.json")
        self._limits = Limits(
            max_new_tokens,
            training.min_new_tokens,
            self._shape.eos_token_id,
            capacity=_USUAL_PROMPT + max_new_tokens,
        )
        self._engine = open_engine(None, training.device, 1)

    def refuse(self, text: str, where: str) -> None:
        """Raise UserError where `text` holds a control token of the vocabulary."""
        for token in self._tokenizer.control_tokens:
            if token in text:
                raise UserError(f"holds the control token {token}", where, "take it out")

    def encode(self, prompt: str, where: str) -> np.ndarray:
        """Return the ids of a prompt; UserError where its answer would not fit behind it."""
        ids = self._tokenizer.encode(prompt)
        taken = len(ids) + self._limits.max_new_tokens
        if taken > LONGEST:
            what = f"its {len(ids)} tokens and the answer take {taken} positions"
            raise UserError(what, where, f"shorten it: the model has {LONGEST}")
        return np.array(ids, np.int64)

    def answer(self, ids: np.ndarray, draft: str = "") -> Answer:
        """Return the greedy answer to the ids of a prompt.

        draft   what it would be if it is right: it takes a fraction of the time then, and is the
                same with any draft (`Limits`)
        """
        given = []
        limits = replace(self._limits, draft=self._tokenizer.encode(draft) if draft else ())
        self._engine.decode(
            self._folder, self._shape, [ids], limits, lambda *row: given.append(row)
        )
        ((_, tokens, reason),) = given
        return Answer(self._tokenizer.decode(tokens), reason == "length")


class Pair:
    """The base model and the trained one.

    base, model   folders of model.ckpt, model.json and the tokenizer
    """

    def __init__(self, base: Path, model: Path, training: Training) -> None:
        self._training = training
        self._models = (
            Model(base, training, BASE_TOKENS),
            Model(model, training, training.max_new_tokens),
        )

    def prompts(self, problem: str, where: str) -> Tuple[np.ndarray, np.ndarray]:
        """Return the ids of the problem in its frame, for the base and for the trained model.

        where   what an error names: Q, or a line of the standard input

        Raises UserError where the problem is empty, too long, or holds a control token.
        """
        if not problem.strip():
            raise UserError("the problem is empty", where, f"write one: {EXAMPLE}")
        if len(problem) > _MOST_CHARACTERS:
            what = f"has {len(problem)} characters, {_MOST_CHARACTERS} are read"
            raise UserError(what, where, "shorten it")
        if any("\ud800" <= char <= "\udfff" for char in problem):
            raise UserError("is not UTF-8", where, "write it in UTF-8")
        for model in self._models:
            model.refuse(problem, where)
        prompt = render_prompt(self._training.prompt, problem, where=where)
        base, trained = (model.encode(prompt, where) for model in self._models)
        return base, trained

    def answer(self, problem: str, prompts: Tuple[np.ndarray, np.ndarray]) -> Tuple[Answer, Answer]:
        """Return the answers of the base and of the trained model to a problem's `prompts`."""
        base, trained = self._models
        return base.answer(prompts[0]), trained.answer(prompts[1], self._draft(problem))

    def _draft(self, problem: str) -> str:
        """Our own solution as the trained model would write it, empty where there is none."""
        try:
            parsed = parse(problem)
        except NoFit:
            return ""
        if not in_slots(parsed):  # such numbers may have thousands of digits
            return ""
        solution = work_out(parsed, self._training.styles.get(parsed.kind, Style()))
        return render_answer(self._training.prompt, solution)
