"""How fast rows become MindRecord files: the organisers' way, ours, and the ceilings of ours.

    python -m benchmarks.convert_records --tokenizer tokenizer.model            (some ten minutes)
    python -m benchmarks.convert_records --tokenizer tokenizer.model --scale    (train.json as well)

The rows are generated, in the proportions of the contest's file. Each measurement is a process of
its own. Prints a Markdown table, then one line of JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, List

import click

from tools.cli import Command
from tools.corpus.kinds import UNIQUE
from tools.corpus.render import render
from tools.corpus.rows import make_row, read_rows
from tools.corpus.sample import draw, proportional
from tools.files.errors import UserError
from tools.files.parallel import cores

ROOT = Path(__file__).resolve().parents[1]
SEQ_LENGTH = 256
# Of the organisers' way only so many rows are converted: its rate does not depend on how many.
SUBSET = 4000
_BATCH = 2048
# As many as train.json has in Chinese.
FULL = 800_000
# Prime, and no divisor of the counts used: a fixed shuffle.
_STEP = 7919


# --- Pieces, each called in a process of its own; they return what they measured ----------------


def organisers(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Convert the first SUBSET rows as the organisers do."""
    from benchmarks.organisers_way import convert

    return convert(rows, tokenizer, f"{folder}/organisers.mindrecord", SUBSET, SEQ_LENGTH)


def ours(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Convert all rows, unpacked; MindSpore has been imported before the clock starts."""
    from tools.records.mindrecord import RecordSettings, write_records
    from tools.records.writer import import_mindspore

    import_mindspore()
    began = time.perf_counter()
    settings = RecordSettings(SEQ_LENGTH)
    summary = write_records(rows, tokenizer, f"{folder}/ours.mindrecord", settings)
    return {"rows": summary["examples"], "seconds": time.perf_counter() - began}


def conversations(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Convert all rows into the organisers' own, from conversations; as `ours` otherwise."""
    from tools.records.conversation_records import write_conversation_records
    from tools.records.conversations import write_conversations
    from tools.records.writer import import_mindspore

    source, output = f"{folder}/conversations.json", f"{folder}/conversations.mindrecord"
    write_conversations(rows, source, "none")
    import_mindspore()
    began = time.perf_counter()
    summary = write_conversation_records(source, tokenizer, output, SEQ_LENGTH)
    return {"rows": summary["rows"], "seconds": time.perf_counter() - began}


def texts_of(rows: str) -> List[List[str]]:
    """Prompts and answers of a corpus file, in batches."""
    from tools.records.prompts import render_answer, render_prompt

    pairs = [
        (render_prompt("alpaca", row.problem), render_answer("alpaca", row.solution))
        for row in read_rows(rows)
    ]
    parts = (pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH))
    return [[text for pair in part for text in pair] for part in parts]


_tokenizer: Any = None


def open_here(tokenizer: str) -> None:
    """Open the tokenizer in a process."""
    global _tokenizer
    from tools.records.tokenizers import open_tokenizer

    _tokenizer = open_tokenizer(tokenizer)


def count_tokens(texts: List[str]) -> int:
    """Encode texts, give back no more than a number."""
    return sum(map(len, _tokenizer.encode_batch(texts)))


