from collections.abc import Sequence
from typing import Any

import pytest

from ingot.s3.documents.lifecycle import (
    Expiration,
    Filter,
    LifecycleRule,
    NoncurrentExpiration,
)
from ingot.store.expiry import Fates, due_ns, upload_goes
from ingot.store.pages import ListedUpload, ListedVersion
from ingot.store.records import SCHEMA, Attributes, ObjectRecord, UploadRecord

DAY_NS = 24 * 3600 * 10**9
# The beginning of a day.
NOW_NS = 20_000 * DAY_NS


def version(
    key: str = "key",
    *,
    age_days: float = 10,
    latest: bool = True,
    marker: bool = False,
    size_bytes: int = 100,
    **tags: str,
) -> ListedVersion:
    record = ObjectRecord(
        schema=SCHEMA,
        version_id=f"{key}-{age_days}",
        delete_marker=marker,
        modified_ns=int(NOW_NS - age_days * DAY_NS),
        size_bytes=0 if marker else size_bytes,
        etag="",
        checksum_type="",
        checksums={},
        layout="inline",
        blob=None,
        part_count=0,
        upload_id="",
        attributes=Attributes(tags=tags),
    )
    return ListedVersion(key, record, latest)


def fates(versions: Sequence[ListedVersion], *rules: LifecycleRule) -> list[tuple[Any, bool]]:
    decider = Fates(rules, NOW_NS)
    found = [fate for item in versions for fate in decider.see(item)]
    found += decider.finish()
    return [(fate.version.record.version_id, fate.for_good) for fate in found]


def after(days: int, **fields: Any) -> LifecycleRule:
    return LifecycleRule(expiration=Expiration(days=days), **fields)


def test_days_end_at_the_next_midnight() -> None:
    assert due_ns(NOW_NS, 1) == NOW_NS + DAY_NS
    assert due_ns(NOW_NS + 1, 1) == NOW_NS + 2 * DAY_NS
    assert due_ns(NOW_NS - 1, 1) == NOW_NS + DAY_NS


def test_an_object_is_deleted_when_its_days_are_over() -> None:
    versions = [version("a", age_days=3), version("b", age_days=1.5), version("c", age_days=1)]
    assert fates(versions, after(3)) == [("a-3", False)]
    assert fates(versions, after(2)) == [("a-3", False)]
    assert fates(versions, after(1)) == [("a-3", False), ("b-1.5", False), ("c-1", False)]
    assert fates(versions, after(1, enabled=False)) == []


def test_a_date_is_for_all_of_them() -> None:
    rule = LifecycleRule(expiration=Expiration(date_ns=NOW_NS))
    assert fates([version(age_days=0)], rule) == [("key-0", False)]
    rule = LifecycleRule(expiration=Expiration(date_ns=NOW_NS + 1))
    assert fates([version()], rule) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Filter(), True),
        (Filter(prefix="ke"), True),
        (Filter(prefix="x"), False),
        (Filter(tags=(("color", "red"),)), True),
        (Filter(tags=(("color", "blue"),)), False),
        (Filter(tags=(("color", "red"), ("size", "s"))), False),
        (Filter(larger_bytes=99), True),
        (Filter(larger_bytes=100), False),
        (Filter(smaller_bytes=101), True),
        (Filter(smaller_bytes=100), False),
        (Filter("k", (("color", "red"),), 1, 1000), True),
    ],
)
def test_a_rule_is_about_what_its_filter_says(condition: Filter, expected: bool) -> None:
    found = fates([version(color="red")], after(1, filter=condition))
    assert found == ([("key-10", False)] if expected else [])


def test_old_versions_go_when_they_were_replaced_long_ago() -> None:
    """What counts is when the next newer version was made, not the age of the version itself."""
    versions = [
        version(age_days=1),
        version(age_days=5, latest=False),
        version(age_days=9, latest=False),
        version(age_days=20, latest=False),
    ]
    rule = LifecycleRule(noncurrent_expiration=NoncurrentExpiration(days=5))
    assert fates(versions, rule) == [("key-9", True), ("key-20", True)]
    kept = LifecycleRule(noncurrent_expiration=NoncurrentExpiration(days=5, keep=2))
    assert fates(versions, kept) == [("key-20", True)]
    by_count = LifecycleRule(noncurrent_expiration=NoncurrentExpiration(keep=1))
    assert fates(versions, by_count) == [("key-9", True), ("key-20", True)]


def test_the_count_of_versions_begins_anew_with_each_key() -> None:
    rule = LifecycleRule(noncurrent_expiration=NoncurrentExpiration(keep=1))
    versions = [
        item
        for key in "ab"
        for item in (version(key, age_days=1), version(key, age_days=2, latest=False))
    ]
    assert fates(versions, rule) == []


def test_a_delete_marker_goes_only_when_it_is_alone() -> None:
    rule = LifecycleRule(expiration=Expiration(lone_marker=True))
    alone = version("a", marker=True)
    with_version = [version("b", marker=True), version("b", age_days=20, latest=False)]
    assert fates([alone, *with_version], rule) == [("a-10", True)]
    assert fates([*with_version, alone._replace(key="c")], rule) == [("a-10", True)]


def test_days_count_for_lone_delete_markers_too() -> None:
    assert fates([version(marker=True, age_days=3)], after(3)) == [("key-3", True)]
    assert fates([version(marker=True, age_days=3)], after(4)) == []


def test_a_filter_of_tags_or_sizes_is_never_about_delete_markers() -> None:
    for condition in (Filter(tags=(("a", "b"),)), Filter(larger_bytes=1), Filter(smaller_bytes=9)):
        assert fates([version(marker=True)], after(1, filter=condition)) == []


def test_all_versions_go_along_where_the_rule_says_so() -> None:
    versions = [version(age_days=3), version(age_days=4, latest=False), version("z", age_days=1)]
    rule = LifecycleRule(expiration=Expiration(days=3, all_versions=True))
    assert fates(versions, rule) == [("key-3", True), ("key-4", True)]
    deleted = [version(age_days=3, marker=True), version(age_days=4, latest=False)]
    assert fates(deleted, LifecycleRule(marker_days=3)) == [("key-3", True), ("key-4", True)]
    assert fates(deleted, LifecycleRule(marker_days=4)) == []


def test_uploads_go_when_they_rest_for_too_long() -> None:
    record = UploadRecord(SCHEMA, "id", NOW_NS - 3 * DAY_NS, "", "", Attributes())
    upload = ListedUpload("key", record)
    assert upload_goes([LifecycleRule(abort_days=3)], upload, NOW_NS)
    assert not upload_goes([LifecycleRule(abort_days=4)], upload, NOW_NS)
    assert not upload_goes([LifecycleRule(abort_days=3, enabled=False)], upload, NOW_NS)
    other = LifecycleRule(abort_days=3, filter=Filter(prefix="x"))
    assert not upload_goes([other], upload, NOW_NS)
