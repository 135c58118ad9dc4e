"""Small ELF files, made in the test that wants them (System V ABI, 64-bit little-endian)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

_HEADER_BYTES = 64
_PROGRAM_BYTES = 56


def make_elf(
    *,
    needed: Sequence[str] = (),
    runpath: str = "",
    interpreter: str = "",
    sections: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an ELF file that is whole where the builder looks: program headers and sections."""
    names = [*needed, *([runpath] if runpath else [])]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    offsets = {name: strings.index(b"\0" + name.encode() + b"\0") + 1 for name in names}
    programs = 2 + bool(interpreter)
    strings_at = _HEADER_BYTES + programs * _PROGRAM_BYTES
    dynamic = [(1, offsets[name]) for name in needed]
    if runpath:
        dynamic.append((29, offsets[runpath]))
    dynamic += [(5, strings_at), (10, len(strings)), (0, 0)]
    dynamic_at = strings_at + len(strings)
    table = b"".join(struct.pack("<qQ", *row) for row in dynamic)
    interpreter_at = dynamic_at + len(table)
    linker = interpreter.encode() + b"\0" if interpreter else b""
    loaded_bytes = interpreter_at + len(linker)
    rows = [_program(1, 0, loaded_bytes), _program(2, dynamic_at, len(table))]
    if interpreter:
        rows.append(_program(3, interpreter_at, len(linker)))
    body = b"".join(rows) + strings + table + linker
    tail, sections_at, count = _sections(sections or {}, loaded_bytes)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, _HEADER_BYTES, sections_at, 0),
        *(_HEADER_BYTES, _PROGRAM_BYTES, programs, 64, count, max(count - 1, 0)),
    )
    return header + body + tail


def _program(kind: int, offset: int, size_bytes: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, size_bytes, size_bytes, 8)


def _sections(sections: Mapping[str, bytes], start: int) -> tuple[bytes, int, int]:
    """Return what follows the segments: bodies, names and the table; where it is, how long."""
    if not sections:
        return b"", 0, 0
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections) + b".shstrtab\0"
    rows = [b"\0" * 64]
    bodies = b""
    for name, body in {**sections, ".shstrtab": names}.items():
        name_at = names.index(b"\0" + name.encode() + b"\0") + 1
        at = start + len(bodies)
        rows.append(struct.pack("<IIQQQQIIQQ", name_at, 1, 0, 0, at, len(body), 0, 0, 1, 0))
        bodies += body
    return bodies + b"".join(rows), start + len(bodies), len(rows)
