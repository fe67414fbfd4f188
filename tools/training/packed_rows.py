"""Training on packed rows: several examples a row, each ending in EOS, none seeing another.

MindFormers lets a token see all before it in its row. The mask below lets it see those of its own
example alone, and is computed from the tokens, so that the rows need no further column.
Positions are not counted anew within a row: with rotary embeddings attention depends on
differences of positions only.
"""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.context import ParallelMode

from tools.llama.stack import LlamaForCausalLM, MindFormerModuleType, MindFormerRegister

# What MindFormers masks by other means, which know nothing of examples.
_OTHER_MASKS = (
    "use_past",
    "use_attn_mask_compression",
    "use_eod_attn_mask_compression",
    "use_ring_attention",
)


class PackedCausalMask(nn.Cell):
    """Which tokens are hidden from which, in the form of MindFormers' own mask.

    Position i sees j where j <= i and as many EOS stand before j as before i: its own example up
    to itself, an EOS being the last of its example. Padding needs no rule of its own. It comes
    after all examples, so none of them sees it; where it is EOS, each pad sees itself alone.

    seq_length             of the tokens: the training feeds rows without their last id
    eos_id                 ends an example
    compute_type           dtype of the mask without flash attention
    use_flash_attention    the other form of the mask
    """

    def __init__(
        self,
        seq_length: int,
        eos_id: int,
        compute_type: ms.Type = ms.float32,
        use_flash_attention: bool = False,
    ) -> None:
        super().__init__()
        self.eos_id = eos_id
        self.use_flash_attention = use_flash_attention
        self.dtype = ms.uint8 if use_flash_attention else compute_type
        self.later = ms.Tensor(np.triu(np.ones((seq_length, seq_length), bool), 1))
        self.hidden_score = ms.Tensor([-10000.0], compute_type)
        # Operators are attributes so that `shard` reaches them.
        self.shape = ops.Shape()
        self.reshape = ops.Reshape()
        self.cast = ops.Cast()
        self.equal = ops.Equal()
        self.ends_before = ops.CumSum(exclusive=True)
        self.differ = ops.NotEqual()
        self.either = ops.LogicalOr()
        self.scale = ops.Mul()

    def construct(self, tokens):
        """tokens, int (batch, seq_length) → (batch, 1, seq_length, seq_length), rows looking.

        uint8 with flash attention, 1 where hidden; otherwise compute_type, to be added to the
        scores: -10000 where hidden, 0 elsewhere.
        """
        batch, length = self.shape(tokens)
        ends = self.cast(self.equal(tokens, self.eos_id), ms.int32)
        example = self.ends_before(ends, 1)
        looking = self.reshape(example, (batch, 1, length, 1))
        looked_at = self.reshape(example, (batch, 1, 1, length))
        hidden = self.either(self.differ(looking, looked_at), self.later)
        mask = self.cast(hidden, self.dtype)
        if not self.use_flash_attention:
            mask = self.scale(mask, self.hidden_score)
        return mask

    def shard(self, parallel_config) -> None:
        """Split the batch over `data_parallel`, as MindFormers' own mask does."""
        parts = parallel_config.data_parallel
        self.equal.shard(((parts, 1), ()))
        self.ends_before.shard(((parts, 1),))
        self.differ.shard(((parts, 1, 1, 1), (parts, 1, 1, 1)))
        self.either.shard(((parts, 1, 1, 1), (1, 1)))
        self.scale.shard(((parts, 1, 1, 1), (1,)))


@MindFormerRegister.register(MindFormerModuleType.MODELS)
class PackedLlamaForCausalLM(LlamaForCausalLM):
    """LlamaForCausalLM for packed rows; parameters, their names and its loss are the same.

    The loss is the mean over all tokens with a label in the batch. MindFormers takes none where
    the input is the pad id; with pad == EOS that is the step from an example's EOS to the next
    example, which has no label anyway.

    Raises ValueError where the config masks in another way, or its EOS is not a single id.
    """

    def __init__(self, config) -> None:
        chosen = [key for key in _OTHER_MASKS if getattr(config, key, False)]
        if getattr(config.parallel_config, "seq_split_num", 1) > 1:
            chosen.append("seq_split_num")
        if chosen:
            raise ValueError(f"{chosen[0]} does not go with packed rows: turn it off")
        if not isinstance(config.eos_token_id, int):
            raise ValueError(f"eos_token_id is {config.eos_token_id}, not a single id")
        super().__init__(config=config)
        mask = PackedCausalMask(
            config.seq_length, config.eos_token_id, config.compute_dtype, config.use_flash_attention
        )
        modes = (ParallelMode.SEMI_AUTO_PARALLEL, ParallelMode.AUTO_PARALLEL)
        if ms.get_auto_parallel_context("parallel_mode") in modes:
            mask.shard(config.parallel_config)
        self.model.casual_mask = mask
