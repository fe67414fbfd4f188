"""Greedy decoding by MindFormers' own `generate`: on Ascend with paged attention, as the contest
does; on the CPU without a cache, which is slow and there to be compared with.

Imported only where it is asked for: MindFormers takes seconds to import.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from tools.llama.checkpoint import Checkpoint
from tools.llama.greedy import Done, Limits, capacity_of
from tools.llama.shape import LlamaShape

_BLOCK = 16  # positions in a block of paged attention, MindFormers' default
# float16 as the organisers' evaluation: the contest's release keeps keys and values in that,
# whatever compute_dtype is, and turns queries and keys by it.
_ON_CARDS = {
    "compute_dtype": "float16",
    "layernorm_compute_type": "float32",
    "softmax_compute_type": "float32",
    "rotary_dtype": "float32",
    "param_init_type": "float16",
    "use_past": True,
    "is_dynamic": True,
    "use_flash_attention": True,
    "block_size": _BLOCK,
}
# Why each: configs/smollm2-135m/finetune.yaml. Paged attention is not there on the CPU.
_ON_CPU = {
    "compute_dtype": "float32",
    "layernorm_compute_type": "float32",
    "softmax_compute_type": "float32",
    "rotary_dtype": "float32",
    "param_init_type": "float32",
    "use_past": False,
    "use_flash_attention": False,
    "use_rope_slice": True,
    "fused_rms_norm": False,
}


class MindFormersEngine:
    """One LlamaForCausalLM of MindFormers, built again for another shape or greater lengths.

    length  positions that it is built for at least.
    """

    name = "mindformers"
    versions = ("mindformers", "mindspore", "numpy")

    def __init__(self, device: str, places: int, length: int = 64) -> None:
        self._device, self.places, self._length = device, places, length
        self._model: Any = None
        self._built: Any = None
        self._loaded: Any = None

    def decode(
        self,
        folder: Path,
        shape: LlamaShape,
        prompts: Sequence[np.ndarray],
        limits: Limits,
        done: Done,
    ) -> None:
        """As engines.Engine's, in batches of prompts of nearly equal lengths; the answers of a
        batch come when the last of them is whole.

        What ends before it may, an EOS among the first min_new_tokens, is asked for again, with
        that minimum and in batches of one length: greedily the others are the same with it. The
        contest's release asks each row for the longest prompt's length and the minimum beyond,
        so that in a mixed batch a shorter one could not end where it should.
        """
        longest = max(len(prompt) for prompt in prompts) + limits.max_new_tokens
        self._build(shape, max(self._length, capacity_of(longest)))
        self._load(folder, shape)
        lengths = [len(prompt) for prompt in prompts]
        again = []
        for batch in batches_of(range(len(prompts)), lengths, self.places):
            free = replace(limits, min_new_tokens=0)
            for index, tokens in zip(batch, self._answers([prompts[i] for i in batch], free)):
                if limits.eos_id in tokens[: limits.min_new_tokens]:
                    again.append(index)
                else:
                    done(index, *ended(tokens, limits))
        for batch in batches_of(again, lengths, self.places, alike=True):
            for index, tokens in zip(batch, self._answers([prompts[i] for i in batch], limits)):
                done(index, *ended(tokens, limits))

    def _answers(self, prompts: list[np.ndarray], limits: Limits) -> list[list[int]]:
        """The new tokens of each, EOS and what follows included."""
        pad = padding_of(prompts, limits.eos_id)
        # A graph has one number of rows: the last batch is filled up with its first prompt.
        rows = prompts + prompts[:1] * (self.places - len(prompts))
        width = max(map(len, rows))
        ids = np.full((len(rows), width), pad, np.int64)
        for row, prompt in zip(ids, rows):
            row[: len(prompt)] = prompt
        from tools.llama.stack import end_tokens

        results = self._model.generate(
            ids,
            do_sample=False,
            max_new_tokens=limits.max_new_tokens,
            min_new_tokens=limits.min_new_tokens or None,
            eos_token_id=end_tokens(limits.eos_id),
            pad_token_id=pad,
        )
        # The contest's release counts max_new_tokens from the longest prompt of a batch.
        return [
            [int(token) for token in result[len(prompt) :][: limits.max_new_tokens]]
            for result, prompt in zip(results, prompts)
        ]

    def _build(self, shape: LlamaShape, length: int) -> None:
        if self._built is not None and self._built[0] == shape and self._built[1] >= length:
            return
        if self._built is None:
            # Each release makes a folder for its logs where the process stands, or where one of
            # these says.
            logs = tempfile.mkdtemp(prefix="mindformers-")
            for name in ("LOCAL_DEFAULT_PATH", "LOG_MF_PATH"):
                os.environ.setdefault(name, logs)
        import mindspore as ms

        from tools.llama.stack import LlamaConfig, LlamaForCausalLM, use_plain_rms_norm

        sys.stderr.write("decode: compiling the graph, a minute or more\n")
        # Before the next one is made: there is no room for two.
        self._model = self._loaded = None
        gc.collect()
        if self._device == "CPU":
            use_plain_rms_norm()
        ms.set_context(mode=ms.GRAPH_MODE, device_target=self._device)
        settings = dict(_ON_CPU if self._device == "CPU" else _ON_CARDS)
        if "block_size" in settings:
            settings["num_blocks"] = self.places * -(-length // _BLOCK) + 1
        # MindFormers hides the padding's token from attention, wherever it stands. What is behind
        # a row hides itself, so that no token need be hidden: EOS may stand inside of a prompt.
        sizes = {**shape.to_dict(), "pad_token_id": -1}
        config = LlamaConfig(**sizes, batch_size=self.places, seq_length=length, **settings)
        self._model = LlamaForCausalLM(config)
        self._model.set_train(False)
        if self._device == "CPU":
            # Its own is mint.argmax, for which the CPU has no kernel.
            self._model.argmax = lambda logits, axis: ms.ops.Argmax(axis)(logits)
        self._built, self._loaded = (shape, length), None

    def _load(self, folder: Path, shape: LlamaShape) -> None:
        if self._loaded == folder:
            return
        import mindspore as ms

        path = folder / "model.ckpt"
        remedy = "name a whole checkpoint of that model"
        Checkpoint(path).require_shapes(shape.parameters(), "model.json", remedy)
        ms.load_param_into_net(self._model, ms.load_checkpoint(str(path)))
        self._loaded = folder


def batches_of(
    indices: Iterable[int], lengths: Sequence[int], places: int, alike: bool = False
) -> list[list[int]]:
    """Indices of prompts in batches of at most `places`, short prompts first.

    alike   only prompts of one length share a batch.
    """
    order = sorted(indices, key=lengths.__getitem__)
    groups = [list(group) for _, group in groupby(order, lengths.__getitem__)] if alike else [order]
    return [
        group[start : start + places] for group in groups for start in range(0, len(group), places)
    ]


def padding_of(prompts: Sequence[np.ndarray], eos_id: int) -> int:
    """A token id to pad with on the right.

    MindFormers counts a prompt's length up to the last token that is not padding: EOS, unless a
    prompt ends with it; then the first id that no prompt ends with.
    """
    last = {int(prompt[-1]) for prompt in prompts}
    return next(token for token in (eos_id, *range(len(last) + 1)) if token not in last)


def ended(tokens: list[int], limits: Limits) -> tuple[list[int], str]:
    """`tokens` as a row of `greedy.decode_greedily` ends, and why it does."""
    reason = "eos" if limits.eos_id in tokens else "length"
    if reason == "eos":
        tokens = tokens[: tokens.index(limits.eos_id)]
    if limits.stop:
        for count in range(1, len(tokens) + 1):
            if limits.stop(tokens[:count]):
                return tokens[:count], "stop"
    return tokens, reason
