"""The contest's MindFormers under a MindSpore that is newer than the one it was written for.

That one, 2.3.0rc2, is not on PyPI. Names that MindSpore has dropped since are given back before
MindFormers is imported; nothing on disk is changed, and nothing where the names are still there.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tools.settings.stacks import CONTEST, PYPI


def release_on_path() -> str:
    """Which MindFormers an import would find: CONTEST or PYPI.

    Told by a file that came between the two, not by the version's number: the frozen source calls
    itself 1.1, and so do others. ModuleNotFoundError where there is none.
    """
    spec = find_spec("mindformers")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'mindformers'", name="mindformers")
    package = Path(next(iter(spec.submodule_search_locations)))
    return PYPI if (package / "tools" / "register" / "template.py").is_file() else CONTEST


def restore_names() -> None:
    """Give MindSpore the names back that the contest's MindFormers asks for."""
    from mindspore import nn, ops
    from mindspore.dataset import transforms

    if not hasattr(nn.Cell, "cast"):
        # Every cell had it; those of that time cast their inputs by it.
        nn.Cell.cast = ops.Cast()
    if not hasattr(transforms, "py_transforms"):
        module = ModuleType("mindspore.dataset.transforms.py_transforms")
        module.PyTensorOperation = transforms.transforms.PyTensorOperation
        transforms.py_transforms = sys.modules[module.__name__] = module
