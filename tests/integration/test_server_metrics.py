"""The metrics of a real server: summed over workers, kept when one dies, closed by default."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

TOKEN = "a-token-for-prometheus"
TIMEOUT_S = 30.0


def scrape(server: Any, path: str = "/metrics", token: str | None = None) -> dict[str, float]:
    request = urllib.request.Request(f"{server.endpoint}{path}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    for name in samples:
        assert f"# TYPE {name.partition('{')[0]} " in text
    return {name: float(value) for name, value in samples.items()}


def requests(samples: dict[str, float], operation: str, code: int) -> float:
    return samples.get(f'ingot_requests_total{{operation="{operation}",code="{code}"}}', 0)


def test_what_buckets_hold_is_told_under_the_names_that_boards_know(
    running: Any, sender_of: Any
) -> None:
    sender = sender_of(running)
    sender("PUT", "/bucket")
    sender("PUT", "/bucket/key", b"x" * 1000)
    quota = b'{"quota": 5000, "quotatype": "hard"}'
    query = [("bucket", "bucket")]
    assert sender("PUT", "/minio/admin/v3/set-bucket-quota", quota, query=query).status == 200
    samples = scrape(running, "/minio/v2/metrics/cluster")
    held = {
        name.partition("{")[0]: value
        for name, value in samples.items()
        if name.endswith('{bucket="bucket"}')
    }
    assert held == {
        "minio_bucket_usage_total_bytes": 1000,
        "minio_bucket_usage_object_total": 1,
        "minio_bucket_usage_version_total": 1,
        "minio_bucket_usage_deletemarker_total": 0,
        "minio_bucket_quota_total_bytes": 5000,
    }
    assert requests(samples, "AdminSetBucketQuota", 200) == 1


@pytest.fixture
def running(start_server: Any, tmp_path: Path) -> Any:
    environment = {"INGOT_METRICS_AUTH": "public"}
    return start_server(tmp_path / "data", workers=2, environment=environment)


def test_requests_of_all_workers_add_up_and_outlive_them(running: Any, sender_of: Any) -> None:
    sender = sender_of(running)
    sender("PUT", "/bucket")
    for number in range(20):
        assert sender("PUT", f"/bucket/{number}", b"x" * 1000).status == 200
        assert sender("GET", f"/bucket/{number}").status == 200
    assert sender("GET", "/bucket/nothing").status == 404

    for path in ("/metrics", "/minio/v2/metrics/cluster"):
        samples = scrape(running, path)
        assert requests(samples, "PutObject", 200) == 20
        assert requests(samples, "GetObject", 200) == 20
        assert requests(samples, "GetObject", 404) == 1
        assert samples["ingot_received_bytes_total"] == 20_000
        assert samples["ingot_sent_bytes_total"] > 20_000
        assert samples['ingot_request_seconds_total{operation="PutObject"}'] > 0
        assert samples["ingot_disk_bytes"] > samples["ingot_disk_free_bytes"] > 0

    pid = running.process.pid
    worker = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + TIMEOUT_S
    while "ended with -9" not in running.log():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert requests(scrape(running), "PutObject", 200) == 20


def test_a_flipped_bit_fails_the_read_and_is_counted_and_logged(
    running: Any, sender_of: Any
) -> None:
    sender = sender_of(running)
    sender("PUT", "/bucket")
    sender("PUT", "/bucket/key", os.urandom(3_000_000))
    (blob,) = [
        path
        for path in (running.data_dir / "blobs" / "data").rglob("*")
        if path.is_file() and path.stat().st_size > 3_000_000
    ]
    assert scrape(running)["ingot_damaged_total"] == 0
    content = bytearray(blob.read_bytes())
    content[123_456] ^= 1
    blob.write_bytes(content)

    answer = sender("GET", "/bucket/key")

    assert (answer.status, answer.code) == (500, "InternalError")
    assert scrape(running)["ingot_damaged_total"] == 1
    (event,) = re.findall(r"store\.damaged .*", running.log())
    assert "/bucket/key" in event
    assert "wrong checksum" in event


def test_metrics_are_closed_unless_opened(
    start_server: Any, sender_of: Any, tmp_path: Path
) -> None:
    environment = {"INGOT_METRICS_TOKEN": TOKEN}
    server = start_server(tmp_path / "data", workers=1, environment=environment)
    assert scrape(server, token=TOKEN)["ingot_damaged_total"] == 0
    for token in (None, TOKEN + "x", TOKEN[:-1], "wrong"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            scrape(server, token=token)
        refused.value.close()
        assert refused.value.code == 403
    # A bucket may be called so: signed requests mean the bucket.
    sender = sender_of(server)
    assert sender("PUT", "/metrics").status == 200
    assert b"ListBucketResult" in sender("GET", "/metrics").body


def test_without_a_token_nobody_may_look(server: Any) -> None:
    for token in (None, "None"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            scrape(server, token=token)
        refused.value.close()
        assert refused.value.code == 403


@pytest.mark.parametrize("what", ["body", "record", "page"])
def test_damage_of_the_catalog_fails_the_read_until_the_object_is_replaced(
    start_server: Any, sender_of: Any, tmp_path: Path, what: str
) -> None:
    public = {"INGOT_METRICS_AUTH": "public"}
    server = start_server(tmp_path / "data", workers=1, environment=public)
    sender = sender_of(server)
    sender("PUT", "/bucket")
    body = os.urandom(10_000)
    sender("PUT", "/bucket/key", body, headers={"content-type": "text/flipped"})
    assert sender("GET", "/bucket/key").body == body
    assert server.stop() == 0
    path = server.data_dir / "catalog" / "catalog.sqlite"
    content = bytearray(path.read_bytes())
    # The body's first piece, a header that the record holds, the kind of a page of the table.
    mark = {"body": body[:20], "record": b"text/flipped", "page": b"text/flipped"}[what]
    at = content.index(mark)
    content[at - at % 4096 if what == "page" else at] ^= 1
    path.write_bytes(content)

    server = start_server(tmp_path / "data", workers=1, environment=public)
    sender = sender_of(server)
    for _ in range(2):
        answer = sender("GET", "/bucket/key")
        assert (answer.status, answer.code) == (500, "InternalError")
    assert scrape(server)["ingot_damaged_total"] == 2
    assert len(re.findall(r"store\.damaged path=.*/bucket/key", server.log())) == 2
    if what != "page":
        assert sender("PUT", "/bucket/key", b"again").status == 200
        assert sender("GET", "/bucket/key").body == b"again"
        assert sender("DELETE", "/bucket/key").status == 204
