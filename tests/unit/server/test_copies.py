"""How much a copy may carry."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ingot.base import limits
from ingot.base.units import GIB
from ingot.server.handlers import copy


def test_the_limits_are_amazons() -> None:
    assert (limits.COPY_BYTES_MAX, limits.PART_BYTES_MAX) == (5 * GIB, 5 * GIB)


def test_what_is_larger_than_the_limit_is_not_copied(
    in_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "COPY_BYTES_MAX", 10)
    monkeypatch.setattr(copy, "PART_BYTES_MAX", 10)

    async def scenario() -> None:
        ask = in_process.request
        await ask("PUT", "/bucket")
        for key, size_bytes, code in (("small", 10, ""), ("large", 11, "InvalidRequest")):
            await ask("PUT", f"/bucket/{key}", bytes(size_bytes))
            source = {"x-amz-copy-source": f"/bucket/{key}"}
            assert (await ask("PUT", "/bucket/copy", headers=source)).code == code
        created = await ask("POST", "/bucket/parts", query=[("uploads", "")])
        upload_id = created.body.split(b"<UploadId>")[1].split(b"<")[0].decode()
        for last, code in ((9, ""), (10, "EntityTooLarge")):
            answer = await ask(
                "PUT",
                "/bucket/parts",
                query=[("partNumber", "1"), ("uploadId", upload_id)],
                headers={
                    "x-amz-copy-source": "/bucket/large",
                    "x-amz-copy-source-range": f"bytes=0-{last}",
                },
            )
            assert answer.code == code

    asyncio.run(scenario())
