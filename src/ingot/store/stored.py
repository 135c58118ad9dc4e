"""An object as it was found: its record, and where its bytes are."""

from __future__ import annotations

from ingot.store.blobs.contract import BlobRef
from ingot.store.records import ObjectRecord, PartRecord, decode_manifest


class StoredObject:
    """An object as one moment's read found it.

    Attributes:
        bucket: the bucket's name.
        key: the object's key.
        record: what is known about it.
        versioned: whether the bucket keeps versions, or did once.
    """

    __slots__ = ("_attachment", "bucket", "key", "record", "versioned")

    def __init__(
        self,
        bucket: str,
        key: str,
        record: ObjectRecord,
        attachment: bytes | None,
        *,
        versioned: bool,
    ) -> None:
        self.bucket = bucket
        self.key = key
        self.record = record
        self.versioned = versioned
        self._attachment = attachment

    @property
    def body(self) -> bytes | None:
        """The whole body when the catalog holds it, else `None`."""
        return self._attachment if self.record.layout == "inline" else None

    @property
    def parts(self) -> tuple[PartRecord, ...]:
        """The parts it was uploaded in; empty for an object that came in one piece."""
        if self.record.layout != "manifest" or self._attachment is None:
            return ()
        return decode_manifest(self._attachment)

    @property
    def attachment(self) -> bytes | None:
        """What the catalog holds beside the record: the inline body or the encoded manifest."""
        return self._attachment

    def extents(self, start: int, length: int) -> list[tuple[BlobRef, int, int]]:
        """Return which ranges (blob, start, length) of blobs hold a range of the object."""
        if self.record.blob is not None:
            return [(self.record.blob, start, length)]
        extents = []
        stop = start + length
        offset = 0
        for part in self.parts:
            first, last = max(start, offset), min(stop, offset + part.size_bytes)
            if part.blob is not None and first < last:
                extents.append((part.blob, first - offset, last - first))
            offset += part.size_bytes
        return extents