def encode_alone(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Only tiktoken, in one process."""
    batches = texts_of(rows)
    open_here(tokenizer)
    began = time.perf_counter()
    for batch in batches:
        count_tokens(batch)
    return {"rows": sum(map(len, batches)) / 2, "seconds": time.perf_counter() - began}


def encode_together(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Only tiktoken, a process a core, all of them started before the clock."""
    batches = texts_of(rows)
    with ProcessPoolExecutor(cores(), get_context("spawn"), open_here, (tokenizer,)) as pool:
        list(pool.map(count_tokens, [["a" * 99_999] * 20] * 8 * cores()))
        began = time.perf_counter()
        list(pool.map(count_tokens, batches))
        seconds = time.perf_counter() - began
    return {"rows": sum(map(len, batches)) / 2, "seconds": seconds}


def write_alone(rows: str, tokenizer: str, folder: str) -> Dict[str, float]:
    """Only MindSpore's writer and its index, rows prepared as bytes."""
    import numpy as np

    from tools.records.writer import FIELDS, blobs

    with Path(rows).open("rb") as handle:
        count = sum(1 for _ in handle)
    ids = np.random.default_rng(1).integers(0, 128_000, (count, SEQ_LENGTH + 1), dtype=np.int32)
    prepared = [
        blobs(ids[at : at + _BATCH], ids[at : at + _BATCH]) for at in range(0, count, _BATCH)
    ]
    from mindspore.mindrecord import FileWriter

    began = time.perf_counter()
    writer = FileWriter(f"{folder}/alone.mindrecord", shard_num=1)
    column = {"type": "int32", "shape": [SEQ_LENGTH + 1]}
    writer.add_schema(dict.fromkeys(FIELDS, column), "examples")
    writer.write_raw_data([dict.fromkeys(FIELDS, ids[0])])
    for part in prepared:
        writer._writer._writer.write_raw_data({}, part, False, False)
    written = time.perf_counter()
    writer.commit()
    ended = time.perf_counter()
    return {"rows": count, "seconds": ended - began, "commit": ended - written}


# --- Processes, their time and memory -----------------------------------------------------------


def run(command: List[str], folder: Path) -> Dict[str, Any]:
    """Run a command: {"seconds", "peak" bytes of all its processes at once, "output"}."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    # MindFormers leaves its logs in the working folder.
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        peak = [0]
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(process.pid, peak, ended))
        watch.start()
        output, errors = process.communicate()
        ended.set()
        watch.join()
    if process.returncode:
        raise UserError(f"failed: {errors.strip()[-300:]}", " ".join(command[:4])[:80])
    return {"seconds": time.perf_counter() - began, "peak": peak[0], "output": output}


def _watch(root: int, peak: List[int], ended: threading.Event) -> None:
    while not ended.wait(0.2):
        parents, resident = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                pages = int((folder / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            parents[int(folder.name)] = int(fields[1])
            resident[int(folder.name)] = pages * os.sysconf("SC_PAGE_SIZE")
        family = {root}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        peak[0] = max(peak[0], sum(resident.get(pid, 0) for pid in family))


def piece(name: str, rows: Path, tokenizer: Path, repeat: int) -> Dict[str, Any]:
    """Measure a piece `repeat` times: medians of its own seconds and of its process's."""
    runs = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [str(rows), str(tokenizer), folder]
            call = f"json.dumps(b.{name}(*{arguments!r}))"
            code = f"import json, benchmarks.convert_records as b; print({call})"
            done = run([sys.executable, "-c", code], Path(folder))
            inner = json.loads(done["output"].splitlines()[-1])
            runs.append({**inner, "whole": done["seconds"], "peak": done["peak"]})
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def command(name: str, repeat: int, folder: Path, *arguments: object) -> Dict[str, Any]:
    """Measure `python -m tools.convert NAME …` `repeat` times: medians."""
    parts = [sys.executable, "-m", "tools.convert", name, *map(str, arguments)]
    runs = [run(parts, folder) for _ in range(repeat)]
    return {key: statistics.median(run[key] for run in runs) for key in ("seconds", "peak")}


# --- Input --------------------------------------------------------------------------------------


def make_rows(path: Path, count: int) -> None:
    """Generate rows of the corpus, kinds mixed, in the proportions of the contest's file."""
    problems = draw(proportional(count, UNIQUE, UNIQUE), seed=1)
    mixed = [problems[(index * _STEP) % count] for index in range(count)]
    with path.open("w", encoding="utf-8") as handle:
        handle.writelines(make_row(p, f"{p.kind}-{i}").to_line() for i, p in enumerate(mixed))


def make_train_json(path: Path) -> None:
    """Write as many rows as train.json has: its unique problems by kind, half of them twice."""
    pairs = [render(problem) for problem in draw(UNIQUE, seed=1)]
    lines = [
        json.dumps({"problem": problem, "solution": solution}, ensure_ascii=False) + "\n"
        for problem, solution in pairs
    ]
    with path.open("w", encoding="utf-8") as handle:
        handle.writelines(lines[(index * _STEP) % len(lines)] for index in range(FULL))


# --- The report --------------------------------------------------------------------------------


def measure(rows: Path, tokenizer: Path, folder: Path, repeat: int) -> Dict[str, Any]:
    """Measure all but the whole file."""
    found = {
        name: piece(name, rows, tokenizer, repeat)
        for name in (
            *("organisers", "conversations", "ours"),
            *("encode_alone", "encode_together", "write_alone"),
        )
    }
    options = ("--input", rows, "--tokenizer", tokenizer, "--seq-length", SEQ_LENGTH)
    output = folder / "x.mindrecord"
    for name, packing in (("command", "--no-pack"), ("command_packed", "--pack")):
        found[name] = command("records", repeat, folder, *options, "--output", output, packing)
        summary = json.loads((folder / "x.mindrecord.json").read_text("utf-8"))
        found[name].update(rows=summary["examples"], used=summary["used"])
    return found


def scale(tokenizer: Path, folder: Path) -> Dict[str, Any]:
    """Measure the real commands on a file of the size of train.json, once."""
    make_train_json(folder / "train.json")
    rows, output = folder / "rows.jsonl", folder / "all.mindrecord"
    math = command("math", 1, folder, "--input", folder / "train.json", "--output", rows)
    options = ("--input", rows, "--tokenizer", tokenizer, "--seq-length", SEQ_LENGTH)
    records = command("records", 1, folder, *options, "--output", output, "--pack")
    summary = json.loads(output.with_name(output.name + ".json").read_text("utf-8"))
    kept = ("rows", "examples", "left_out", "used")
    return {"math": math, "records": records, **{key: summary[key] for key in kept}}


def table(found: Dict[str, Any]) -> str:
    """The measurements as Markdown."""
    base = found["organisers"]["rows"] / found["organisers"]["seconds"]

    def line(text: str, rows: float, seconds: float, peak: float) -> str:
        rate = rows / seconds
        memory = f"{peak / 1e6:,.0f} MB"
        return (
            f"| {text} | {rows:,.0f} | {seconds:.1f} | {rate:,.0f} | {rate / base:.1f} | {memory} |"
        )

    def inner(text: str, name: str) -> str:
        return line(text, found[name]["rows"], found[name]["seconds"], found[name]["peak"])

    lines = [
        "| what | rows | s | rows/s | × organisers | peak memory |",
        "| --- | --- | --- | --- | --- | --- |",
        inner("the organisers' way, row by row", "organisers"),
        inner("ours, the organisers' rows, MindSpore imported before", "conversations"),
        inner("ours, MindSpore imported before", "ours"),
        inner("ours, `convert records`, whole process", "command"),
        inner("ours, `convert records --pack`, whole process", "command_packed"),
        inner("ceiling: tiktoken alone, one process", "encode_alone"),
        inner(f"ceiling: tiktoken alone, {cores()} processes", "encode_together"),
        inner("ceiling: MindRecord writer alone", "write_alone"),
    ]
    if "scale" in found:
        whole = found["scale"]
        for name, text in (("math", "train.json → rows"), ("records", "rows → packed records")):
            part = whole[name]
            lines.append(line(text, FULL, part["seconds"], part["peak"]))
        seconds = whole["math"]["seconds"] + whole["records"]["seconds"]
        peak = max(whole["math"]["peak"], whole["records"]["peak"])
        lines.append(line("train.json → packed records", FULL, seconds, peak))
    return "\n".join(lines)


@click.command(cls=Command)
@click.option("--tokenizer", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--rows", type=click.IntRange(SUBSET), default=90_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Median of.")
@click.option("--scale", "whole", is_flag=True, help="Also a file of the size of train.json.")
def main(tokenizer: Path, rows: int, repeat: int, whole: bool) -> None:
    """Compare our conversion with the organisers' and with its ceilings."""
    tokenizer = tokenizer.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_rows(folder / "rows.jsonl", rows)
        found = measure(folder / "rows.jsonl", tokenizer, folder, repeat)
        if whole:
            found["scale"] = scale(tokenizer, folder)
    found["load"] = os.getloadavg()[0] / cores()
    click.echo(table(found))
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
