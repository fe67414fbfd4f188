"""The shards of a model-parallel training, read as if they were one checkpoint.

Every rank saves its slice of each parameter, and MindSpore a strategy file that says how they were
cut: devices stand in a matrix, and each dimension of a parameter is cut along one axis of it or
along none. The shards are joined while they are read, by rows, so that nothing has to be trained or
written for it (MindSpore's own `transform_checkpoints` holds whole parameters and writes files).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np

from tools.files.errors import UserError
from tools.llama.opening import open_tensors
from tools.llama.tensors import Entry, Tensors

RANK = "{rank}"


class Layout(NamedTuple):
    """How a parameter is cut.

    devices      the device matrix, its ranks in row-major order
    axes         for each dimension of the parameter the axis of `devices`, None where it is whole
    step, size   the optimiser's sharding: each slice is cut again along its rows, into `size`
                 parts, over ranks that are `step` apart; size 1: it is not
    stage        of the pipeline: its ranks begin at stage · product of `devices`
    """

    devices: tuple[int, ...]
    axes: tuple[Union[int, None], ...]
    step: int = 1
    size: int = 1
    stage: int = 0

    @property
    def count(self) -> int:
        """Ranks of a stage."""
        return int(np.prod(self.devices))

    def cuts(self) -> tuple[int, ...]:
        """Into how many parts each dimension is cut, not counting the optimiser's."""
        return tuple(1 if axis is None else self.devices[axis] for axis in self.axes)

    def place(self, rank: int) -> tuple[int, ...]:
        """The slice that a rank has: an index in each dimension; in rows with the optimiser's."""
        local = rank - self.stage * self.count
        where = np.unravel_index(local, self.devices)
        place = [0 if axis is None else int(where[axis]) for axis in self.axes]
        if self.size > 1:
            place[0] = place[0] * self.size + local // self.step % self.size
        return tuple(place)


def read_strategy(paths: Sequence[Path]) -> dict[str, Layout]:
    """Name → layout from strategy files: one for all stages, or one for each.

    Raises UserError for what is no strategy file, and for cuts that are not joined here: uneven
    ones, a dimension over several axes, an optimiser's over several repeated axes.
    """
    layouts: dict[str, Layout] = {}
    for path in paths:
        found = _parse(path)
        stages = {item.parallel_strategys.stage for item in found.parallel_strategy_item}
        own = min(stages) if len(stages) == 1 else 0
        for item in found.parallel_layout_item:
            # Merged files put the stage before the name.
            prefix, dash, rest = item.param_name.partition("-")
            stage, name = (int(prefix), rest) if dash and prefix.isdecimal() else (own, prefix)
            if name not in layouts:  # shared by stages: equal in all of them
                layouts[name] = _layout(item.parallel_layouts, stage, f"{path}: {name}")
    if not layouts:
        raise UserError("says nothing of any parameter", paths[0], "name the strategy files")
    return layouts


def _parse(path: Path) -> Any:
    # The format's own reader; MindSpore takes seconds to import, but who has shards has it.
    from google.protobuf.message import DecodeError
    from mindspore.train.node_strategy_pb2 import ParallelStrategyMap

    if not path.is_file():
        raise UserError("no such file", path, "name the strategy file of the training")
    found = ParallelStrategyMap()
    try:
        found.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise UserError("not a strategy file", path, "name that of the training") from error
    return found


def _layout(said: Any, stage: int, where: str) -> Layout:
    devices = tuple(said.dev_matrix[0].dim) if said.dev_matrix else ()
    maps = [tuple(item.dim) for item in said.tensor_map]
    uneven = said.param_split_shape and list(said.param_split_shape[0].dim)
    if not devices or min(devices) < 1 or len(maps) != 1 or uneven or said.field:
        raise UserError("is cut in a way that is not joined here", where, _ELSEWHERE)
    # A tensor map counts the axes from the last one, -1 being none.
    if not all(-1 <= axis < len(devices) for axis in maps[0]):
        raise UserError("names an axis that the devices have not", where, "save it again")
    if len({axis for axis in maps[0] if axis >= 0}) < sum(axis >= 0 for axis in maps[0]):
        raise UserError("is cut twice along one axis", where, "save the strategy again")
    axes = tuple(None if axis == -1 else len(devices) - 1 - axis for axis in maps[0])
    step, size = said.opt_weight_shard_step, said.opt_weight_shard_size
    cut = int(np.prod([1 if axis is None else devices[axis] for axis in axes]))
    size = int(np.prod(devices)) // cut if size == -1 else size
    if step <= 0 or size <= 1:
        return Layout(devices, axes, stage=stage)
    repeated = [n for n, many in enumerate(devices) if many > 1 and n not in axes]
    uneven = len(repeated) == 1 and devices[repeated[0]] % size
    if uneven or len(repeated) != 1 or step != int(np.prod(devices[repeated[0] + 1 :])):
        raise UserError("is cut in a way that is not joined here", where, _ELSEWHERE)
    return Layout(devices, axes, step, size, stage)


