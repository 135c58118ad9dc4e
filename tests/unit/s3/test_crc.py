"""The checksums of awscrt, called in its library and as it offers them."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.s3 import crc

ALGORITHMS = ("crc32", "crc32c", "crc64nvme")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(first=st.binary(max_size=5000), second=st.binary(max_size=100))
def test_both_ways_give_the_same(algorithm: str, first: bytes, second: bytes) -> None:
    direct, offered = crc.functions_of_library(), crc.functions_of_module()
    assert direct is not None
    combine = f"combine_{algorithm}"
    one, other = offered[algorithm](first, 0), offered[algorithm](second, 0)
    assert direct[algorithm](first, 0) == one
    assert direct[algorithm](memoryview(bytearray(second)), one) == offered[algorithm](second, one)
    whole = offered[algorithm](first + second, 0)
    assert direct[combine](one, other, len(second)) == whole
    assert getattr(crc, algorithm)(first + second) == whole
    assert getattr(crc, combine)(one, other, len(second)) == whole


def test_what_is_no_number_is_refused() -> None:
    direct = crc.functions_of_library()
    assert direct is not None
    with pytest.raises(TypeError):
        direct["crc32c"](b"bytes", "previous")


def test_awscrt_is_not_started() -> None:
    program = (
        "import sys; from ingot.s3.crc import crc32c; assert crc32c(b'123456789') == 0xE3069283;"
        "assert not {'awscrt', '_awscrt'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_who_calls_for_long_has_it_started() -> None:
    program = (
        "import sys; from ingot.s3 import crc; before = crc.crc32c(b'12345'); crc.settle();"
        "assert 'awscrt.checksums' in sys.modules; assert crc._chosen == crc.functions_of_module();"
        "assert crc.crc32c(b'6789', before) == 0xE3069283"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def _without_functions(real: Any, path: str) -> Any:
    return SimpleNamespace()


def _with_others(real: Any, path: str) -> Any:
    library = real(path)
    found = {}
    for name in ALGORITHMS:
        found[f"aws_py_checksums_{name}"] = library.aws_py_checksums_crc32
        combine = f"aws_py_checksums_{name}_combine"
        found[combine] = getattr(library, combine)
    return SimpleNamespace(**found)


def _missing(real: Any, path: str) -> Any:
    raise OSError("no such library")


@pytest.mark.parametrize("load", [_without_functions, _with_others, _missing])
def test_a_library_that_is_another_is_not_used(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    monkeypatch.setattr(ctypes, "PyDLL", partial(load, ctypes.PyDLL))
    assert crc.functions_of_library() is None
    assert crc.functions_of_module()["crc32c"](b"123456789", 0) == 0xE3069283
