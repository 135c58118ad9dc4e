"""Reading back all that a bucket holds and all that is set of it, as a ledger has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import urlencode

from ingot.s3.tags import TAG_COUNT_HEADER
from ingot.s3client.client import S3Client
from ingot.s3client.errors import unless_absent
from ingot.testing.ledger import MARKER, NULL, Stack, Version, digest

# Names that stand for what is set of a bucket; no key of an object begins like them.
SETTING: Final = "?"
EXTRA_BUCKETS: Final = ("extra-one", "extra-two", "extra-three")

_SETTINGS: Final[dict[str, Callable[[S3Client, str], object]]] = {
    "policy": S3Client.get_bucket_policy,
    "cors": S3Client.get_bucket_cors,
    "lifecycle": S3Client.get_bucket_lifecycle_configuration,
    "tagging": S3Client.get_bucket_tagging,
}
_UNSET: Final = (
    *("NoSuchBucketPolicy", "NoSuchCORSConfiguration"),
    *("NoSuchLifecycleConfiguration", "NoSuchTagSet"),
)


def setting(value: object) -> Version:
    """Return what a ledger has for a setting."""
    return Version(repr(value), NULL)


def read_everything(
    client: S3Client, bucket: str, *, lapsing: tuple[str, ...] = ()
) -> dict[str, Stack]:
    """Return every version of every object, read whole, and every setting.

    Args:
        client: reads.
        bucket: what is read.
        lapsing: what names begin with whose objects may go while this reads.

    Raises:
        ServiceError: something that is listed cannot be read.
    """
    found: dict[str, Stack] = {}
    for entry in client.iterate_versions(bucket):
        version: Version | None = Version(MARKER, entry.version_id)
        if not entry.is_delete_marker:
            read_it = partial(read_version, client, bucket, entry.key, entry.version_id)
            gone = ("NoSuchKey",) if entry.key.startswith(lapsing) else ()
            version = unless_absent(read_it, *gone)
        if version is not None:
            found[entry.key] = (*found.get(entry.key, ()), version)
    for name, read in _SETTINGS.items():
        value = unless_absent(partial(read, client, bucket), *_UNSET)
        if value is not None:
            found[SETTING + name] = (setting(value),)
    listed = {item.name for item in client.list_buckets()}
    for name in listed.intersection(EXTRA_BUCKETS):
        found[SETTING + name] = (setting(client.get_bucket_versioning(name)),)
    return found


def read_version(client: S3Client, bucket: str, key: str, version_id: str) -> Version:
    """Return a version, its body read whole."""
    named = None if version_id == NULL else version_id
    with client.get_object(bucket, key, version_id=named) as stream:
        content, headers = digest(b"".join(stream)), stream.info.service_headers
    tags = ""
    if TAG_COUNT_HEADER in headers:
        tags = urlencode(client.get_object_tagging(bucket, key, version_id=named))
    mode = headers.get("x-amz-object-lock-mode", "")
    return Version(
        content,
        version_id,
        tags,
        f"{mode} {headers['x-amz-object-lock-retain-until-date']}" if mode else "",
        headers.get("x-amz-object-lock-legal-hold") == "ON",
    )
