import asyncio
from typing import Any

import pytest

from ingot.server.console.page import console_app
from ingot.server.request import Message


def answer(method: str, path: str) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def receive() -> Message:
        raise AssertionError("the page needs no body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path}
    asyncio.run(console_app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_the_page_is_whole_and_loads_nothing_from_elsewhere() -> None:
    status, headers, body = answer("GET", "/")

    assert status == 200
    assert int(headers[b"content-length"]) == len(body)
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"src=" not in body
    assert b"ingot alias set" in body


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/", 200), ("GET", "/x", 404)])
def test_other_requests_have_no_body(method: str, path: str, status: int) -> None:
    assert answer(method, path)[0] == status
    assert answer(method, path)[2] == b""
