"""Packages files become values; damaged stored indexes are not believed."""

import pytest

from ingot.debian.index import IndexFormatError, Package, decode_index, encode_index, parse_packages

STANZA = f"""Package: a
Source: b
Version: 1:2-3
Installed-Size: 10
Pre-Depends: x
Depends: y,
 z
Provides: v (= 1), w
Architecture: amd64
Description: Package: not this
 Version: nor this
Filename: pool/a.deb
Size: 12
SHA256: {"ab" * 32}
"""


def test_fields_continued_lines_and_descriptions() -> None:
    (package,) = parse_packages(STANZA, "bookworm")
    assert package == Package(
        *("a", "1:2-3", "amd64", "bookworm", "pool/a.deb", 12, "ab" * 32),
        *("x, y,\n z", "v (= 1), w", "b"),
    )


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ("Source: b\n", ("b", "1:2-3")),
        ("Source: b (1:2-2)\n", ("b", "1:2-2")),
        ("", ("a", "1:2-3")),
    ],
)
def test_the_source_package_has_a_name_and_a_version(field: str, source: tuple[str, str]) -> None:
    (package,) = parse_packages(STANZA.replace("Source: b\n", field), "bookworm")
    assert (package.source_name, package.source_version) == source


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Size: 12", "Size: twelve"),
        ("Filename: pool/a.deb", "Filename: ../../etc/passwd"),
        ("Filename: pool/a.deb", "Filename: /etc/passwd"),
        ("ab" * 32, "AB"),
        ("Version: 1:2-3\n", ""),
    ],
)
def test_malformed_stanzas_are_refused(old: str, new: str) -> None:
    with pytest.raises(IndexFormatError):
        list(parse_packages(STANZA.replace(old, new), "bookworm"))


def test_stored_index_answers_by_name_and_by_what_is_provided() -> None:
    index = decode_index(encode_index(STANZA + "\n\n" + STANZA.replace("1:2-3", "1:2-4"), "s"))
    assert index is not None
    assert [package.version for package in index.versions("a")] == ["1:2-3", "1:2-4"]
    assert index.providers("w") == ["a"]
    assert index.versions("b") == []
    assert index.providers("b") == []


def test_a_damaged_stored_index_is_no_index() -> None:
    data = encode_index(STANZA, "s")
    assert decode_index(data[:-3]) is None
    assert decode_index(b"") is None
