"""Matrix products on the CPU: in float32, or in the processor's own bfloat16, in training alone.

oneDNN multiplies MindSpore's float32 matrices. Where its environment asks for it and the processor
has AMX, it rounds them to bfloat16 and adds up in float32. Elsewhere nothing changes, on processors
with `avx512_bf16` alone neither: oneDNN 3.10, MindSpore 2.9's, takes its float32 kernels there, and
a training with and without gave the same adapter to the bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import MutableMapping

BFLOAT16, FLOAT32 = "bfloat16", "float32"
# The second is the name that oneDNN had before; it is read still.
_VARIABLES = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")
_UNIT = "amx_bf16"


def matmul_precision(wanted: bool, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return BFLOAT16 where it is `wanted` and the processor has AMX for it, else FLOAT32."""
    flags = cpuinfo.read_text("utf-8", "replace").split() if cpuinfo.is_file() else []
    return BFLOAT16 if wanted and _UNIT in flags else FLOAT32


def set_matmul_precision(environment: MutableMapping[str, str], precision: str) -> None:
    """Ask for `precision` in the `environment` of a process that has not multiplied yet.

    What a user set there is replaced: it would change results and stand in no record of them.
    """
    for name in _VARIABLES:
        environment.pop(name, None)
    if precision == BFLOAT16:
        environment[_VARIABLES[0]] = "BF16"
