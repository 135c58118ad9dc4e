"""The benchmark's load program against a real server: what it reports is what it did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run_load(server: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    keys = {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
    }
    command = [sys.executable, "-m", "bench.load", "--endpoint", server.endpoint, *arguments]
    return subprocess.run(
        [*command, "--duration", "200ms", "--warmup", "0", "--connections", "4"],
        cwd=ROOT,
        env=os.environ | keys,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("operation", ["put", "get", "head"])
@pytest.mark.parametrize("size", ["4K", "100K"])
def test_figures(server: Any, bucket: str, s3: Any, operation: str, size: str) -> None:
    done = run_load(server, "--bucket", bucket, "--op", operation, "--size", size, "--objects", "5")

    figures = json.loads(done.stdout)
    assert (done.returncode, figures["failures"]) == (0, {})
    assert figures["requests"] > 0
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["max"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Size"] for item in listed} == {figures["size_bytes"]}


@pytest.mark.parametrize("operation", ["delete", "mixed", "list"])
def test_other_operations(server: Any, bucket: str, s3: Any, operation: str) -> None:
    done = run_load(server, "--bucket", bucket, "--op", operation, "--objects", "40")

    figures = json.loads(done.stdout)
    assert (done.returncode, figures["failures"]) == (0, {})
    assert figures["requests"] == 40 if operation == "delete" else figures["requests"] > 0
    listed = s3.list_objects_v2(Bucket=bucket)
    prepared = [o for o in listed.get("Contents", []) if not o["Key"].endswith(".fleeting")]
    assert len(prepared) == (0 if operation == "delete" else 40)


def test_multipart(server: Any, bucket: str, s3: Any) -> None:
    done = run_load(server, "--bucket", bucket, "--op", "multipart", "--size", "20M")

    figures = json.loads(done.stdout)
    assert (done.returncode, figures["failures"]) == (0, {})
    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["Size"] == 20 << 20
    assert listed["ETag"].endswith('-4"')


def test_failures_are_reported_and_end_with_1(server: Any, bucket: str) -> None:
    import dataclasses

    stranger = dataclasses.replace(server, secret_key="not-the-secret")

    done = run_load(stranger, "--bucket", bucket, "--op", "put", "--objects", "1")

    assert done.returncode == 1
    assert "SignatureDoesNotMatch" in done.stderr
