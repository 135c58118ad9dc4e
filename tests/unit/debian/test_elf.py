"""ELF files: what they need is read, what nobody needs is cut, damage is an error."""

import sys
from pathlib import Path

import pytest

from ingot.debian.elf import ElfError, Linkage, read_linkage, read_section, strip
from ingot.oci.tree import Content
from ingot.testing.elfs import make_elf

LINKER = "/lib64/ld-linux-x86-64.so.2"


def test_linkage() -> None:
    elf = make_elf(needed=["libc.so.6", "libz.so.1"], runpath="$ORIGIN/../x:/y", interpreter=LINKER)
    wanted = Linkage(("libc.so.6", "libz.so.1"), ("$ORIGIN/../x", "/y"), LINKER)
    assert read_linkage(Content.of(elf)) == wanted


def test_sections() -> None:
    content = Content.of(make_elf(sections={".modinfo": b"license=GPL\0", ".text": b"code"}))
    assert read_section(content, ".modinfo") == b"license=GPL\0"
    assert read_section(content, ".data") is None


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n" * 20, b"\x7fELF\x01\x01" + b"\0" * 80])
def test_other_files_are_none(data: bytes) -> None:
    assert read_linkage(Content.of(data)) is None
    assert read_section(Content.of(data), ".modinfo") is None
    assert strip(data) == data


def test_cut_files_are_errors() -> None:
    whole = make_elf(needed=["libc.so.6"], sections={".modinfo": b"x" * 100})
    with pytest.raises(ElfError):
        read_linkage(Content.of(whole[:100]))
    with pytest.raises(ElfError):
        read_section(Content.of(whole[:-1]), ".modinfo")
    with pytest.raises(ElfError):
        strip(whole[:200])


def test_strip_keeps_what_is_loaded() -> None:
    elf = make_elf(needed=["libc.so.6"], sections={".debug_info": b"d" * 5000})
    stripped = strip(elf)
    assert len(stripped) < 1000
    assert read_linkage(Content.of(stripped)) == read_linkage(Content.of(elf))
    assert read_section(Content.of(stripped), ".debug_info") is None
    assert strip(stripped) == stripped


def test_a_real_program() -> None:
    linkage = read_linkage(Content.of(Path(sys.executable).read_bytes()))
    assert linkage is not None
    assert linkage.interpreter.startswith("/lib")
    assert any(name.startswith("libc.so") for name in linkage.needed)
