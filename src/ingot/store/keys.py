r"""How buckets, objects, uploads and garbage are called in the catalog.

An S3 key may be any UTF-8 text, a catalog key must not contain NUL, and some catalog keys carry
something behind the S3 key. So S3 keys are escaped: `\0 \1 \2` become `\2\2 \2\3 \2\4`, which
keeps their order and their prefixes, and leaves `\1` as a separator that sorts before all text.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

# The partition that lists the buckets: name → BucketRecord.
BUCKETS = "buckets"

# The partition of the background work. It holds a mark that is at one of two places (where means
# nothing, moving it does), how far the scrubber is, and what buckets hold.
MAINTENANCE = "maintenance"
MARKS = (b"even", b"odd")
SCRUB = b"scrub"
# What buckets hold, by their ids.
CENSUS = b"usage/"

# The partition of the documents that are kept for others (see `registry`).
REGISTRY = "registry"
REVISION = b"r"
DOCUMENTS = b"d/"

# Keys of a bucket's partition. The fence exists from the bucket's first commit to its last, and
# its value (see `fences`) says by which rules objects are written. Every commit in between demands
# it, so nothing can be written to a deleted bucket, or by the rules of before a change.
FENCE = b"b"
# Changes whenever a record moves from `v/` to `o/`: who reads both learns that it must read again.
PROMOTED = b"m"
# What a bucket with a quota holds (see `usage`), there from the quota's first day to its last.
USAGE = b"q"
OBJECTS = b"o/"
VERSIONS = b"v/"
NULLS = b"n/"
UPLOADS = b"u/"
PARTS = b"p/"
GARBAGE = b"g/"

SEPARATOR = b"\1"
_ESCAPES = ((b"\2", b"\2\4"), (b"\1", b"\2\3"), (b"\0", b"\2\2"))
_BUCKET_PARTITION = "bucket/"

NULL_VERSION = "null"
_TIME_NS_MAX = (1 << 64) - 1


def bucket_partition(bucket_id: str) -> str:
    """Return the partition that holds a bucket's objects."""
    return _BUCKET_PARTITION + bucket_id


def is_bucket_partition(partition: str) -> bool:
    """Tell a bucket's partition from the others."""
    return partition.startswith(_BUCKET_PARTITION)


def escape(key: str) -> bytes:
    """Write an S3 key so that order and prefixes stay and no byte is below 2."""
    return escape_utf8(key.encode())


def escape_utf8(raw: bytes) -> bytes:
    """Write the UTF-8 of an S3 key so, too."""
    if b"\0" in raw or b"\1" in raw or b"\2" in raw:
        for plain, escaped in _ESCAPES:
            raw = raw.replace(plain, escaped)
    return raw


def unescape(escaped: bytes) -> bytes:
    """Return the UTF-8 of the S3 key that `escape` wrote."""
    if b"\2" in escaped:
        for plain, mark in reversed(_ESCAPES):
            escaped = escaped.replace(mark, plain)
    return escaped


def names_of(catalog_keys: Sequence[bytes]) -> list[str]:
    """Return the S3 keys that catalog keys of one space are about, in the same order."""
    # No catalog key has a NUL byte, so all of them are read at once.
    joined = b"\0".join(catalog_keys)
    if not joined or b"\2" in joined:
        return [name_of(key) for key in catalog_keys]
    text = joined.decode()
    space = text[: len(OBJECTS)]
    names = text[len(space) :].split("\0" + space)
    return [name.partition("\1")[0] for name in names] if "\1" in text else names


def object_key(key: str) -> bytes:
    """Return where an object's current version is."""
    return OBJECTS + escape(key)


def version_place(version_id: str, modified_ns: int) -> str:
    """Return what orders a version among those of its key, the newest first.

    A version's id is its place. The null version's place is made of its time.
    """
    if version_id != NULL_VERSION:
        return version_id
    return f"{_TIME_NS_MAX - modified_ns:016x}{NULL_VERSION}"


def new_version_id(modified_ns: int) -> str:
    """Return an id that no other version has, and that sorts before those of older ones."""
    return f"{_TIME_NS_MAX - modified_ns:016x}{secrets.token_hex(8)}"


def name_of(catalog_key: bytes) -> str:
    """Return the S3 key (for a part: the upload) that a key of a bucket's partition is about."""
    return split_name(catalog_key)[0]


def split_name(catalog_key: bytes) -> tuple[str, str]:
    """Return the S3 key that a key of a bucket's partition is about, and what is behind it."""
    escaped, _, behind = catalog_key[len(OBJECTS) :].partition(SEPARATOR)
    return unescape(escaped).decode(), behind.decode()


def version_key(key: str, place: str) -> bytes:
    """Return where a version of an object is that is not the current object."""
    return versions_prefix(key) + place.encode()


def versions_prefix(key: str) -> bytes:
    """Return what the keys of all these versions of an object begin with."""
    return VERSIONS + escape(key) + SEPARATOR


def null_key(key: str) -> bytes:
    """Return where the place of an object's null version stands while that is under `v/`."""
    return NULLS + escape(key)


def upload_key(key: str, upload_id: str) -> bytes:
    """Return where a multipart upload is."""
    return UPLOADS + escape(key) + SEPARATOR + upload_id.encode()


def part_key(upload_id: str, number: int) -> bytes:
    """Return where a part of an upload is."""
    return parts_prefix(upload_id) + b"%05d" % number


def parts_prefix(upload_id: str) -> bytes:
    """Return what the keys of all parts of an upload begin with."""
    return PARTS + upload_id.encode() + SEPARATOR


def garbage_key(due_ns: int) -> bytes:
    """Return a new place in the garbage queue, which is ordered by time."""
    return GARBAGE + b"%020d" % due_ns + SEPARATOR + secrets.token_hex(8).encode()


def garbage_due_by(now_ns: int) -> bytes:
    """Return the end of the queue's range that is due."""
    return GARBAGE + b"%020d" % now_ns


def after(key: bytes) -> bytes:
    """Return the smallest catalog key behind `key`."""
    return key + SEPARATOR


def behind_prefix(prefix: bytes) -> bytes:
    """Return the smallest key behind all keys that begin with `prefix` (never all 0xFF)."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,))
