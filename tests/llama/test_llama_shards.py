"""Shards joined: beside what was cut, and beside MindSpore's own transform_checkpoints."""

from __future__ import annotations

import subprocess
import sys

import exported_model as made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.files.errors import UserError
from tools.llama.checkpoint import Checkpoint, write_checkpoint
from tools.llama.lora import adapter_parameters
from tools.llama.merging import merge_one, read_config
from tools.llama.names import LORA_A, LORA_B
from tools.llama.shards import Layout, Shards, open_shards, read_strategy

# devices, tensor map as MindSpore writes it, optimiser's step and size
CASES = {
    "rows over the model": ((2, 2), (0, -1), 0, 0),
    "columns over the model": ((2, 2), (-1, 0), 0, 0),
    "both": ((2, 2), (1, 0), 0, 0),
    "nothing": ((2, 2), (-1, -1), 0, 0),
    "rows, the optimiser's rows again": ((2, 2), (0, -1), 2, 2),
    "the optimiser's rows, columns": ((2, 2), (-1, 0), 2, -1),
    "two ranks": ((1, 2), (0, -1), 0, 0),
}


def strategy(path, layouts, stage=0, merged=False):
    """Write a strategy file with MindSpore's own protocol."""
    from mindspore.train.node_strategy_pb2 import ParallelStrategyMap

    found = ParallelStrategyMap(current_stage=1)
    node = found.parallel_strategy_item.add(node_name="MatMul-op0")
    node.parallel_strategys.stage = stage
    for name, (devices, tensor_map, step, size) in layouts.items():
        item = found.parallel_layout_item.add(param_name=f"{stage}-{name}" if merged else name)
        said = item.parallel_layouts
        said.dev_matrix.add(dim=devices)
        said.tensor_map.add(dim=tensor_map)
        said.param_split_shape.add()
        said.indices_offset.add()
        said.field, said.opt_weight_shard_step, said.opt_weight_shard_size = 0, step, size
    path.write_bytes(found.SerializeToString())
    return path


