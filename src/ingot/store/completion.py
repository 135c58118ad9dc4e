"""From the parts in the catalog to the commit that makes an object of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.base.limits import PARTS_MAX
from ingot.store import keys
from ingot.store.catalog.contract import Catalog, Check
from ingot.store.changes import Plan
from ingot.store.keys import NULL_VERSION
from ingot.store.manifest import CompletedPart, Expected, build_manifest
from ingot.store.records import SCHEMA, ObjectRecord, decode_part, decode_upload, encode


class Completion(NamedTuple):
    """What a completion asks for.

    Attributes:
        parts: the parts, in order.
        expected: what is announced about the object.
        modified_ns: the time of the completion.
    """

    parts: Sequence[CompletedPart]
    expected: Expected
    modified_ns: int


def plan_completion(
    catalog: Catalog, partition: str, key: str, found: bytes, completion: Completion
) -> Plan:
    """Read an upload's parts and plan the object they make.

    Args:
        catalog: where the parts are.
        partition: the bucket's partition.
        key: the object's key.
        found: the encoded record of the upload.
        completion: what is asked for.

    Raises:
        Error: see `build_manifest`.
    """
    upload = decode_upload(found)
    prefix = keys.parts_prefix(upload.upload_id)
    rows = catalog.scan(partition, prefix, keys.behind_prefix(prefix), limit=PARTS_MAX)
    stored = {part.number: part for part in (decode_part(value) for _, value in rows)}
    manifest = build_manifest(upload, stored, completion.parts, completion.expected)
    record = ObjectRecord(
        schema=SCHEMA,
        version_id=NULL_VERSION,
        delete_marker=False,
        modified_ns=completion.modified_ns,
        size_bytes=manifest.size_bytes,
        etag=manifest.etag,
        checksum_type=manifest.checksum_type,
        checksums=manifest.checksums,
        layout="manifest",
        blob=None,
        part_count=len(manifest.parts),
        upload_id=upload.upload_id,
        attributes=upload.attributes,
        lock=upload.lock,
    )
    upload_key = keys.upload_key(key, upload.upload_id)
    used = {keys.part_key(upload.upload_id, part.number) for part in manifest.parts}
    # A part that is replaced meanwhile gives its blob to the garbage queue, so the parts of the
    # manifest must still be the ones that were read.
    unchanged = [Check(part_key, value) for part_key, value in rows if part_key in used]
    return Plan(
        record=record,
        attachment=encode(manifest.parts),
        checks=[Check(upload_key, found), *unchanged],
        deletes=[upload_key, *used],
    )
