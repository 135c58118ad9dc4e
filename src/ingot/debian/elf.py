"""What the dynamic linker and the kernel's module loader want of an ELF file, and nothing else.

Format: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"; 64-bit only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content

MAGIC = b"\x7fELF"
# e_ident, type, machine, version, entry, 5 phoff, 6 shoff, flags, ehsize, phentsize, 10 phnum,
# 11 shentsize, 12 shnum, 13 shstrndx.
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC = struct.Struct("<qQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 10, 15, 29
_TABLE_BYTES_MAX = 1 << 24


class ElfError(IntegrityError):
    """A file that claims to be ELF is damaged or of a kind we do not read."""

    slug = "elf"


@dataclass(frozen=True, slots=True)
class Linkage:
    """What a program or library needs to be loaded.

    Attributes:
        needed: file names of libraries (DT_NEEDED).
        search: folders to look in first (DT_RUNPATH, else DT_RPATH), `$ORIGIN` as it is written.
        interpreter: absolute path of the dynamic linker, empty for libraries.
    """

    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    interpreter: str = ""


def read_linkage(content: Content) -> Linkage | None:
    """Return what an ELF file needs to be loaded; None when the file is not a 64-bit ELF.

    Raises:
        ElfError: its tables point outside the file.
    """
    header = _header(content)
    if header is None:
        return None
    raw = _slice(content, header[5], header[10] * _PROGRAM.size)
    segments = list(_PROGRAM.iter_unpack(raw))
    loads = [(s[3], s[2], s[5]) for s in segments if s[0] == _PT_LOAD]
    interpreter = ""
    dynamic: list[tuple[int, int]] = []
    for kind, _, offset, _, _, size_bytes, _, _ in segments:
        if kind == _PT_INTERP:
            interpreter = _slice(content, offset, size_bytes).rstrip(b"\0").decode()
        elif kind == _PT_DYNAMIC:
            whole = size_bytes - size_bytes % _DYNAMIC.size
            dynamic = list(_DYNAMIC.iter_unpack(_slice(content, offset, whole)))
    if not dynamic:
        return Linkage(interpreter=interpreter)
    return _read_dynamic(content, dynamic, loads, interpreter)


def read_section(content: Content, name: str) -> bytes | None:
    """Return a section's bytes; None when the file is not a 64-bit ELF or has no such section.

    Raises:
        ElfError: its tables point outside the file.
    """
    header = _header(content)
    if header is None:
        return None
    table_offset, count, names_index = header[6], header[12], header[13]
    raw = _slice(content, table_offset, count * _SECTION.size)
    sections = list(_SECTION.iter_unpack(raw))
    if names_index >= len(sections):
        return None
    names = _slice(content, sections[names_index][4], sections[names_index][5])
    wanted = name.encode()
    for section in sections:
        if _string(names, section[0]) == wanted:
            return _slice(content, section[4], section[5])
    return None


def strip(data: bytes) -> bytes:
    """Return an ELF file without what only debuggers and linkers read: all outside its segments.

    The section table goes too, as nothing that runs the file looks at it. What is not a 64-bit
    ELF with segments comes back as it is.
    """
    content = Content.of(data)
    header = _header(content)
    if header is None or not header[10]:
        return data
    program_offset, program_count = header[5], header[10]
    table_bytes = program_count * _PROGRAM.size
    segments = _PROGRAM.iter_unpack(_slice(content, program_offset, table_bytes))
    ends = [offset + size_bytes for _, _, offset, _, _, size_bytes, _, _ in segments]
    end = max(*ends, program_offset + table_bytes, _HEADER.size)
    if end > len(data):
        raise ElfError("an ELF file's segment lies outside of the file")
    values = list(header)
    values[6] = values[11] = values[12] = values[13] = 0
    return _HEADER.pack(*values) + data[_HEADER.size : end]


def _read_dynamic(
    content: Content,
    dynamic: list[tuple[int, int]],
    loads: list[tuple[int, int, int]],
    interpreter: str,
) -> Linkage:
    values: dict[int, list[int]] = {}
    for tag, value in dynamic:
        if tag == _DT_NULL:
            break
        values.setdefault(tag, []).append(value)
    address = values.get(_DT_STRTAB, [0])[0]
    offset = next(
        (
            offset + address - start
            for start, offset, size_bytes in loads
            if start <= address < start + size_bytes
        ),
        None,
    )
    if offset is None:
        raise ElfError("an ELF file's string table lies outside of its segments")
    strings = _slice(content, offset, values.get(_DT_STRSZ, [0])[0])
    paths = values.get(_DT_RUNPATH) or values.get(_DT_RPATH) or []
    search = [part for path in paths for part in _string(strings, path).decode().split(":") if part]
    needed = tuple(_string(strings, name).decode() for name in values.get(_DT_NEEDED, []))
    return Linkage(needed, tuple(search), interpreter)


def _header(content: Content) -> tuple[int, ...] | None:
    if content.size_bytes < _HEADER.size:
        return None
    raw = content.slice(0, _HEADER.size)
    # Class 2 is 64-bit, data 1 is little-endian: amd64, arm64, riscv64.
    if raw[:4] != MAGIC or raw[4:6] != b"\x02\x01":
        return None
    return _HEADER.unpack(raw)


def _slice(content: Content, offset: int, size_bytes: int) -> bytes:
    if size_bytes > _TABLE_BYTES_MAX or offset + size_bytes > content.size_bytes:
        raise ElfError("an ELF file's table lies outside of the file")
    return content.slice(offset, size_bytes)


def _string(table: bytes, offset: int) -> bytes:
    end = table.find(b"\0", offset)
    if end < 0:
        raise ElfError("an ELF file's string table is cut")
    return table[offset:end]
