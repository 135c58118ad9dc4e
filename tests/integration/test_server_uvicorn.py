"""The application is plain ASGI: it serves under uvicorn as it does under our own listener."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from botocore.exceptions import ClientError

from ingot.base.clock import SystemClock
from ingot.base.secret import Secret
from ingot.iam.identities import root_identity
from ingot.server.app import S3App
from ingot.server.service import open_service

START_TIMEOUT_S = 30.0


class Endpoint(NamedTuple):
    """What a client needs to know."""

    endpoint: str
    access_key: str
    secret_key: str


@pytest.fixture
def under_uvicorn(tmp_path: Path) -> Iterator[Endpoint]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        # The store belongs to the loop that serves, so it is opened on it.
        if scope["type"] == "lifespan":
            opened.append(
                open_service(
                    tmp_path / "data",
                    root_identity("the-key", Secret("the-secret")),
                    region="us-east-1",
                    domains=(),
                    access_log=None,
                    clock=SystemClock(),
                )
            )
            apps.append(S3App(opened[0]))
        await apps[0](scope, receive, send)

    opened: list[Any] = []
    apps: list[S3App] = []
    config = uvicorn.Config(app, port=0, lifespan="on", log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Endpoint(f"http://127.0.0.1:{port}", "the-key", "the-secret")
    finally:
        server.should_exit = True
        thread.join()
        for service in opened:
            service.close()


@pytest.mark.parametrize("size_bytes", [0, 5, 3 * 1024 * 1024 + 1])
def test_objects_live_and_die(
    under_uvicorn: Endpoint, new_client: Callable[..., Any], size_bytes: int
) -> None:
    client = new_client(under_uvicorn)
    body = bytes(range(256)) * (size_bytes // 256) + b"x" * (size_bytes % 256)
    client.create_bucket(Bucket="bucket")

    etag = client.put_object(Bucket="bucket", Key="a/key", Body=body)["ETag"]

    assert etag == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert client.get_object(Bucket="bucket", Key="a/key")["Body"].read() == body
    assert client.head_object(Bucket="bucket", Key="a/key")["ContentLength"] == size_bytes
    listed = client.list_objects_v2(Bucket="bucket", Delimiter="/")
    assert listed["CommonPrefixes"] == [{"Prefix": "a/"}]
    client.delete_object(Bucket="bucket", Key="a/key")
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket="bucket", Key="a/key")
