"""Moments, and which versions they choose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import UsageError
from ingot.client.moments import parse_moment
from ingot.client.tagging import parse_tags
from ingot.client.versions import Choice, at_moment, by_key
from ingot.s3.documents.listing import VersionEntry

S = 1_000_000_000
NOW = 1_800_000_000 * S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1d", 1_800_000_000 - 86_400),
        ("90", 1_800_000_000 - 90),
        ("1970-01-02", 86_400),
        ("1970.01.02", 86_400),
        ("1970.01.01T00:10", 600),
        ("1970-01-01T00:10:00Z", 600),
        ("1970-01-01T01:10:00+01:00", 600),
        ("1970-01-01T00:00:01.5", 1.5),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert parse_moment(text, NOW) == int(seconds * S)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026.1.1", "1970-01-01T"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(version_id="a", every_version=True),
        Choice(every_version=True, rewind_ns=1),
        Choice(recursive=True, version_id="a"),
    ],
)
def test_choices_that_exclude_each_other(choice: Choice) -> None:
    with pytest.raises(UsageError):
        choice.check()


times = st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=6)


@given(times, st.integers(0, 60))
def test_what_was_current_is_the_newest_that_is_not_younger(
    made: list[tuple[int, bool]], moment: int
) -> None:
    versions = [
        VersionEntry("k", str(index), index == 0, at, is_delete_marker=marker)
        for index, (at, marker) in enumerate(sorted(made, reverse=True))
    ]
    there = [entry for entry in versions if entry.modified_ns <= moment]
    expected = there[0] if there and not there[0].is_delete_marker else None
    assert expected == at_moment(versions, moment)


def test_versions_are_grouped_by_key() -> None:
    entries = [VersionEntry(key, key, True, 0) for key in "aabbb"]
    assert [len(group) for group in by_key(entries)] == [2, 3]


def test_tags_are_written_like_a_query() -> None:
    assert parse_tags("a=b&c=d%26e&f=") == {"a": "b", "c": "d&e", "f": ""}
    for text in ("", "=x", "a=b&a=c", "a=%ff", "aws:a=b", "k" * 129):
        with pytest.raises(UsageError):
            parse_tags(text)
