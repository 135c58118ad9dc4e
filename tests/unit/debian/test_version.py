"""Versions order as Debian Policy 5.6.12 says."""

import itertools

import pytest

from ingot.debian.version import VersionError, satisfies, version_key

ASCENDING = [
    *("0~~", "0~~a", "0~", "0", "0a", "0+", "0.1"),
    *("1~rc1-1", "1-1~bpo1", "1-1", "1-1+b1", "1-2", "1-10", "1a-1", "1+dfsg-1"),
    *("1.0-1", "1.2.3-1", "1.10-1", "2:0.1", "10:0"),
]


def test_known_versions_are_in_order() -> None:
    for lower, higher in itertools.pairwise(ASCENDING):
        assert version_key(lower) < version_key(higher), (lower, higher)


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.01", "1.1"), ("1.", "1.0")]
)
def test_different_spellings_of_one_version(left: str, right: str) -> None:
    assert version_key(left) == version_key(right)


@pytest.mark.parametrize("text", ["", "1 2", "a:1", "1_2", "1/2"])
def test_malformed_versions_are_refused(text: str) -> None:
    with pytest.raises(VersionError):
        version_key(text)


@pytest.mark.parametrize(
    ("operator", "fulfilled"),
    [
        ("<<", [True, False, False]),
        ("<=", [True, True, False]),
        ("=", [False, True, False]),
        (">=", [False, True, True]),
        (">>", [False, False, True]),
    ],
)
def test_relations(operator: str, fulfilled: list[bool]) -> None:
    assert [satisfies(version, operator, "2-1") for version in ("2~", "2-1", "2-2")] == fulfilled
    with pytest.raises(VersionError):
        satisfies("1", "==", "1")
