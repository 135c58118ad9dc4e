"""Histories: after what is missing is appended, the target ends as the source does."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ingot.client.histories import missing
from ingot.s3.documents.listing import VersionEntry

_CONTENTS = st.lists(st.sampled_from("abc-"), max_size=6)


def versions(contents: list[str]) -> list[VersionEntry]:
    return [
        VersionEntry("k", str(index), is_latest=False, modified_ns=index, etag=content)
        for index, content in enumerate(contents)
    ]


def is_same(one: VersionEntry, other: VersionEntry) -> bool:
    return one.etag == other.etag


def appended(source: list[str], target: list[str]) -> list[str]:
    return [entry.etag for entry in missing(versions(source), versions(target), is_same)]


@given(source=_CONTENTS, target=_CONTENTS)
@example(source=["b", "c"], target=["a", "b"])
@example(source=["a", "a"], target=["a"])
def test_the_target_ends_as_the_source_and_a_second_run_adds_nothing(
    source: list[str], target: list[str]
) -> None:
    after = target + appended(source, target)
    assert after[len(after) - len(source) :] == source
    assert appended(source, after) == []


@given(history=_CONTENTS, more=_CONTENTS, expired=st.integers(0, 6))
def test_only_what_is_new_is_added_after_old_versions_expired(
    history: list[str], more: list[str], expired: int
) -> None:
    source = (history + more)[min(expired, max(len(history) - 1, 0)) :]
    assert len(appended(source, history)) <= len(more)