def cut(folder, tensors, layouts, first=0, type_name="Float32"):
    """Write rank_N/x.ckpt as the ranks of a stage would, by numpy alone."""
    devices = next(iter(layouts.values()))[0]
    for local in range(int(np.prod(devices))):
        where = np.unravel_index(local, devices)
        slices = []
        for name, array in tensors.items():
            _, tensor_map, step, size = layouts[name]
            for dim, axis in enumerate(tensor_map):
                if axis != -1:
                    index = len(devices) - 1 - axis
                    array = np.split(array, devices[index], dim)[where[index]]
            parts = (
                np.prod(devices)
                // np.prod(
                    [devices[len(devices) - 1 - axis] for axis in tensor_map if axis != -1] or [1]
                )
                if size == -1
                else size
            )
            if step:
                array = np.split(array, parts, 0)[local // step % parts]
            slices.append((name, array, type_name))
        rank = folder / f"rank_{first + local}"
        rank.mkdir(parents=True, exist_ok=True)
        write_checkpoint(rank / "x.ckpt", slices)


@pytest.mark.parametrize("case", CASES)
def test_joined_is_what_was_cut(tmp_path, case):
    devices, tensor_map, step, size = CASES[case]
    array = np.arange(8 * 12, dtype=np.float32).reshape(8, 12)
    layouts = {"w": (devices, tensor_map, step, size), "v": (devices, (-1,), 0, 0)}
    tensors = {"w": array, "v": np.arange(3, dtype=np.float32)}
    cut(tmp_path, tensors, layouts, type_name="BFloat16")
    path = strategy(tmp_path / "strategy.ckpt", layouts)
    joined = open_shards(str(tmp_path / "rank_{rank}" / "x.ckpt"), [path])
    assert joined.names() == ["w", "v"] and joined.entries["w"].shape == (8, 12)
    assert np.array_equal(joined.read("w"), array)
    assert joined.read("v").tolist() == [0, 1, 2]
    for start in range(9):
        for stop in range(start, 9):
            rows = (joined.read_rows("w", start, stop).astype(np.uint32) << 16).view(np.float32)
            assert np.array_equal(rows, array[start:stop])


@given(st.data())
def test_every_slice_has_its_place(data):
    devices = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    axes = data.draw(st.permutations([*range(len(devices)), None, None]))[:2]
    layout = Layout(devices, tuple(axes), stage=data.draw(st.integers(0, 2)))
    first = layout.stage * layout.count
    places = [layout.place(rank) for rank in range(first, first + layout.count)]
    rows, columns = layout.cuts()
    assert set(places) == {(row, column) for row in range(rows) for column in range(columns)}


def test_stages_of_a_pipeline(tmp_path):
    """Each stage has its own parameters, on ranks of its own."""
    arrays = {
        name: np.arange(16, dtype=np.float32).reshape(4, 4) + n for n, name in enumerate("ab")
    }
    files = []
    for stage, name in enumerate("ab"):
        layouts = {name: ((1, 2), (0, -1), 0, 0)}
        cut(tmp_path, {name: arrays[name]}, layouts, first=2 * stage)
        files.append(strategy(tmp_path / f"strategy_rank_{2 * stage}.ckpt", layouts, stage))
    template = str(tmp_path / "rank_{rank}" / "x.ckpt")
    for strategies in (files, [tmp_path]):
        joined = open_shards(template, strategies)
        assert {name: joined.read(name).tolist() for name in "ab"} == {
            name: array.tolist() for name, array in arrays.items()
        }


def test_a_merged_strategy(tmp_path):
    layouts = {"a": ((1, 2), (0, -1), 0, 0)}
    path = strategy(tmp_path / "s.ckpt", layouts, stage=1, merged=True)
    assert read_strategy([path]) == {"a": Layout((1, 2), (1, None), stage=1)}


@pytest.fixture
def pair(tmp_path):
    layouts = {"w": ((1, 2), (0, -1), 0, 0)}
    cut(tmp_path, {"w": np.arange(12, dtype=np.float32).reshape(4, 3)}, layouts)
    return tmp_path, strategy(tmp_path / "strategy.ckpt", layouts)


def test_a_merge_of_shards(tmp_path):
    """Base and adapter cut over two ranks of a model-parallel training: as if never cut."""
    model, config = made.write_model(tmp_path / "model"), made.write_config(tmp_path / "f.yaml")
    adapter = made.write_adapter(tmp_path / "adapter.ckpt")
    merge_one(model / "model.ckpt", adapter, tmp_path / "whole.ckpt", *read_config(config))
    shapes = {**made.SHAPE.parameters(), **adapter_parameters(made.SHAPE, made.LORA)}
    layouts = {}
    for name, dims in shapes.items():
        # As MindFormers cuts: rows of wq, wv, columns of w2; the norms and A are whole.
        by_rows = name.endswith(("wq.weight", "wv.weight", "wq" + LORA_B, "wv" + LORA_B))
        by_columns = name.endswith(("w2.weight", "w2" + LORA_A))
        cuts = (-1,) if len(dims) == 1 else (0, -1) if by_rows else (-1, 0 if by_columns else -1)
        layouts[name] = ((1, 2), cuts, 0, 0)
    cut(tmp_path, {name: array for name, array, _ in made.tensors(shapes)}, layouts)
    path = strategy(tmp_path / "strategy.ckpt", layouts)
    shards = tmp_path / "rank_{rank}" / "x.ckpt"
    merge_one(shards, shards, tmp_path / "joined.ckpt", *read_config(config), [path])
    assert (tmp_path / "joined.ckpt").read_bytes() == (tmp_path / "whole.ckpt").read_bytes()
    with pytest.raises(UserError, match="--strategy FILE"):
        merge_one(shards, adapter, tmp_path / "again.ckpt", *read_config(config))


def test_a_missing_shard(pair):
    folder, path = pair
    (folder / "rank_1" / "x.ckpt").unlink()
    with pytest.raises(UserError, match="the shard of rank 1 is missing"):
        open_shards(str(folder / "rank_{rank}" / "x.ckpt"), [path])


def test_shards_of_different_trainings(pair):
    folder, path = pair
    write_checkpoint(folder / "rank_1" / "x.ckpt", [("w", np.ones((3, 3)), "Float32")])
    with pytest.raises(UserError, match=r"w is \(3, 3\), on another rank \(2, 3\)"):
        open_shards(str(folder / "rank_{rank}" / "x.ckpt"), [path])
    write_checkpoint(folder / "rank_1" / "x.ckpt", [("v", np.ones((2, 3)), "Float32")])
    with pytest.raises(UserError, match="has no tensor w"):
        open_shards(str(folder / "rank_{rank}" / "x.ckpt"), [path])


@pytest.mark.parametrize(
    ("layout", "fault"),
    [
        (((2, 2, 2), (0, -1), 2, 2), "not joined here"),  # two repeated axes
        (((1, 2), (2, -1), 0, 0), "names an axis"),
        (((1, 2), (-2, -1), 0, 0), "names an axis"),
        (((1, 0), (0, -1), 0, 0), "not joined here"),
    ],
)
def test_cuts_that_are_not_joined(tmp_path, layout, fault):
    with pytest.raises(UserError, match=fault):
        read_strategy([strategy(tmp_path / "s.ckpt", {"w": layout})])


def test_what_is_no_strategy(tmp_path):
    (tmp_path / "s.ckpt").write_bytes(b"\xff\xff\xff")
    for path, fault in ((tmp_path / "s.ckpt", "not a strategy"), (tmp_path / "no", "no such file")):
        with pytest.raises(UserError, match=fault):
            read_strategy([path])
    (tmp_path / "s.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match="says nothing"):
        read_strategy([tmp_path / "s.ckpt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no strategy file"):
        open_shards("x", [tmp_path / "empty"])


def test_dimensions_that_the_strategy_has_not(pair):
    folder, _ = pair
    with pytest.raises(UserError, match="has 2 dimensions, its strategy 1"):
        Shards(str(folder / "rank_{rank}" / "x.ckpt"), {"w": Layout((1, 2), (1,))})


_THEIRS = """
import sys
import mindspore as ms
from pathlib import Path
folder, strategy = sys.argv[1:]
ms.transform_checkpoints(folder + "/src", folder + "/whole", "w", strategy, None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_mindspore_joins_them_alike(tmp_path, case):
    devices = CASES[case][0]
    whole = (devices, (-1,), 0, 0)
    layouts = {
        name: CASES[case] if len(dims) == 2 else whole
        for name, dims in made.SHAPE.parameters().items()
    }
    tensors = {name: array for name, array, _ in made.tensors(made.SHAPE.parameters())}
    cut(tmp_path / "src", tensors, layouts)
    path = strategy(tmp_path / "strategy.ckpt", layouts)
    command = [sys.executable, "-c", _THEIRS, str(tmp_path), str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = Checkpoint(next((tmp_path / "whole" / "rank_0").glob("*.ckpt")))
    ours = open_shards(str(tmp_path / "src" / "rank_{rank}" / "x.ckpt"), [path])
    assert set(theirs.names()) == set(ours.names())
    for name in ours.names():
        assert np.array_equal(ours.read(name), tensors[name])
        assert np.array_equal(theirs.read(name), tensors[name])
