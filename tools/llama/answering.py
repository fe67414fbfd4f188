"""Prompt files through models into prediction files, resumed where an earlier run was killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np

from tools.files.atomic import write_json
from tools.files.errors import UserError
from tools.files.machine import version_of
from tools.files.progress import progress
from tools.llama.engines import Engine, open_engine
from tools.llama.greedy import Limits
from tools.llama.predictions import PromptRow, Unfinished, fingerprint, is_done, read_prompts
from tools.llama.shape import LlamaShape
from tools.records.tokenizers import find_tokenizer, open_tokenizer

PathLike = Union[str, Path]
# Positions of a model, where nobody says otherwise: LLaMA-3's and SmolLM2's.
LONGEST = 8192


def generate(
    model_folders: Sequence[PathLike],
    prompt_files: Sequence[PathLike],
    outputs: Sequence[PathLike],
    max_new_tokens: Sequence[int],
    min_new_tokens: int = 0,
    batch_size: int = 8,
    stop: Sequence[str] = (),
    add_bos: bool = False,
    max_length: int = LONGEST,
    device: str = "CPU",
    engine: Optional[str] = None,
) -> list[dict[str, Any]]:
    """Answer every prompt of every file by every model, greedily; give the run files' contents.

    model_folders   each with model.ckpt, model.json and tokenizer.json or tokenizer.model.
    outputs         a file a pair, models outermost: (A, squad), (A, valid), (B, squad), ...
    max_new_tokens  a number a prompt file.
    stop            a prediction ends before the first of these texts.
    max_length      positions of the model: a longer prompt is refused, never cut.
    engine          one of engines.ENGINES; None: the device's own.

    An output appears when it is complete; until then its rows collect in OUTPUT.partial, with
    which the next run goes on. Beside it lies NAME.run.json. An output that is there already,
    from the same model, prompts and settings, is left as it is.
    Raises UserError for files that are missing or damaged, and for a prompt that is too long.
    """
    if len(outputs) != len(model_folders) * len(prompt_files):
        raise UserError("as many outputs as pairs of model and prompts are needed", "--output")
    opened = open_engine(engine, device, batch_size)
    results, fingerprints = [], _Fingerprints()
    pairs = [(model, index) for model in model_folders for index in range(len(prompt_files))]
    for (model, index), output in zip(pairs, outputs):
        settings = {
            "max_new_tokens": max_new_tokens[index],
            "min_new_tokens": min_new_tokens,
            "stop": list(stop),
            "add_bos": add_bos,
        }
        task = _Task(Path(model), Path(prompt_files[index]), Path(output), settings, max_length)
        results.append(task.run(opened, fingerprints))
    return results


class _Fingerprints:
    """Size and sha256 of files; a checkpoint is read through only once for all its prompt files."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, Any]] = {}

    def of(self, path: Path) -> dict[str, Any]:
        if path not in self._known:
            self._known[path] = fingerprint(path)
        return self._known[path]


