"""Training examples: prompt and answer as ids, and the arrays that MindFormers trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, NamedTuple, Sequence, Tuple

from tools.files.errors import UserError
from tools.records.tokenizers import Tokenizer

if TYPE_CHECKING:
    import numpy as np

# MindFormers' `ignore_token_id`: no loss is taken where a label has this value.
IGNORED = -100


class Example(NamedTuple):
    """The ids of a prompt, and those of its answer with EOS as the last."""

    prompt: List[int]
    answer: List[int]

    @property
    def size(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.answer)


def encode_examples(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Tokenizer
) -> List[Example]:
    """Encode rendered prompts and answers (`records.prompts`) into examples, no BOS.

    Each is encoded on its own: the example's ids start with exactly `encode(prompt)`, which is
    what inference sends. Raises UserError where the tokenizer has no EOS.
    """
    if tokenizer.eos_id is None:
        raise UserError("no end-of-sequence id is known", "tokenizer", "give --eos-id or --model")
    texts = [*prompts, *answers]
    ids = tokenizer.encode_batch(texts)
    half = len(prompts)
    end = [tokenizer.eos_id]
    return [Example(prompt, answer + end) for prompt, answer in zip(ids[:half], ids[half:])]


def fits(example: Example, seq_length: int) -> bool:
    """Whether an example has room in a row of seq_length + 1 ids."""
    return example.size <= seq_length + 1


def layout(
    examples: Sequence[Example], seq_length: int, pad_id: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Lay examples out as `input_ids` and `labels`, int32, (len(examples), seq_length + 1) each.

    ids hold prompt, answer, EOS, padding. labels hold the answer and EOS at the places where
    the ids hold them and IGNORED elsewhere. MindFormers shifts both by one: it feeds
    ids[:, :-1] and compares the output with labels[:, 1:].

    It also takes no loss at a position whose *input* is the pad id. With pad == EOS that is
    still right, because the input EOS stands only before padding; it would be wrong for a pad id
    inside an example, hence a UserError for one that stands before a token with a label. The
    examples must fit (`fits`); ValueError otherwise.
    """
    import numpy as np

    ids = np.full((len(examples), seq_length + 1), pad_id, dtype=np.int32)
    labels = np.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(examples):
        start, end = len(prompt), len(prompt) + len(answer)
        if end > seq_length + 1:
            raise ValueError(f"an example of {end} tokens in a row of {seq_length + 1}")
        ids[row, :start] = prompt
        ids[row, start:end] = labels[row, start:end] = answer
    if np.any((ids[:, :-1] == pad_id) & (labels[:, 1:] != IGNORED)):
        raise UserError(
            f"the pad id {pad_id} occurs inside an example, where MindFormers drops its loss",
            "tokenizer",
            "give a --pad-id that no text contains",
        )
    return ids, labels
