"""`ingot server check`: a sound store passes, every kind of damage is found and named."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest

from ingot.cli.main import run
from ingot.store.catalog.counters import encode_numbers
from ingot.store.store import ObjectStore
from ingot.testing.stores import make_body, put_bytes

LARGE = os.urandom(1_500_000)
MEDIUM = os.urandom(90_000)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A store with an inline object, a blob, a multipart object and an unfinished upload."""

    async def fill() -> None:
        store = ObjectStore.open(tmp_path / "data")
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "empty", b"")
        await put_bytes(store, "bucket", "small", b"small")
        await put_bytes(store, "bucket", "large", LARGE)
        await put_bytes(store, "bucket", "medium", MEDIUM)
        upload = await store.uploads.create("bucket", "parts/\1key")
        body = await make_body(store, LARGE[:300_000], inline_max=-1)
        part = await store.uploads.put_part("bucket", "parts/\1key", upload.upload_id, 1, body)
        await store.uploads.complete("bucket", "parts/\1key", upload.upload_id, [part])
        upload = await store.uploads.create("bucket", "unfinished")
        body = await make_body(store, LARGE[:400_000], inline_max=-1)
        await store.uploads.put_part("bucket", "unfinished", upload.upload_id, 1, body)
        store.close()

    asyncio.run(fill())
    return tmp_path / "data"


def check(data_dir, capsys):
    code = run(["server", "check", str(data_dir), "--json"])
    *problems, summary = map(json.loads, capsys.readouterr().out.splitlines())
    return code, problems, summary


def blob_of(data_dir, size_bytes):
    """Return the file of the blob of about that size."""
    files = [path for path in (data_dir / "blobs" / "data").rglob("*") if path.is_file()]
    (path,) = [path for path in files if 0 < path.stat().st_size - size_bytes < 1000]
    return path


def flip_a_bit(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_a_sound_store_passes(data_dir, capsys):
    code, problems, summary = check(data_dir, capsys)
    assert (code, problems) == (0, [])
    assert summary == {
        "type": "summary",
        "status": "success",
        "buckets": 1,
        "versions": 5,
        "parts": 1,
        "blobs": 4,
        "verified_bytes": len(LARGE) + 700_000 + len(MEDIUM) + len(b"small"),
        "unnamed_blobs": 0,
        "problem_count": 0,
    }


@pytest.mark.parametrize(
    ("size_bytes", "key"), [(len(LARGE), "large"), (300_000, "parts/\1key"), (400_000, None)]
)
def test_a_flipped_bit_is_found(data_dir, capsys, size_bytes, key):
    flip_a_bit(blob_of(data_dir, size_bytes), 77_777)
    code, (problem,), summary = check(data_dir, capsys)
    assert (code, summary["status"], problem["bucket"]) == (1, "error", "bucket")
    assert "wrong checksum" in problem["message"]
    assert key is None or problem["key"] == key


def test_a_flipped_bit_in_a_pack_is_found(data_dir, capsys):
    (pack,) = (data_dir / "blobs" / "packs").iterdir()
    flip_a_bit(pack, 77_777)
    code, (problem,), _ = check(data_dir, capsys)
    assert (code, problem["key"]) == (1, "medium")
    assert "wrong checksum" in problem["message"]


def test_a_missing_file_and_one_too_many_are_found(data_dir, capsys):
    path = blob_of(data_dir, len(LARGE))
    path.rename(path.with_name("fff"))
    code, (problem,), summary = check(data_dir, capsys)
    assert (code, problem["key"], summary["unnamed_blobs"]) == (1, "large", 1)
    assert "the file is missing" in problem["message"]


def test_files_that_were_exchanged_are_found(data_dir, capsys):
    one, other = blob_of(data_dir, 300_000), blob_of(data_dir, 400_000)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    code, problems, _ = check(data_dir, capsys)
    assert (code, len(problems)) == (1, 2)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE attachment SET bytes = CAST('Small' AS BLOB) WHERE bytes = X'736D616C6C'",
            "wrong checksum",
        ),
        ("DELETE FROM attachment WHERE bytes = X'736D616C6C'", "wrong checksum"),
        ("UPDATE record SET value = X'93' WHERE key = CAST('o/small' AS BLOB)", "cannot be read"),
    ],
)
def test_damage_of_the_catalog_is_found(data_dir, capsys, damage, message):
    connection = sqlite3.connect(data_dir / "catalog" / "catalog.sqlite")
    assert connection.execute(damage).rowcount == 1
    connection.commit()
    connection.close()
    code, (problem,), _ = check(data_dir, capsys)
    assert (code, problem["key"]) == (1, "small")
    assert message in problem["message"]


def test_a_quota_that_was_counted_wrong_is_found(data_dir, capsys):
    async def limit():
        store = ObjectStore.open(data_dir)
        await store.quotas.set("bucket", 10_000_000)
        await put_bytes(store, "bucket", "more", b"more")
        store.close()

    asyncio.run(limit())
    assert check(data_dir, capsys)[0] == 0
    connection = sqlite3.connect(data_dir / "catalog" / "catalog.sqlite")
    connection.execute(
        "UPDATE record SET value = ? WHERE key = CAST('q' AS BLOB)",
        (encode_numbers((4, 1, 1, 0)),),
    )
    connection.commit()
    code, (problem,), _ = check(data_dir, capsys)
    assert (code, problem["bucket"]) == (1, "bucket")
    assert "but 4 in 1 were counted" in problem["message"]
    connection.execute("UPDATE record SET value = X'00' WHERE key = CAST('q' AS BLOB)")
    connection.commit()
    connection.close()
    code, (problem,), _ = check(data_dir, capsys)
    assert (code, problem["bucket"]) == (1, "bucket")
    assert "wrong checksum" in problem["message"]


def test_a_damaged_document_of_the_registry_is_found(data_dir, capsys):
    async def keep():
        store = ObjectStore.open(data_dir)
        await store.registry.change(lambda _: {"users/ann": b"{}"})
        store.close()

    asyncio.run(keep())
    assert check(data_dir, capsys)[0] == 0
    connection = sqlite3.connect(data_dir / "catalog" / "catalog.sqlite")
    connection.execute("UPDATE record SET value = X'00' WHERE key = CAST('d/users/ann' AS BLOB)")
    connection.commit()
    connection.close()
    code, (problem,), _ = check(data_dir, capsys)
    assert (code, problem["key"]) == (1, "users/ann")
    assert "wrong checksum" in problem["message"]


def test_a_damaged_file_of_the_catalog_is_found(data_dir, capsys):
    path = data_dir / "catalog" / "catalog.sqlite"
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(content)
    code, problems, _ = check(data_dir, capsys)
    assert code == 1
    assert any("catalog" in problem["message"] for problem in problems)


def test_a_directory_in_use_or_without_a_store_is_refused(start_server, tmp_path, capsys):
    running = start_server(tmp_path / "data")
    assert run(["server", "check", str(tmp_path / "data")]) == 6
    running.stop()
    assert run(["server", "check", str(tmp_path / "data")]) == 0
    assert "0 problems" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert run(["server", "check", str(tmp_path / "empty")]) == 5
    assert list((tmp_path / "empty").iterdir()) == []
