"""Memory of a training and of a decoding by term, and what would make them fit.

docs/planning.md derives each term. They are of one card; on the CPU of one worker's process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from tools.files.errors import CheckFailed, UserError
from tools.planning.load import Load, adapter_sizes, layer_matrices, trained_of
from tools.settings.measured import Around

GIB = 1 << 30
# What a formula that was never held against a card should leave free, of what may be used.
MARGIN = 0.05
_FLOAT32 = 4
# AdamW keeps both moments in float32, whatever the type of the parameter.
_MOMENTS = 2 * _FLOAT32
# Flash attention keeps maximum and sum of each row of scores, float32, eight times each.
_ROW_STATISTICS = 2 * 8 * _FLOAT32
# The loss has four float32 numbers a logit at once: log softmax, one-hot label, softmax, gradient.
_LOSS = 4 * _FLOAT32


def training_terms(load: Load, around: Around) -> Dict[str, float]:
    """Return term → bytes at the peak of a training step."""
    trained = trained_of(load)
    terms = {
        "base weights": weights(load),
        "LoRA weights": float(trained * _FLOAT32),
        "gradients": float(trained * _FLOAT32),
        "optimiser": float(trained * _MOMENTS),
        "activations": activations(load),
        "logits and loss": logits(load),
    }
    process = (around.process_gib + around.layer_gib * load.shape.num_layers) * GIB
    return {**terms, "process": process} if process else terms


def weights(load: Load) -> float:
    """Return the base weights of a card; norms are in float32, a tied output is twice there."""
    shape = load.shape
    ends = 2 * shape.vocab_size * shape.hidden_size
    norms = (2 * shape.num_layers + 1) * shape.hidden_size
    return load.weight * (layer_matrices(shape) / load.model_parallel + ends) + _FLOAT32 * norms


def layer_bytes(load: Load, recompute: bool) -> float:
    """Return the bytes that one layer keeps of one position for its backward pass.

    The base weights are frozen: of a product by one of them only LoRA needs the input.
    """
    shape, shared = load.shape, load.model_parallel
    hidden, ffn = shape.hidden_size, shape.intermediate_size
    if recompute:
        return load.compute * hidden / shared
    adapted = {module.split(".")[-1] for module in adapter_sizes(shape, load.lora)}
    norms = 2 * _FLOAT32 * hidden
    inputs = load.compute * hidden * bool(adapted & {"wq", "wk", "wv"})
    inputs += load.compute * hidden * bool(adapted & {"w1", "w3"})
    inputs += load.compute * ffn / shared * ("w2" in adapted)
    if load.flash:
        key_value = shape.n_kv_heads * shape.head_dim
        scores = _ROW_STATISTICS * shape.num_heads / shared
    else:
        # Keys and values are repeated for each head, scores kept in both types.
        key_value = hidden
        both = sum({_FLOAT32, load.compute})
        scores = shape.num_heads * load.length * both / shared
    queries = load.compute * (hidden + 2 * key_value) / shared
    attended = load.compute * hidden / shared
    # Both branches, and the gate after its activation.
    gates = 3 * load.compute * ffn / shared
    return norms + inputs + queries + attended + scores + gates


def activations(load: Load) -> float:
    """Return what all layers keep, and what the backward pass of one of them needs beside."""
    kept = load.shape.num_layers * layer_bytes(load, load.recompute)
    # One layer's gradients; with recomputation also what is computed again of it.
    working = layer_bytes(load, False) * (2 if load.recompute else 1)
    return load.tokens * (kept + working)


def logits(load: Load) -> float:
    """Return the logits in the compute type, whole on each card, and the loss's float32 copies."""
    # In float32 they are the first of the loss's.
    plain = 0 if load.compute == _FLOAT32 else load.compute
    a_logit = plain + _LOSS / load.model_parallel
    return load.tokens * load.outputs * load.shape.vocab_size * a_logit


def cache_bytes(load: Load, batch: int, positions: int) -> float:
    """Return the bytes of keys and values of `batch` rows of `positions`, in the compute type."""
    shape = load.shape
    width = shape.n_kv_heads * shape.head_dim
    return 2.0 * shape.num_layers * width * load.compute * batch * positions


