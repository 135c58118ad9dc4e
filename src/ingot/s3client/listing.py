"""Operations that list objects, a page at a time and all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from ingot.base.limits import LIST_KEYS_MAX
from ingot.s3.documents.common import URL_ENCODING
from ingot.s3client.caller import Call, Caller
from ingot.s3client.paging import check_prefix, following

# What reads listings takes longer to import than many a command takes otherwise.
if TYPE_CHECKING:
    from ingot.s3.documents.listing import (
        Entry,
        ObjectList,
        ObjectListV2,
        VersionEntry,
        VersionList,
    )


class ListOperations(Caller):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`.

    Names always travel percent-encoded (`encoding-type=url`): XML cannot carry every key.
    """

    def list_objects(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        marker: str = "",
        max_keys: int = LIST_KEYS_MAX,
    ) -> ObjectList:
        """Return a page of keys after `marker`, in the order of their UTF-8 bytes."""
        query = _query(prefix=prefix, delimiter=delimiter, marker=marker, max_keys=max_keys)
        from ingot.s3.documents.listing import parse_objects

        return self.parsed(Call("GET", bucket, query=query), parse_objects)

    def list_objects_v2(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        continuation_token: str | None = None,
        max_keys: int = LIST_KEYS_MAX,
    ) -> ObjectListV2:
        """Return a page of keys, in the order of their UTF-8 bytes."""
        query = _query(
            list_type="2",
            prefix=prefix,
            delimiter=delimiter,
            start_after=start_after,
            continuation_token=continuation_token or "",
            max_keys=max_keys,
        )
        from ingot.s3.documents.listing import parse_objects_v2

        return self.parsed(Call("GET", bucket, query=query), parse_objects_v2)

    def list_object_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        version_id_marker: str = "",
        max_keys: int = LIST_KEYS_MAX,
    ) -> VersionList:
        """Return a page of versions and delete markers, the newest of each key first."""
        query = _query(
            versions=None,
            prefix=prefix,
            delimiter=delimiter,
            key_marker=key_marker,
            version_id_marker=version_id_marker,
            max_keys=max_keys,
        )
        from ingot.s3.documents.listing import parse_versions

        return self.parsed(Call("GET", bucket, query=query), parse_versions)

    def iterate_pages(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", start_after: str = ""
    ) -> Iterator[ObjectListV2]:
        """Yield every page of a listing; each is asked for when the one before is used up."""
        token = None
        while True:
            page = self.list_objects_v2(
                bucket,
                prefix=prefix,
                delimiter=delimiter,
                start_after=start_after,
                continuation_token=token,
            )
            if page.entries:
                check_prefix(bucket, (page.entries[0].key, page.entries[-1].key), prefix)
            yield page
            if not page.is_truncated:
                return
            token = following(bucket, page.next_continuation_token, token)

    def iterate_objects(
        self, bucket: str, *, prefix: str = "", start_after: str = ""
    ) -> Iterator[Entry]:
        """Yield every object under a prefix, in the order of their keys' UTF-8 bytes."""
        for page in self.iterate_pages(bucket, prefix=prefix, start_after=start_after):
            yield from page.entries

    def iterate_versions(self, bucket: str, *, prefix: str = "") -> Iterator[VersionEntry]:
        """Yield every version and delete marker under a prefix, the newest of each key first."""
        key_marker = version_id_marker = ""
        while True:
            page = self.list_object_versions(
                bucket,
                prefix=prefix,
                key_marker=key_marker,
                version_id_marker=version_id_marker,
            )
            if page.versions:
                check_prefix(bucket, (page.versions[0].key, page.versions[-1].key), prefix)
            yield from _in_order(page.versions)
            if not page.is_truncated:
                return
            key_marker, version_id_marker = following(
                bucket,
                (page.next_key_marker or "", page.next_version_id_marker or ""),
                (key_marker, version_id_marker),
            )


def _in_order(versions: Sequence[VersionEntry]) -> Sequence[VersionEntry]:
    """Put a page in order, where a service lists delete markers behind all versions."""
    if all(_may_follow(one, other) for one, other in pairwise(versions)):
        return versions
    return sorted(versions, key=lambda entry: (entry.key, not entry.is_latest, -entry.modified_ns))


def _may_follow(one: VersionEntry, other: VersionEntry) -> bool:
    if one.key != other.key:
        return one.key < other.key
    return not other.is_latest and one.modified_ns >= other.modified_ns


def _query(**parameters: str | int | None) -> list[tuple[str, str]]:
    """Name parameters as S3 does; empty ones are left out, None is a name without a value."""
    pairs = [("encoding-type", URL_ENCODING)]
    for name, value in parameters.items():
        if value is None:
            pairs.append((name.replace("_", "-"), ""))
        elif value != "":
            pairs.append((name.replace("_", "-"), str(value)))
    return pairs
