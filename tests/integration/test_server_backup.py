"""`ingot server backup` beside a busy server, `restore` from it, and what both refuse."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.cli.main import run
from ingot.s3.documents.cors import CorsRule
from ingot.s3.documents.lock import DefaultRetention, LockConfiguration
from ingot.s3client.errors import ServiceDeniedError
from ingot.s3client.results import Attributes
from ingot.store.backup import copy_store
from ingot.store.blobs.files import FileBlobs
from ingot.store.store import ObjectStore
from ingot.store.usage import Usage
from ingot.testing.deeds import lifecycle_rules
from ingot.testing.ledger import Ledger
from ingot.testing.readback import read_everything
from ingot.testing.stores import make_body, put_bytes, read_bytes
from ingot.testing.workload import Workload, client_of

LARGE = os.urandom(1_500_000)
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::locked/public/*",
            }
        ],
    }
).encode()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = ObjectStore.open(tmp_path / "data")
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "small", b"small")
        await put_bytes(store, "bucket", "large", LARGE)
        upload = await store.uploads.create("bucket", "unfinished")
        body = await make_body(store, LARGE[:200_000], inline_max=-1)
        await store.uploads.put_part("bucket", "unfinished", upload.upload_id, 1, body)
        store.close()

    asyncio.run(fill())
    return tmp_path / "data"


def blob_files(data_dir):
    return [path for path in (data_dir / "blobs" / "data").rglob("*") if path.is_file()]


def read(data_dir, *keys):
    async def read_all():
        store = ObjectStore.open(data_dir)
        contents = [await read_bytes(store, "bucket", key) for key in keys]
        assert store.uploads.list("bucket").uploads == []
        store.close()
        return contents

    return asyncio.run(read_all())


@pytest.mark.parametrize("options", [[], ["--link"]])
def test_a_backup_is_restored_whole(data_dir, tmp_path, capsys, options):
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    assert run(["server", "backup", str(data_dir), str(backup), "--json", *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["versions"], summary["blobs"], summary["problem_count"]) == (2, 1, 0)
    shared = {path.stat().st_nlink for path in blob_files(backup)}
    assert shared == ({2} if options else {1})
    assert run(["server", "restore", str(backup), str(restored)]) == 0
    assert {path.stat().st_nlink for path in blob_files(restored)} == {1}
    assert read(restored, "small", "large") == [b"small", LARGE]
    assert run(["server", "check", str(backup)]) == 0


def test_a_backup_of_a_busy_server_holds_all_that_was_acknowledged_before(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data")
    client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
    for name in ("calm", "busy"):
        client.create_bucket(name)
    for number in range(20):
        client.put_object("calm", f"key-{number}", LARGE[: number * 10_000])
    calm = read_everything(client, "calm")
    workload = Workload(client, "busy", Ledger(), seed=1, count=3)
    workload.start()
    try:
        backups = [tmp_path / f"backup-{number}" for number in range(3)]
        codes = [run(["server", "backup", str(tmp_path / "data"), str(path)]) for path in backups]
    finally:
        workload.finish()
        transport.close()
    assert codes == [0, 0, 0]
    assert server.stop() == 0

    again = start_server(backups[1])
    client, transport = client_of(again.endpoint, again.access_key, again.secret_key)
    found = read_everything(client, "calm")
    assert {name: found[name] for name in found if name.startswith("key-")} == calm
    assert read_everything(client, "busy")
    transport.close()


def test_locks_rules_and_settings_come_back(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data", workers=1)
    client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
    client.create_bucket("locked", with_lock=True)
    client.put_object_lock_configuration(
        "locked", LockConfiguration(default=DefaultRetention("GOVERNANCE", days=3))
    )
    client.put_bucket_policy("locked", POLICY)
    client.put_bucket_cors("locked", [CorsRule(("https://example.test",), ("GET", "PUT"))])
    client.put_bucket_lifecycle_configuration("locked", lifecycle_rules("rule"))
    client.put_bucket_tagging("locked", {"team": "blue"})
    for content in (b"old", LARGE):
        client.put_object("locked", "held", content, attributes=Attributes(tags={"a": "b"}))
    client.put_object_legal_hold("locked", "held", on=True)
    client.put_object("locked", "deleted", LARGE[:100_000])
    client.delete_object("locked", "deleted")
    client.create_bucket("suspended")
    for status in ("Enabled", "Suspended"):
        client.put_bucket_versioning("suspended", status)
        client.put_object("suspended", "key", status.encode())
    before = {bucket: read_everything(client, bucket) for bucket in ("locked", "suspended")}
    assert {version.retention[:10] for version in before["locked"]["held"]} == {"GOVERNANCE"}
    transport.close()
    assert run(["server", "backup", str(tmp_path / "data"), str(tmp_path / "backup")]) == 0
    assert server.stop() == 0
    assert run(["server", "restore", str(tmp_path / "backup"), str(tmp_path / "restored")]) == 0

    again = start_server(tmp_path / "restored", workers=1)
    client, transport = client_of(again.endpoint, again.access_key, again.secret_key)
    assert {bucket: read_everything(client, bucket) for bucket in before} == before
    assert client.get_object_lock_configuration("locked").default == DefaultRetention(
        "GOVERNANCE", days=3
    )
    assert client.get_bucket_versioning("suspended") == "Suspended"
    for version in before["locked"]["held"]:
        with pytest.raises(ServiceDeniedError):
            client.delete_object("locked", "held", version_id=version.id)
    transport.close()


def test_garbage_stays_while_a_backup_runs(data_dir, tmp_path, monkeypatch):
    begun, deleted = threading.Event(), threading.Event()
    export = FileBlobs.export

    def slow_export(self, *arguments, **options):
        begun.set()
        assert deleted.wait(30)
        return export(self, *arguments, **options)

    monkeypatch.setattr(FileBlobs, "export", slow_export)
    (tmp_path / "backup").mkdir()
    reports = []
    thread = threading.Thread(
        target=lambda: reports.append(
            copy_store(data_dir, tmp_path / "backup", lambda size_bytes: None)
        )
    )
    thread.start()

    async def delete_meanwhile():
        assert begun.wait(30)
        store = ObjectStore.open(data_dir, garbage_delay_s=0)
        await store.objects.delete("bucket", "large")
        assert await store.maintenance.collect() == 0
        deleted.set()
        await asyncio.to_thread(thread.join)
        assert await store.maintenance.collect() == 1
        store.close()

    asyncio.run(delete_meanwhile())
    assert [report.problem_count for report in reports] == [0]
    assert read(tmp_path / "backup", "large") == [LARGE]


def test_damage_of_the_original_is_told_and_the_rest_is_kept(data_dir, tmp_path, capsys):
    (largest,) = [path for path in blob_files(data_dir) if path.stat().st_size > len(LARGE)]
    largest.unlink()
    assert run(["server", "backup", str(data_dir), str(tmp_path / "backup")]) == 1
    assert "bucket/large: " in capsys.readouterr().out
    assert read(tmp_path / "backup", "small") == [b"small"]


def test_a_failed_backup_leaves_nothing(data_dir, tmp_path, monkeypatch):
    def full(self, *arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileBlobs, "export", full)
    assert run(["server", "backup", str(data_dir), str(tmp_path / "backup")]) == 1
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["server.lock"]
    assert run(["server", "backup", str(data_dir), str(tmp_path / "backup")]) == 0


def test_what_is_there_is_never_overwritten(data_dir, tmp_path, capsys):
    assert run(["server", "restore", str(data_dir), str(data_dir)]) == 6
    assert "not empty" in capsys.readouterr().err
    assert run(["server", "backup", str(tmp_path / "nothing"), str(tmp_path / "backup")]) == 5
    assert not (tmp_path / "backup").exists()
    assert read_keys(data_dir) == ["large", "small"]


def read_keys(data_dir):
    store = ObjectStore.open(data_dir)
    keys = [item.key for item in store.objects.list("bucket").objects]
    store.close()
    return keys


def test_a_copy_counts_for_its_quota_what_it_has(data_dir: Path, tmp_path: Path) -> None:
    async def limit() -> Usage | None:
        store = ObjectStore.open(data_dir)
        await store.quotas.set("bucket", 2_000_000)
        usage = store.quotas.usage("bucket")
        store.close()
        return usage

    async def count() -> tuple[int | None, Usage | None]:
        store = ObjectStore.open(tmp_path / "copy")
        assert await store.maintenance.count() == 1
        found = store.quotas.get("bucket"), store.quotas.usage("bucket")
        store.close()
        return found

    assert asyncio.run(limit()) == Usage(1_700_005, 2, 2)
    (tmp_path / "copy").mkdir()
    report = copy_store(data_dir, tmp_path / "copy", lambda _: None)
    assert report.problems == []
    # The unfinished upload stays behind.
    assert asyncio.run(count()) == (2_000_000, Usage(1_500_005, 2, 2))
