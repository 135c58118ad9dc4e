"""The pure parts of copying: what checksums tell, which types names have, where folders go."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingot.client.addresses import Address, LocalAddress, parse_address
from ingot.client.aliases import AliasBook
from ingot.client.comparison import told_by_checksums
from ingot.client.copying import folder_target
from ingot.client.given import content_headers_of
from ingot.s3.checksums import COMPOSITE, FULL_OBJECT, ChecksumValue

WHOLE = ChecksumValue("CRC32", "AAAAAA==", FULL_OBJECT)
OTHER = ChecksumValue("CRC32", "BBBBBA==", FULL_OBJECT)
PARTS = ChecksumValue("CRC32", "AAAAAA==-2", COMPOSITE)
OTHER_PARTS = ChecksumValue("CRC32", "BBBBBA==-3", COMPOSITE)
OTHER_KIND = ChecksumValue("SHA256", "A" * 43 + "=", FULL_OBJECT)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (WHOLE, WHOLE, True),
        (PARTS, PARTS, True),
        (WHOLE, OTHER, False),
        (PARTS, OTHER_PARTS, None),
        (WHOLE, PARTS, None),
        (WHOLE, OTHER_KIND, None),
        (WHOLE, None, None),
        (None, None, None),
    ],
)
def test_checksums_tell_what_they_can(
    first: ChecksumValue | None, second: ChecksumValue | None, expected: bool | None
) -> None:
    assert told_by_checksums(first, second) is expected
    assert told_by_checksums(second, first) is expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html"),
        ("a.tar.gz", "application/gzip"),
        ("a.json", "application/json"),
        ("README", "application/octet-stream"),
        ("a.unknown-suffix", "application/octet-stream"),
    ],
)
def test_the_type_comes_from_the_name(name: str, kind: str) -> None:
    assert content_headers_of(name) == {"content-type": kind}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("photos", "s3/b", "s3/b/photos/"),
        ("photos/", "s3/b", "s3/b"),
        ("a/photos", "s3/b/p", "s3/b/p/photos/"),
        (".", "s3/b/p/", "s3/b/p/"),
        ("..", "s3/b", "s3/b"),
        ("s3/b", "dst", "dst/b"),
        ("s3/b/", "dst", "dst"),
        ("s3/b", "s3/c", "s3/c/b/"),
        ("s3/b/", "s3/c", "s3/c"),
        ("s3/b/photos", "dst", "dst/photos"),
        ("s3/b/photos/", "dst", "dst"),
        ("s3/b/photos", "s3/c", "s3/c/photos/"),
    ],
)
def test_a_folder_goes_into_the_target_or_with_a_slash_its_contents_do(
    tmp_path: Path, source: str, target: str, expected: str
) -> None:
    book = AliasBook(tmp_path / "none.json", {"MC_HOST_s3": "http://a:b@h"})
    goal: Address = folder_target(parse_address(source, book), parse_address(target, book))
    assert str(goal) == expected
    assert isinstance(goal, LocalAddress) == expected.startswith("dst")
