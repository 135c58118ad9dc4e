"""One bit of a store's files is flipped: what is read is what was written, or an error.

Every object is read after each flip, from a store that was opened anew. A key may be gone (its row
cannot be found any more), but nothing may answer with other bytes, or under another name.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import Error
from ingot.cli.main import run
from ingot.store.errors import RecordDamagedError
from ingot.store.fences import Versioning
from ingot.store.manifest import CompletedPart
from ingot.store.records import Attributes
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.clock import FakeClock
from ingot.testing.stores import make_body, put_bytes, read_bytes

PART = 5 << 20
SMOKE_FLIPS = 160
ATTRIBUTES = Attributes({"content-type": "text/plain"}, {"colour": "blue"}, {"tag": "1"})


async def fill(root: Path) -> dict[tuple[str, str, str | None], Any]:
    """Make a store of all layouts; return what each version is."""
    store = ObjectStore.open(root, clock=FakeClock())
    await store.buckets.create("plain")
    await store.buckets.create("versions")
    await store.buckets.set_versioning("versions", Versioning.ENABLED)
    written = {}
    for bucket in ("plain", "versions"):
        for key, content in (
            ("inline", b"inline content"),
            ("inline2", random_bytes(2000, 1)),
            ("empty", b""),
            ("blob", random_bytes(90_000, 2)),
            ("blob", random_bytes(70_000, 3)),
        ):
            body = await make_body(store, content)
            record = await store.objects.put(bucket, key, body, ATTRIBUTES)
            version = None if bucket == "plain" else record.version_id
            written[bucket, key, version] = (content, record)
    upload = await store.uploads.create("plain", "parts", ATTRIBUTES)
    parts = []
    for number in (1, 2):
        body = await make_body(
            store, random_bytes(PART if number == 1 else 9, number), inline_max=-1
        )
        part = await store.uploads.put_part("plain", "parts", upload.upload_id, number, body)
        parts.append(CompletedPart(number, part.etag))
    record = await store.uploads.complete("plain", "parts", upload.upload_id, parts)
    whole = random_bytes(PART, 1) + random_bytes(9, 2)
    written["plain", "parts", None] = (whole, record)
    # A copy whose record differs from its source's in the key alone.
    source = store.objects.get("plain", "inline")
    record = await store.objects.copy(source, "plain", "inlinf")
    written["plain", "inlinf", None] = (b"inline content", record)
    store.close()
    return written


async def read_all(root: Path, written: dict[tuple[str, str, str | None], Any]) -> int:
    """Read everything; return how many reads failed.

    Raises:
        AssertionError: something was read that was not written.
    """
    failures = 0
    try:
        store = ObjectStore.open(root, clock=FakeClock())
    except Error:
        return len(written)
    try:
        for (bucket, key, version), (content, record) in written.items():
            found = None
            with contextlib.suppress(Error):
                stored = store.objects.get(bucket, key, version_id=version)
                pieces = [piece async for piece in store.objects.read(stored)]
                found = (b"".join(pieces), stored.record)
            if found is None:
                failures += 1
            else:
                assert found[0] == content, f"{bucket}/{key} {version}: other bytes"
                assert found[1] == record, f"{bucket}/{key} {version}: another record"
    finally:
        store.close()
    return failures


def flips(root: Path, rng: random.Random) -> list[tuple[Path, int, int]]:
    """Return where to flip: files, offsets and bits, most of them where the catalog has content."""
    catalog = root / "catalog" / "catalog.sqlite"
    data = catalog.read_bytes()
    used = [offset for offset, byte in enumerate(data) if byte]
    chosen = [(catalog, rng.choice(used), rng.randrange(8)) for _ in range(6)]
    chosen.append((catalog, rng.randrange(len(data)), rng.randrange(8)))
    blobs = sorted(
        path for path in (root / "blobs").rglob("*") if path.is_file() and path.stat().st_size
    )
    blob = rng.choice(blobs)
    chosen.append((blob, rng.randrange(blob.stat().st_size), rng.randrange(8)))
    return chosen


def flip(path: Path, offset: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def flip_and_read(root: Path, written: Any, seed: int, count: int) -> None:
    rng = random.Random(seed)
    catalog = root / "catalog" / "catalog.sqlite"
    sound = catalog.read_bytes()
    failures = done = 0
    while done < count:
        for path, offset, bit in flips(root, rng):
            flip(path, offset, bit)
            try:
                failures += asyncio.run(read_all(root, written)) > 0
            except BaseException:
                print(f"seed {seed}: bit {bit} of byte {offset} of {path.name}")
                raise
            flip(path, offset, bit)
            if catalog.read_bytes() != sound:
                catalog.write_bytes(sound)
            done += 1
    assert failures > count // 10, "the flips hit something"


def test_a_flipped_bit_is_never_read(tmp_path: Path) -> None:
    written = asyncio.run(fill(tmp_path / "store"))
    assert asyncio.run(read_all(tmp_path / "store", written)) == 0
    flip_and_read(tmp_path / "store", written, 7, SMOKE_FLIPS)


def test_a_damaged_schema_is_told_of(tmp_path: Path) -> None:
    written = asyncio.run(fill(tmp_path / "store"))
    catalog = tmp_path / "store" / "catalog" / "catalog.sqlite"
    sound = catalog.read_bytes()
    first = sound.index(b"CREATE")
    refused = 0
    for offset in range(first, 4096, 5):
        flip(catalog, offset, 7)  # text that is no UTF-8
        refused += asyncio.run(read_all(tmp_path / "store", written)) > 0
        catalog.write_bytes(sound)
    assert refused > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_flipped_bits_are_never_read(tmp_path: Path) -> None:
    written = asyncio.run(fill(tmp_path / "store"))
    seed = random.SystemRandom().randrange(2**32)
    flip_and_read(tmp_path / "store", written, seed, 5000)


def test_a_damaged_version_stays_damaged_when_it_moves(tmp_path: Path) -> None:
    async def test() -> None:
        store = ObjectStore.open(tmp_path, clock=FakeClock())
        await store.buckets.create("bucket")
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        first = await put_bytes(store, "bucket", "key", b"mark of the body")
        store.close()
        path = tmp_path / "catalog" / "catalog.sqlite"
        content = path.read_bytes()
        flip(path, content.index(b"mark of the body"), 0)

        store = ObjectStore.open(tmp_path, clock=FakeClock())
        second = await put_bytes(store, "bucket", "key", b"second")
        assert store.objects.get("bucket", "key").body == b"second"
        for _ in range(2):  # as an older version, and as the latest again
            with pytest.raises(RecordDamagedError):
                store.objects.get("bucket", "key", version_id=first.version_id)
            await store.objects.delete_versions("bucket", {"key": [second.version_id]})
        with pytest.raises(RecordDamagedError):
            store.objects.get("bucket", "key")
        await store.objects.delete_versions("bucket", {"key": [first.version_id]})
        assert store.objects.list_versions("bucket").versions == []
        store.close()

    asyncio.run(test())


def test_the_blobs_that_a_damaged_record_names_are_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        clock = FakeClock()
        store = ObjectStore.open(tmp_path, clock=clock)
        await store.buckets.create("bucket")
        record = await put_bytes(store, "bucket", "key", random_bytes(90_000, 1))
        await put_bytes(store, "bucket", "other", random_bytes(90_000, 2))
        store.close()
        # The record now names the blob of the other object.
        path = tmp_path / "catalog" / "catalog.sqlite"
        content = path.read_bytes()
        assert record.blob is not None
        at = content.index(record.blob.id.encode()) + len(record.blob.id) - 1
        flip(path, at, 0)

        store = ObjectStore.open(tmp_path, clock=clock)
        await store.objects.delete("bucket", "key")
        clock.advance(3600)
        await store.maintenance.collect()
        assert await read_bytes(store, "bucket", "other") == random_bytes(90_000, 2)
        store.close()

    asyncio.run(test())


def test_damage_hides_no_lock(tmp_path: Path) -> None:
    async def test() -> None:
        store = ObjectStore.open(tmp_path, clock=FakeClock())
        await store.buckets.create("locked", lockable=True)
        record = await put_bytes(store, "locked", "key", b"mark of the body")
        store.close()
        path = tmp_path / "catalog" / "catalog.sqlite"
        content = path.read_bytes()
        flip(path, content.index(record.etag.encode()), 0)

        store = ObjectStore.open(tmp_path, clock=FakeClock())
        with pytest.raises(RecordDamagedError):
            await store.objects.delete_versions("locked", {"key": [record.version_id]})
        assert len(store.objects.list_versions("locked").versions) == 1
        store.close()

    asyncio.run(test())


def test_the_scrubber_tells_of_pages_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill(tmp_path / "store"))
    path = tmp_path / "store" / "catalog" / "catalog.sqlite"
    sound = path.read_bytes()
    told = set()
    for page in range(1, len(sound) // 4096):
        flip(path, page * 4096, 1)  # the kind of a page
        code = run(["server", "scrub", str(tmp_path / "store"), "--json"])
        problems = '"type": "problem"' in capsys.readouterr().out
        told.add((code, problems))
        path.write_bytes(sound)
    # Some pages are of no use to the scrubber; where it stumbles it says so and ends in order.
    assert (1, True) in told
    assert told <= {(1, True), (0, False)}