class _Task:
    """One model on one prompt file."""

    def __init__(
        self, folder: Path, prompts: Path, output: Path, settings: dict[str, Any], max_length: int
    ) -> None:
        self.folder, self.prompts, self.output = folder, prompts, output
        self.settings, self.max_length = settings, max_length

    def run(self, engine: Engine, fingerprints: _Fingerprints) -> dict[str, Any]:
        header = {
            "prompts": fingerprints.of(self.prompts),
            "model": fingerprints.of(self.folder / "model.ckpt"),
            "tokenizer": fingerprints.of(find_tokenizer(self.folder)),
            "settings": {**self.settings, "engine": engine.name},
        }
        run_file = self.output.with_name(f"{self.output.stem}.run.json")
        done = is_done(self.output, run_file, header)
        if done:
            return {**done, "skipped": True}
        shape = LlamaShape.load(self.folder / "model.json")
        rows = read_prompts(self.prompts)
        tokenizer = _open_tokenizer(self.folder, shape)
        ids = self._encode(rows, tokenizer, shape)
        with Unfinished(self.output, header) as unfinished:
            left = [index for index in range(len(rows)) if index not in unfinished.rows]
            began = time.monotonic()
            if left:
                self._decode(engine, shape, tokenizer, ids, left, unfinished)
            seconds = time.monotonic() - began
            content = unfinished.complete(rows)
        tokens = sum(len(row["tokens"]) for row in unfinished.rows.values())
        fresh = sum(len(unfinished.rows[index]["tokens"]) for index in left)
        result = {
            **header,
            "output": {"bytes": content.bytes, "sha256": content.sha256},
            "rows": len(rows),
            "resumed_rows": len(rows) - len(left),
            "prompt_tokens": sum(map(len, ids)),
            "new_tokens": tokens,
            "reasons": unfinished.reasons(),
            "seconds": round(seconds, 3),
            "tokens_per_second": round(fresh / seconds, 2) if left else None,
            "versions": {name: version_of(name) for name in engine.versions},
        }
        # Written last but for the removal: with it the output counts as done.
        write_json(run_file, result)
        unfinished.remove()
        return {**result, "skipped": False}

    def _encode(self, rows: list[PromptRow], tokenizer: Any, shape: LlamaShape) -> list[np.ndarray]:
        begin = [shape.bos_token_id] if self.settings["add_bos"] else []
        encoded = []
        for row, tokens in zip(rows, tokenizer.encode_batch([row.prompt for row in rows])):
            ids = np.array(begin + list(tokens), np.int64)
            where = f"{self.prompts}:{row.line}"
            length = len(ids) + self.settings["max_new_tokens"]
            if length > self.max_length:
                raise UserError(
                    f"the prompt's {len(ids)} tokens and the answer take {length} positions, "
                    f"the model has {self.max_length}",
                    where,
                    "shorten the prompt, or raise --max-length if the model has more",
                )
            if not len(ids):
                raise UserError("the prompt is empty", where, "take the row out")
            if ids.max() >= shape.vocab_size:
                raise UserError(
                    f"token {ids.max()} is outside the model's vocabulary of {shape.vocab_size}",
                    where,
                    "put the model's own tokenizer into its folder",
                )
            encoded.append(ids)
        return encoded

    def _decode(
        self,
        engine: Engine,
        shape: LlamaShape,
        tokenizer: Any,
        ids: list[np.ndarray],
        left: list[int],
        unfinished: Unfinished,
    ) -> None:
        stop = self.settings["stop"]
        limits = Limits(
            self.settings["max_new_tokens"],
            self.settings["min_new_tokens"],
            shape.eos_token_id,
            (lambda tokens: _stop_at(tokenizer.decode(tokens), stop) is not None) if stop else None,
        )
        label = f"{self.folder.name}, {self.prompts.stem}"
        resumed = len(ids) - len(left)
        # The first company waits for the graphs, and its rows come nearly all at once.
        warm_up = min(engine.places, len(left) // 2)
        with progress(label, len(ids), "rows", start=resumed, warm_up=warm_up) as bar:

            def done(position: int, tokens: list[int], reason: str) -> None:
                text = tokenizer.decode(tokens)
                unfinished.add(left[position], tokens, text[: _stop_at(text, stop)], reason)
                bar.advance()

            engine.decode(self.folder, shape, [ids[index] for index in left], limits, done)


def _open_tokenizer(folder: Path, shape: LlamaShape) -> Any:
    return open_tokenizer(
        find_tokenizer(folder), shape.bos_token_id, shape.eos_token_id, shape.pad_token_id
    )


def _stop_at(text: str, stop: Sequence[str]) -> Optional[int]:
    """Where the first of the stop texts begins, None if none is there."""
    return min((at for at in (text.find(end) for end in stop) if at >= 0), default=None)