_ELSEWHERE = "join the shards with mindspore.transform_checkpoints"


class Shards(Tensors):
    """Shards of all ranks, read as one.

    template   the path of a shard with {rank} in it
    layouts    from `read_strategy`; a parameter that is not among them is whole on a rank

    UserError where a shard is missing, or slices differ in shape or type.
    """

    def __init__(self, template: str, layouts: dict[str, Layout]) -> None:
        self.path = Path(template)
        ranks = max((layout.stage + 1) * layout.count for layout in layouts.values())
        self._files = [open_tensors(_shard(template, rank)) for rank in range(ranks)]
        self._layouts = layouts
        self._slices: dict[str, dict[tuple[int, ...], Tensors]] = {}
        self.entries = {}
        for file in self._files:
            for name in file.names():
                if name not in self.entries:
                    self.entries[name] = self._gather(name, file)

    def _gather(self, name: str, first: Tensors) -> Entry:
        """Find the slices of a parameter; give the entry of the whole."""
        entry = first.entries[name]
        layout = self._layouts.get(name)
        if layout is None or not layout.axes:
            self._slices[name] = {(0,) * max(1, len(entry.shape)): first}
            return Entry(name, entry.shape, entry.type_name)
        if len(layout.axes) != len(entry.shape):
            what = f"{name} has {len(entry.shape)} dimensions, its strategy {len(layout.axes)}"
            raise UserError(what, first.path, "name the strategy files of this training")
        if any(cut > 1 for cut in layout.cuts()[2:]):
            raise UserError(f"{name} is cut in its third dimension", first.path, _ELSEWHERE)
        slices: dict[tuple[int, ...], Tensors] = {}
        begin = layout.stage * layout.count
        for rank in range(begin, begin + layout.count):
            file = self._files[rank]
            found = file.entry(name)
            if (found.shape, found.type_name) != (entry.shape, entry.type_name):
                what = f"{name} is {found.shape}, on another rank {entry.shape}"
                raise UserError(what, file.path, "take the shards of one step of one training")
            slices.setdefault(layout.place(rank), file)
        self._slices[name] = slices
        cuts = list(layout.cuts())
        cuts[0] *= layout.size
        shape = tuple(dim * cut for dim, cut in zip(entry.shape, cuts))
        return Entry(name, shape, entry.type_name)

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        entry, slices = self.entry(name), self._slices[name]
        if len(slices) == 1:
            return next(iter(slices.values())).read_rows(name, start, stop)
        height = next(iter(slices.values())).entries[name].rows
        across = sorted({place[1:] for place in slices})
        out = np.empty((stop - start, *entry.shape[1:]), entry.dtype)
        for down in range(start // height, -(-stop // height)):
            low, high = max(start, down * height), min(stop, (down + 1) * height)
            parts = [
                slices[(down, *rest)].read_rows(name, low - down * height, high - down * height)
                for rest in across
            ]
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            out[low - start : high - start] = joined
        return out


def _shard(template: str, rank: int) -> Path:
    path = Path(template.replace(RANK, str(rank)))
    if not path.is_file():
        raise UserError(f"the shard of rank {rank} is missing", path, "copy all ranks here")
    return path


def open_whole(path: Path, strategies: Sequence[Path] = ()) -> Tensors:
    """Open a checkpoint, or the shards of one where {rank} stands in its path."""
    if RANK not in str(path):
        return open_tensors(path)
    if not strategies:
        raise UserError("shards need their strategy files", path, "name them: --strategy FILE")
    return open_shards(str(path), strategies)


def open_shards(template: str, strategies: Sequence[Path]) -> Shards:
    """Open the shards at `template`, whose strategy files are these.

    A strategy may itself be a folder: then all files in it whose names end as MindSpore's do.
    """
    files: list[Path] = []
    for path in strategies:
        inside = path.iterdir() if path.is_dir() else []
        chosen = [p for p in inside if re.search(r"rank_\d+\.ckpt$|_strategy\.ckpt$", p.name)]
        files += sorted(chosen) if path.is_dir() else [path]
    if not files:
        raise UserError("holds no strategy file", strategies[0], "name the strategy files")
    return Shards(template, read_strategy(files))
