"""Named bounds that more than one room shares; a room's own stand in its files."""

from __future__ import annotations

from ingot.base.units import GIB, KIB, MIB, TIB

# S3 (AWS: "Amazon S3 multipart upload limits", "Object key naming guidelines").
KEY_BYTES_MAX = 1024
BUCKET_NAME_LENGTH_MIN = 3
BUCKET_NAME_LENGTH_MAX = 63
PUT_BYTES_MAX = 5 * GIB
COPY_BYTES_MAX = 5 * GIB
OBJECT_BYTES_MAX = 5 * TIB
PART_BYTES_MIN = 5 * MIB
PART_BYTES_MAX = 5 * GIB
PARTS_MAX = 10_000
LIST_KEYS_MAX = 1000
DELETE_KEYS_MAX = 1000
USER_METADATA_BYTES_MAX = 2 * KIB
XML_BODY_BYTES_MAX = 4 * MIB
CLOCK_SKEW_S = 15 * 60
PRESIGN_EXPIRY_S_MAX = 7 * 24 * 3600

# The data path.
TRANSFER_CHUNK_BYTES = 1 * MIB
# Measured: docs/decisions/0002-inline-bodies.md.
INLINE_BYTES_MAX = 32 * KIB
