"""A disk that fails: the kernel itself answers this process's system calls with errors.

A seccomp filter (https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html) needs
no privileges, covers Python, SQLite and every thread alike, and cannot be taken off again: use it
in processes made for it. x86-64 and AArch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from typing import NamedTuple

# What fsync(2) and friends are called, and SQLite's and our own ways to write.
SYNCS = ("fsync", "fdatasync")
CATALOG_WRITES = ("pwrite64",)
BLOB_WRITES = ("write",)
PACK_WRITES = ("pwritev2",)
# The catalog and blobs read with it, bodies in larger pieces.
READS = ("pread64",)

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_ALL_THREADS = 1
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000
_ASK_LISTENER = 0x7FC00000
# All threads; a descriptor to answer from; an error instead of a thread's number.
_LISTENING = 1 | 8 | 16
# Offsets in struct seccomp_data.
_NUMBER_AT, _ARCHITECTURE_AT, _COUNT_AT = 0, 4, 32
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06


class _Architecture(NamedTuple):
    audit: int
    seccomp: int
    numbers: dict[str, int]


_ARCHITECTURES = {
    "x86_64": _Architecture(
        0xC000003E,
        317,
        {
            "fsync": 74,
            "fdatasync": 75,
            "pread64": 17,
            "pwrite64": 18,
            "write": 1,
            "pwritev2": 328,
            "ftruncate": 77,
            "mmap": 9,
        },
    ),
    "aarch64": _Architecture(
        0xC00000B7,
        277,
        {
            "fsync": 82,
            "fdatasync": 83,
            "pread64": 67,
            "pwrite64": 68,
            "write": 64,
            "pwritev2": 287,
            "ftruncate": 46,
            "mmap": 222,
        },
    ),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def fail(calls: Sequence[str], number: int = errno.EIO, *, bytes_min: int = 0) -> None:
    """Let system calls of this process fail from now on.

    Args:
        calls: their names, such as `SYNCS`.
        number: the errno they fail with.
        bytes_min: only calls whose third argument (the count of `write`) is at least this.

    Raises:
        OSError: the kernel takes no filter.
    """
    _install(calls, _ERRNO | number, bytes_min)


def die_at(calls: Sequence[str]) -> None:
    """Let this process be killed when it makes one of these system calls.

    Raises:
        OSError: the kernel takes no filter.
    """
    _install(calls, _KILL_PROCESS, 0)


def listen(calls: Sequence[str]) -> int:
    """Let system calls of this process wait until somebody decides about each.

    Returns:
        A descriptor to learn of the calls and to answer them; see `ruled_disk`.

    Raises:
        OSError: the kernel takes no filter.
    """
    return _install(calls, _ASK_LISTENER, 0, flags=_LISTENING)


def names_of_calls() -> dict[int, str]:
    """Return the names of the calls that this module knows, by their numbers on this machine."""
    numbers = _ARCHITECTURES[platform.machine()].numbers
    return {number: name for name, number in numbers.items()}


def _install(
    calls: Sequence[str], action: int, bytes_min: int, *, flags: int = _ALL_THREADS
) -> int:
    architecture = _ARCHITECTURES[platform.machine()]
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, architecture.audit, then=1),
        _step(_RETURN, _ALLOW),
    ]
    for name in calls:
        steps += [
            _step(_LOAD, _NUMBER_AT),
            _step(_EQUAL, architecture.numbers[name], otherwise=3),
            _step(_LOAD, _COUNT_AT),
            _step(_AT_LEAST, bytes_min, otherwise=1),
            _step(_RETURN, action),
        ]
    steps.append(_step(_RETURN, _ALLOW))
    program = _Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    result: int = libc.syscall(architecture.seccomp, _SET_MODE_FILTER, flags, ctypes.byref(program))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _step(code: int, operand: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, then, otherwise, operand)
