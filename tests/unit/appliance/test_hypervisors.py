"""Disk formats of hypervisors without their random numbers."""

from __future__ import annotations

import pytest

from ingot.appliance.hypervisors import with_content_id
from ingot.base.errors import IntegrityError

TEXT = b'# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=ffffffff\nddb.toolsVersion = "1"\n'
LENGTH = 512


@pytest.mark.parametrize("drawn", [b"89abcdef", b"9abcdef", b"0"])
@pytest.mark.parametrize("left_over", [b"", b"\0\n", b"\0\0\n"])
def test_a_descriptor_does_not_depend_on_the_number_that_was_drawn(
    drawn: bytes, left_over: bytes
) -> None:
    written = (TEXT % drawn + left_over).ljust(LENGTH, b"\0")
    expected = (TEXT % b"0000abcd").ljust(LENGTH, b"\0")
    assert with_content_id(written, 0xABCD) == expected


@pytest.mark.parametrize("text", [b"version=1\n", TEXT % b"1" + b"CID=2\n"])
def test_a_strange_descriptor_is_refused(text: bytes) -> None:
    with pytest.raises(IntegrityError, match="content identifiers, not one"):
        with_content_id(text.ljust(LENGTH, b"\0"), 1)
