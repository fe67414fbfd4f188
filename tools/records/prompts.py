"""The one place where a prompt is written, for training, inference and grading alike.

A frame is the text around a problem. An answer is joined to its prompt by the frame's `joint`,
which belongs to the answer: the prompt ends where the frame ends, and the model produces joint,
solution and end-of-sequence token itself. Prompt and answer are encoded apart (`examples`), so
the ids of a training example start with exactly those that inference sends, whatever the
tokenizer would have merged across the joint.

The joint is one space, since that is how a base model mostly goes on of its own accord (175 of
the 198 answers in the organisers' record of LLaMA3-8B), and since `ASSISTANT: 5` is the
organisers' own text. In the chat frames nothing need stand before the answer.
"""

from __future__ import annotations

import re
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

from tools.files.errors import UserError


class Frame(NamedTuple):
    """`pieces` are the texts before, between and after the slots; there is one slot less."""

    pieces: Tuple[str, ...]
    joint: str


_ALPACA = (
    "Below is an instruction that describes a grade school math problem. "
    "Write a response that gives the correct answer.\n\n### Instruction:\n"
)
_STANFORD = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n### Instruction:\n"
)
_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)
_SMOLLM2 = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\n"
)
_READING = "Read the passage and answer the question below.\n\n### Instruction:\n"

FRAMES: Dict[str, Frame] = {
    # The frame of the contest's arithmetic problems.
    "alpaca": Frame((_ALPACA, "\n\n### Response:"), " "),
    "none": Frame(("", ""), " "),
    # What the contest's leader trained and answered with: the problem, and that it wants an answer.
    "response": Frame(("", "\n\n### Response:"), " "),
    # Stanford Alpaca's own instruction, which the second of the contest kept.
    "stanford": Frame((_STANFORD, "\n\n### Response:"), " "),
    # The frame of the organisers' tokenised training data (FastChat's `vicuna_v1.1`).
    "vicuna": Frame((_SYSTEM + "USER: ", " ASSISTANT:"), " "),
    # The chat template of SmolLM2-Instruct, its default system line included.
    "smollm2": Frame((_SMOLLM2, "<|im_end|>\n<|im_start|>assistant\n"), ""),
    # The organisers' SQuAD prompt: passage and question.
    "squad": Frame((_READING, "\n\n### Input:\n", "\n\n### Response:"), " "),
}
# In a conversation of several turns: what ends an answer, and between question and answer.
VICUNA_END, VICUNA_ANSWER = "</s>", " ASSISTANT: "
# Those that take a problem alone.
PROBLEM_FRAMES: Tuple[str, ...] = tuple(n for n, f in FRAMES.items() if len(f.pieces) == 2)

# Tokenizers turn such text into control tokens, which only a frame may write.
_CONTROL = re.compile(r"<\|[^|<>\s]{1,64}\|>")


def render_prompt(frame: str, *texts: str, where: Optional[str] = None) -> str:
    """Give the text that is sent to the model, to which neither BOS nor white space is added.

    frame   a key of FRAMES.
    texts   what fills its slots: the problem, or for `squad` the passage and the question.
    where   what an error names.

    Raises UserError where a text is empty or holds a control token such as `<|im_end|>`, which
    would end the prompt before its end.
    """
    return fill(frame, *(_checked(text, where) for text in texts))


def fill(frame: str, *texts: str) -> str:
    """Give what `render_prompt` does, of any texts: for files of the organisers' own form."""
    pieces = frame_of(frame).pieces
    if len(texts) != len(pieces) - 1:
        raise UserError(
            f"takes {len(pieces) - 1} texts, not {len(texts)}", f"prompt {frame}", "choose another"
        )
    parts = [pieces[0]]
    for text, piece in zip(texts, pieces[1:]):
        parts += [text, piece]
    return "".join(parts)


def render_conversation(turns: Sequence[str]) -> str:
    """Give a conversation in FastChat's `vicuna_v1.1`, as the organisers' `qa` rows have it.

    turns   what user and assistant say in turn, the user first; any text.

    Of one question and one answer it is prompt, answer and VICUNA_END of the frame `vicuna`. A
    turn that is empty leaves its role alone, without the space or end after it.
    """
    parts = [_SYSTEM]
    for index, text in enumerate(turns):
        role, end = ("ASSISTANT:", VICUNA_END) if index % 2 else ("USER:", " ")
        parts.append(f"{role} {text}{end}" if text else role)
    return "".join(parts)


def render_answer(frame: str, solution: str, where: Optional[str] = None) -> str:
    """Give the text that the model has to produce after `render_prompt`, EOS aside.

    Raises UserError as `render_prompt` does.
    """
    return frame_of(frame).joint + _checked(solution, where)


def problem_in(prompt: str) -> str:
    """Give the problem in a prompt: of the frames that are round it, the longest is taken off."""
    found = [frame.pieces for frame in FRAMES.values() if len(frame.pieces) == 2]
    fits = [
        (before, after)
        for before, after in found
        if len(prompt) >= len(before) + len(after)
        and prompt.startswith(before)
        and prompt.endswith(after)
    ]
    before, after = max(fits, key=lambda pair: len(pair[0]) + len(pair[1]))
    return prompt[len(before) : len(prompt) - len(after)]


def frame_of(name: str) -> Frame:
    """Look a frame up; UserError, naming those there are, for an unknown one."""
    if name not in FRAMES:
        raise UserError(f"unknown prompt {name[:40]!r}", None, f"choose one of {', '.join(FRAMES)}")
    return FRAMES[name]


def _checked(text: str, where: Optional[str]) -> str:
    if not text.strip():
        raise UserError("a text to be put into a prompt is empty", where, "correct the row")
    found = _CONTROL.search(text)
    if found:
        raise UserError(
            f"holds the control token {found[0]}", where, "take it out, or remove the row"
        )
    return text
