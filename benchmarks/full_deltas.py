"""What full fine-tuning would change: the gradient at the base, and the weights after some steps.

    python -m benchmarks.full_deltas --run runs/smollm2-135m-quick --records train.mindrecord

A LoRA's delta has its rank by construction and says nothing of the rank that is wanted. Here all
matrices of the layers learn, a packed row a step; the embedding, the output matrix and the norms
stay. RUN gives config and base weights. OUTPUT receives gradient.ckpt (the mean gradient of the
loss over --gradients rows, at the base), adam.ckpt (its signs: Adam's first step, but for the
rate), tuned.ckpt (the matrices after Adam went through all rows once, in float32) and losses.json.
benchmarks.low_rank then measures them.

One process, under 4 GB at rows of 256 tokens, where a step takes some seconds on two cores.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import click
import numpy as np

from tools.cli import Command
from tools.files.atomic import write_json
from tools.files.progress import progress
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.settings.native import read_finetune
from tools.training.inputs import labels_per_row

WARM_UP = 10  # steps in which the rate rises


def build(config: Path, records: Path, base: Path) -> Any:
    """The packed model of a finetune.yaml for single rows, no LoRA in it, with the base's weights.

    Only the layers' matrices learn.
    """
    import mindspore as ms
    from mindformers.models.llama import LlamaConfig

    from tools.training.cpu.model import CpuPackedLlamaForCausalLM, compile_layers_once

    native = read_finetune(config)["model"]["model_config"]
    settings = {key: value for key, value in native.items() if key not in ("type", "pet_config")}
    settings["batch_size"] = 1
    settings["labels_per_row"] = labels_per_row(records, settings["seq_length"])
    model = CpuPackedLlamaForCausalLM(LlamaConfig(**settings))
    checkpoint = Checkpoint(base)
    for parameter in model.get_parameters():
        parameter.set_data(ms.Tensor(checkpoint.read(parameter.name).astype(np.float32)))
        parameter.requires_grad = ".layers." in parameter.name and len(parameter.shape) == 2
    compile_layers_once(model)
    return model.set_train(True)


def gradients_of(model: Any, weights: Any) -> Any:
    """A cell: a row's ids and labels → its loss, and the gradient of each of `weights`."""
    from mindspore import nn, ops

    class Gradients(nn.Cell):
        def __init__(self) -> None:
            super().__init__(auto_prefix=False)
            self.model, self.weights = model, weights
            self.gradient = ops.GradOperation(get_by_list=True)

        def construct(self, ids, labels):
            loss = self.model(ids, labels)
            return loss, self.gradient(self.model, self.weights)(ids, labels)

    return Gradients()


def rows_of(records: Path) -> Iterator[tuple]:
    """(input_ids, labels) of every packed row, each (1, length + 1), in the order of the file."""
    from mindspore import dataset

    source = dataset.MindDataset(str(records), ["input_ids", "labels"], shuffle=False).batch(1)
    yield from source.create_tuple_iterator(num_epochs=1)


def mean_gradient(step: Any, names: List[str], records: Path, rows: int, output: Path) -> float:
    """Write the mean gradient over the first `rows` rows; give the mean loss there."""
    sums: Dict[str, np.ndarray] = {}
    losses = []
    with progress("gradients", total=rows, unit="rows") as bar:
        for row, _ in zip(rows_of(records), range(rows)):
            loss, gradients = step(*row)
            losses.append(float(loss.asnumpy()))
            for name, gradient in zip(names, gradients):
                sums[name] = sums.get(name, 0) + gradient.asnumpy()
            bar.advance()
    write_checkpoint(output, ((n, a / np.float32(len(losses)), "Float32") for n, a in sums.items()))
    return float(np.mean(losses))


def first_adam_step(gradient: Path, output: Path) -> None:
    """Write the signs of a gradient: m / √v after one step, where ε is far below |g|."""
    read = Checkpoint(gradient)
    write_checkpoint(output, ((name, np.sign(read.read(name)), "Float32") for name in read.names()))


@click.command(cls=Command, help=__doc__.splitlines()[0])
@click.option("--run", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--records", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--output", type=click.Path(path_type=Path), default="runs/full-deltas")
@click.option("--gradients", default=32, show_default=True, help="Rows of the gradient.")
@click.option("--learning-rate", default=1e-4, show_default=True)
def main(run: Path, records: Path, output: Path, gradients: int, learning_rate: float) -> None:
    import mindspore as ms
    from mindspore import nn

    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU", max_call_depth=10000)
    model = build(run / "config" / "finetune.yaml", records, run / "base" / "model.ckpt")
    weights = ms.ParameterTuple(model.trainable_params())
    names = [weight.name for weight in weights]
    step = gradients_of(model, weights)
    at_base = mean_gradient(step, names, records, gradients, output / "gradient.ckpt")
    first_adam_step(output / "gradient.ckpt", output / "adam.ckpt")
    rows = list(rows_of(records))
    rates = [learning_rate * min(1.0, (at + 1) / WARM_UP) for at in range(len(rows))]
    adam = nn.Adam(list(weights), learning_rate=rates)
    losses, started = [], time.monotonic()
    with progress("train", total=len(rows), unit="steps") as bar:
        for row in rows:
            loss, found = step(*row)
            adam(found)
            losses.append(float(loss.asnumpy()))
            bar.advance()
    write_checkpoint(output / "tuned.ckpt", ((w.name, w.asnumpy(), "Float32") for w in weights))
    seconds = time.monotonic() - started
    told = {"at_base": at_base, "losses": losses, "seconds": seconds, "rate": learning_rate}
    write_json(output / "losses.json", told)
    tenth = max(1, len(losses) // 10)
    click.echo(
        f"{len(losses)} steps in {seconds:.0f} s, loss of the first tenth "
        f"{np.mean(losses[:tenth]):.3f}, of the last {np.mean(losses[-tenth:]):.3f}"
    )


if __name__ == "__main__":
    main()
