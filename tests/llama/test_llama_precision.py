"""Which precision a processor gives, and whose environment asks for it."""

from __future__ import annotations

import os

import pytest

from tools.llama.engines import open_engine
from tools.llama.precision import BFLOAT16, FLOAT32, matmul_precision, set_matmul_precision

VARIABLES = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")


@pytest.mark.parametrize(
    ("flags", "wanted", "precision"),
    [
        ("avx512f amx_bf16 sha_ni", True, BFLOAT16),
        ("avx512f amx_bf16", False, FLOAT32),
        ("avx2 avx512f avx512_bf16", True, FLOAT32),  # oneDNN's kernels for float32 all the same
        ("no_amx_bf16", True, FLOAT32),
        (None, True, FLOAT32),
    ],
)
def test_the_processor_decides_where_the_profile_wants_it(tmp_path, flags, wanted, precision):
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_bytes(f"processor\t: 0\nflags\t\t: fpu {flags}\n".encode() + b"\xff\n")
    assert matmul_precision(wanted, cpuinfo) == precision


@pytest.mark.parametrize("precision", [BFLOAT16, FLOAT32])
def test_what_a_user_set_is_replaced(precision):
    environment = {**dict.fromkeys(VARIABLES, "ANY"), "HOME": "/h"}
    set_matmul_precision(environment, precision)
    asked = {VARIABLES[0]: "BF16"} if precision == BFLOAT16 else {}
    assert environment == {"HOME": "/h", **asked}


@pytest.mark.parametrize("engine", ["cached", "mindformers"])
def test_decoding_is_in_float32(monkeypatch, engine):
    for name in VARIABLES:
        monkeypatch.setenv(name, "BF16")
    open_engine(engine, "CPU", 4)
    assert not set(VARIABLES) & set(os.environ)
