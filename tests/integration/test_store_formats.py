"""What a newer version wrote is refused by every command, whichever layer is newer, and stays."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.cli.main import run
from ingot.store.catalog.schema import SCHEMA_VERSION
from ingot.store.errors import BlobDamagedError
from ingot.store.layout import FORMAT_FILE, FORMAT_VERSION
from ingot.store.store import ObjectStore
from ingot.testing.stores import put_bytes, read_bytes

CONTENT = b"content" * 10_000


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = ObjectStore.open(tmp_path / "data")
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "key", CONTENT)
        store.close()

    asyncio.run(fill())
    return tmp_path / "data"


def raise_directory(data_dir: Path) -> None:
    path = data_dir / FORMAT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": FORMAT_VERSION + 1}))


def raise_catalog(data_dir: Path) -> None:
    connection = sqlite3.connect(data_dir / "catalog" / "catalog.sqlite")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


def contents(data_dir: Path) -> dict[str, bytes]:
    files = (path for path in data_dir.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if not path.name.endswith(".lock")}


@pytest.mark.parametrize(
    ("newer", "version"),
    [(raise_directory, FORMAT_VERSION), (raise_catalog, SCHEMA_VERSION)],
    ids=["directory", "catalog"],
)
@pytest.mark.parametrize(
    "command",
    [
        ["server", "{data}", "--workers", "1", "--address", "127.0.0.1:0"],
        ["server", "check", "{data}"],
        ["server", "scrub", "{data}"],
        ["server", "backup", "{data}", "{target}"],
        ["server", "restore", "{data}", "{target}"],
    ],
    ids=lambda command: command[1].strip("{}"),
)
def test_a_newer_format_is_refused(
    data_dir: Path,
    tmp_path: Path,
    capfd: Any,
    monkeypatch: Any,
    *,
    newer: Callable[[Path], None],
    version: int,
    command: list[str],
) -> None:
    monkeypatch.setenv("INGOT_ROOT_USER", "some-user")
    monkeypatch.setenv("INGOT_ROOT_PASSWORD", "some-password")
    newer(data_dir)
    before = contents(data_dir)
    target = tmp_path / "target"
    words = [word.format(data=data_dir, target=target) for word in command]
    assert run(words) == 2
    assert f"format {version + 1}; this version reads up to {version}" in capfd.readouterr().err
    assert contents(data_dir) == before
    assert not target.exists() or contents(target) == {}


def test_a_newer_blob_is_refused(data_dir):
    (pack,) = (data_dir / "blobs" / "packs").iterdir()
    content = pack.read_bytes()
    trailer = content.rindex(b"INGOTBLB")
    pack.write_bytes(content[: trailer + 8] + b"\2" + content[trailer + 9 :])

    async def read() -> None:
        store = ObjectStore.open(data_dir)
        try:
            await read_bytes(store, "bucket", "key")
        finally:
            store.close()

    with pytest.raises(BlobDamagedError, match=r"format 2 .* is unknown"):
        asyncio.run(read())
