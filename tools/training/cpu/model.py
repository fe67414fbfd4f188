"""The LLaMA models as they train on the CPU: MindFormers' own but for what costs time there."""

from __future__ import annotations

import mindspore as ms
from mindspore import nn, ops

from tools.llama.stack import LlamaForCausalLM
from tools.training.cpu.cells import fit
from tools.training.cpu.step import CpuTrainOneStepCell
from tools.training.packed_rows import PackedLlamaForCausalLM


class OutputWhereLabelled(nn.Cell):
    """The output layer and the loss on the positions that have a label alone.

    In packed rows of short problems these are 3 of 10 positions, and the output layer over a
    vocabulary of 49 152 is a quarter of a step. How many there are at most in a row is written in
    the config by the launcher, `labels_per_row`, from the summary of the records: shapes are fixed
    when a graph is compiled. Without it, all positions are taken.
    """

    def __init__(self, config) -> None:
        super().__init__(config=config)
        if getattr(config, "input_sliced_sig", False):
            raise ValueError("input_sliced_sig is for rows that are shifted already: turn it off")
        fit(self)
        length = config.seq_length
        self.labels_per_row = min(getattr(config, "labels_per_row", None) or length, length)
        self.part = ops.StridedSlice()
        self.unequal = ops.NotEqual()
        self.both = ops.LogicalAnd()
        self.flat = ops.Reshape()
        self.first = ops.TopK(sorted=True)
        self.take = ops.Gather()
        self.to = ops.Cast()
        self.lost = ms.Tensor(float("nan"), ms.float32)

    def construct(self, input_ids, labels=None):
        """input_ids and labels, int (rows, length + 1) → the mean loss, ().

        NaN, which stops a training, where more labels come than there is room for. Out of
        training, as MindFormers': logits, input_ids, and 1 where these are not padding.
        """
        if not self.training:
            is_text = self.to(self.unequal(input_ids, self.pad_token_id), ms.float32)
            return self.lm_head(self.model(input_ids)), input_ids, is_text
        labels = input_ids if labels is None else labels
        rows, length = input_ids.shape
        tokens = self.part(input_ids, (0, 0), (rows, length - 1), (1, 1))
        labels = self.flat(self.part(labels, (0, 1), (rows, length), (1, 1)), (-1,))
        is_text = self.unequal(self.flat(tokens, (-1,)), self.pad_token_id)
        counts = self.both(is_text, self.unequal(labels, self.ignore_token_id))
        counts = self.to(counts, ms.float32)
        kept, places = self.first(counts, rows * self.labels_per_row)
        hidden = self.flat(self.model(tokens), (rows * (length - 1), -1))
        logits = self.lm_head(self.take(hidden, places, 0))
        loss = self.loss(logits, self.take(labels, places, 0), kept)
        return ops.select(counts.sum() > kept.sum(), self.lost, loss)


class CpuLlamaForCausalLM(OutputWhereLabelled, LlamaForCausalLM):
    """LlamaForCausalLM for the CPU."""


class CpuPackedLlamaForCausalLM(OutputWhereLabelled, PackedLlamaForCausalLM):
    """PackedLlamaForCausalLM for the CPU."""


class SharedLayersTrainOneStepCell(CpuTrainOneStepCell):
    """The training step of these models, whose layers are compiled once."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        compile_layers_once(self.network)


def compile_layers_once(network: nn.Cell) -> None:
    """Let MindSpore's front end work on one graph for all layers of the same structure.

    Cells that say the same of how they were made share a graph until it is put in its places, late
    in the front end: what `lazy_inline(policy="front")` does, whose key is the arguments of
    __init__. LoRA exchanges cells after that, in some layers perhaps and not in others, so that
    here the key is what the layer is made of: its cells, parameters, and which of these learn.
    """
    for _, model in network.cells_and_names():
        if isinstance(model, OutputWhereLabelled):
            for layer in model.model.layers:
                # MindSpore looks for the first words.
                layer.cell_init_args = f"lazy_inline_{_structure(layer)}"
                layer.no_inline = False


def _structure(layer: nn.Cell) -> str:
    cells = [(name, type(cell).__name__) for name, cell in layer.cells_and_names()]
    return str((cells, [(p.shape, str(p.dtype), p.requires_grad) for p in layer.get_parameters()]))