def decoding_terms(load: Load, around: Around, batch: int, positions: int) -> Dict[str, float]:
    """Return term → bytes of one card that decodes `batch` rows of up to `positions`.

    Prompts are counted in. The merged model is whole on one card, in the compute type.
    """
    shape = load.shape
    layer = _FLOAT32 * shape.hidden_size * 2 + load.compute * 3 * shape.intermediate_size
    terms = {
        "base weights": float(load.compute * shape.count()),
        "key-value cache": cache_bytes(load, batch, positions),
        # The prefill has a layer's activations of every position, and logits of the last.
        "activations": float(batch * positions * layer),
        "logits and loss": float(batch * shape.vocab_size * (load.compute + _FLOAT32)),
    }
    process = around.process_gib * GIB
    return {**terms, "process": process} if process else terms


class Limit(NamedTuple):
    """GiB that a card has, or the machine on the CPU, and that the terms may take of it."""

    total: float
    usable: float
    why: str


def limit_of(load: Load, hbm: float, around: Around) -> Limit:
    """Return the limit of a card of `hbm` GiB, on the CPU of a machine.

    max_device_memory of the YAML decides where the card has more; else measured.yaml's reserve for
    the driver, CANN and the communication is left. Raises UserError where nothing remains.
    """
    if load.device == "CPU":
        return Limit(hbm, hbm, "the machine's memory")
    if load.most_memory is not None and load.most_memory < hbm:
        return Limit(hbm, load.most_memory, "max_device_memory of the config")
    kept = around.reserve_gib
    if hbm <= kept:
        raise UserError(f"of {hbm:g} GiB nothing is left", "HBM", "give the memory of one card")
    return Limit(hbm, hbm - kept, f"{kept:g} GiB stay for driver, CANN and communication")


def training_gib(load: Load, around: Around) -> Dict[str, float]:
    """Return term → GiB of a training step in one memory: a card's, or all workers' on the CPU."""
    count = load.cards if load.device == "CPU" else 1
    return {name: count * size / GIB for name, size in training_terms(load, around).items()}


def refusal(
    load: Load, stages: Dict[str, Dict[str, float]], limit: Limit, around: Around
) -> Optional[CheckFailed]:
    """Return None where all fits; else which stage does not, its largest term, and what helps.

    stages   "training" and "decoding", each term → GiB
    """
    for stage, terms in stages.items():
        whole = sum(terms.values())
        if whole <= limit.usable:
            continue
        name = max(terms, key=lambda term: terms[term])
        what = (
            f"{stage} needs {whole:.1f} GiB, {limit.usable:.1f} may be used ({limit.why}); "
            f"the largest term is {name}, {terms[name]:.1f} GiB"
        )
        remedy = "decode fewer prompts at once (evaluation.batch_size)"
        if stage == "training":
            remedy = _remedy(load, limit, around)
        return CheckFailed(what, "HBM" if load.device != "CPU" else "memory", remedy)
    return None


def _remedy(load: Load, limit: Limit, around: Around) -> str:
    for words, changed in smaller(load):
        size = sum(training_gib(changed, around).values())
        if size <= (1 - MARGIN) * limit.usable:
            return f"{words}: {size:.1f} GiB"
    return "take cards with more memory, or more cards and model_parallel"


def smaller(load: Load) -> Iterator[Tuple[str, Load]]:
    """Yield what one may change, the cheapest first: (words, the changed load)."""
    # Whether MindFormers recomputes on the CPU was not tried.
    words = ""
    if load.device != "CPU" and not load.recompute:
        load = replace(load, recompute=True)
        yield "recompute fully (recompute_config.recompute: True)", load
        words = "recompute fully, and "
    batch = load.batch
    while batch > 1:
        batch //= 2
        yield f"{words}take batch_size {batch}", replace(load, batch=batch)
    if load.device != "CPU" and load.model_parallel < load.cards:
        yield (
            f"{words}split the model (model_parallel {load.cards}, batch_size {load.batch})",
            replace(load, model_parallel=load.cards),
        )
    if load.device == "CPU" and load.cards > 1:
        yield "take batch_size 1 and CARDS=1", replace(load, batch=1, cards=1)
    length = load.length
    while length > 64:
        length //= 2
        yield (
            f"{words}take batch_size 1 and seq_length {length}",
            replace(load, batch=1, length=length),
        )
