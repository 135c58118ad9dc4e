"""CRC32, CRC32C and CRC64NVME at memory speed, by awscrt.

Its functions are called as they are in its library, which takes 1 ms to load. Importing it as a
module takes 28 ms (under emulation, 0.4 s), since it gathers randomness for TLS then; who calls
them for long does that all the same (docs/decisions/0032-checksums-without-awscrts-start.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Buffer = bytes | bytearray | memoryview
# From an answer that is known, which is that of the nine digits (CRC catalogue, "check").
_DIGITS = b"123456789"
_CHECKS = {"crc32": 0xCBF43926, "crc32c": 0xE3069283, "crc64nvme": 0xAE8B14860A799888}
_NAMES = tuple(_CHECKS)

_Function = Callable[..., int]
# Those that are in use, by name; empty until the first call.
_chosen: dict[str, _Function] = {}


def crc32(data: Buffer, previous: int = 0) -> int:
    """Return the CRC32 of `data`, going on from that of the bytes before."""
    return _functions()["crc32"](data, previous)


def crc32c(data: Buffer, previous: int = 0) -> int:
    """Return the CRC32C of `data`, going on from that of the bytes before."""
    return _functions()["crc32c"](data, previous)


def crc64nvme(data: Buffer, previous: int = 0) -> int:
    """Return the CRC64NVME of `data`, going on from that of the bytes before."""
    return _functions()["crc64nvme"](data, previous)


def combine_crc32(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC32 of two stretches of bytes together."""
    return _functions()["combine_crc32"](first, second, second_size_bytes)


def combine_crc32c(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC32C of two stretches of bytes together."""
    return _functions()["combine_crc32c"](first, second, second_size_bytes)


def combine_crc64nvme(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC64NVME of two stretches of bytes together."""
    return _functions()["combine_crc64nvme"](first, second, second_size_bytes)


def settle() -> None:
    """Import awscrt, so that each later call takes 0.2 µs less."""
    _chosen.update(functions_of_module())


def _functions() -> dict[str, _Function]:
    if not _chosen:
        _chosen.update(functions_of_library() or functions_of_module())
    return _chosen


def functions_of_module() -> dict[str, _Function]:
    """Return awscrt's functions as it offers them, by name."""
    from awscrt import checksums

    named: dict[str, _Function] = {}
    for name in _NAMES:
        named[name] = getattr(checksums, name)
        named[f"combine_{name}"] = getattr(checksums, f"combine_{name}")
    return named


def functions_of_library() -> dict[str, _Function] | None:
    """Return the same from its library without starting it; None where they are not as known.

    Another version may have other names for them, or want to be started first.
    """
    import ctypes
    import importlib.util

    spec = importlib.util.find_spec("_awscrt")
    if spec is None or spec.origin is None:
        return None
    named: dict[str, _Function] = {}
    try:
        library = ctypes.PyDLL(spec.origin)
        for name in _NAMES:
            named[name] = _called(getattr(library, f"aws_py_checksums_{name}"))
            named[f"combine_{name}"] = _called(getattr(library, f"aws_py_checksums_{name}_combine"))
    except (OSError, AttributeError):
        return None
    return named if _are_right(named) else None


def _called(function: Any) -> _Function:
    """Make a function of Python's C interface, which takes a module and a tuple, a plain one."""
    import ctypes

    function.restype = ctypes.py_object
    function.argtypes = [ctypes.c_void_p, ctypes.py_object]

    def call(*arguments: Any) -> int:
        value: int = function(None, arguments)
        return value

    return call


def _are_right(named: dict[str, _Function]) -> bool:
    for name, check in _CHECKS.items():
        first, second = named[name](_DIGITS[:4], 0), named[name](_DIGITS[4:], 0)
        joined = named[f"combine_{name}"](first, second, len(_DIGITS) - 4)
        if named[name](_DIGITS, 0) != check or joined != check:
            return False
    return True
