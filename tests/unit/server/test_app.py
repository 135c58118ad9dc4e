"""The application without a network: errors, limits, health, log, and what faults look like."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ingot.server import body as body_module
from ingot.server.errors import to_s3_error
from ingot.store import errors as store_errors
from ingot.store.store import ObjectStore


def test_an_object_goes_in_and_comes_out(in_process: Any) -> None:
    async def scenario() -> None:
        assert (await in_process.request("PUT", "/bucket")).status == 200
        assert (await in_process.request("PUT", "/bucket/key", b"hello")).status == 200
        answer = await in_process.request("GET", "/bucket/key")
        assert (answer.status, answer.body) == (200, b"hello")

    asyncio.run(scenario())


def test_an_identity_that_is_not_root_may_do_nothing(in_process: Any) -> None:
    from ingot.base.secret import Secret
    from ingot.iam.identities import Identity

    other = Identity("other-key", Secret("other-secret"), "other", is_root=False)

    answer = asyncio.run(in_process.request("PUT", "/bucket", identity=other))

    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_the_log_tells_who_did_what(in_process: Any) -> None:
    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        await in_process.request("PUT", "/bucket/key", b"hello")
        await in_process.request("GET", "/bucket/none", query=[("versionId", "null")])

    asyncio.run(scenario())

    put, get = in_process.log[1:]
    assert (put.operation, put.status, put.received_bytes) == ("PutObject", 200, 5)
    assert (put.access_key, put.remote) == ("root-key", "192.0.2.7:4242")
    assert (get.operation, get.status, get.raw_path) == ("GetObject", 404, "/bucket/none")
    assert get.query == "versionId=null"
    assert get.sent_bytes > 0
    assert len({entry.request_id for entry in in_process.log}) == 3


@pytest.mark.parametrize("pieces", [(), (b"he",), (b"h", b"e")])
def test_a_client_that_leaves_is_logged_and_not_answered(
    in_process: Any,
    body_of: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    pieces: tuple[bytes, ...],
) -> None:
    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        left = body_of(*pieces, then="http.disconnect")
        answer = await in_process.request("PUT", "/bucket/key", b"hello", receive=left)
        assert answer.status == 0
        assert (await in_process.request("HEAD", "/bucket/key")).status == 404

    asyncio.run(scenario())

    assert in_process.log[1].status == 499
    assert in_process.log[1].received_bytes == sum(len(piece) for piece in pieces)
    assert not caplog.records


def test_a_client_that_stalls_is_cut_off(
    in_process: Any, body_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_module, "STALL_TIMEOUT_S", 0.05)
    monkeypatch.setattr(body_module, "_DRAIN_TIMEOUT_S", 0.05)

    async def scenario() -> Any:
        await in_process.request("PUT", "/bucket")
        stalled = body_of(b"he", then="silence")
        return await in_process.request("PUT", "/bucket/key", b"hello", receive=stalled)

    answer = asyncio.run(scenario())

    assert (answer.status, answer.code) == (400, "RequestTimeout")


@pytest.mark.parametrize("pieces", [(b"hell",), (b"hello", b"more")])
def test_a_body_of_another_length_is_refused(
    in_process: Any, body_of: Callable[..., Any], pieces: tuple[bytes, ...]
) -> None:
    async def scenario() -> Any:
        await in_process.request("PUT", "/bucket")
        joined = (b"".join(pieces),)
        return await in_process.request(
            "PUT",
            "/bucket/key",
            b"hello",
            headers={"content-length": "5"},
            receive=body_of(*joined),
        )

    answer = asyncio.run(scenario())

    assert (answer.status, answer.code) == (400, "IncompleteBody")


def test_a_fault_of_ours_is_a_plain_500_and_a_traceback_in_the_log(
    in_process: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(in_process.service.store.buckets, "list", fail)

    answer = asyncio.run(in_process.request("GET", "/"))

    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"secret detail" not in answer.body
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.levelno == logging.ERROR


def test_damage_found_before_the_first_byte_is_an_error(in_process: Any) -> None:
    async def scenario() -> Any:
        await in_process.request("PUT", "/bucket")
        await in_process.request("PUT", "/bucket/key", b"x" * 100_000)
        (content,) = in_process.device.files.values()
        content[500] ^= 1
        return await in_process.request("GET", "/bucket/key")

    answer = asyncio.run(scenario())

    assert (answer.status, answer.code) == (500, "InternalError")


def test_damage_found_later_breaks_the_answer_off(in_process: Any) -> None:
    size_bytes = 3 << 20

    async def scenario() -> None:
        await in_process.request("PUT", "/bucket")
        await in_process.request("PUT", "/bucket/key", b"x" * size_bytes)
        (content,) = in_process.device.files.values()
        content[size_bytes - 1] ^= 1
        with pytest.raises(store_errors.BlobDamagedError):
            await in_process.request("GET", "/bucket/key", receive=forever)

    async def forever() -> Any:
        await asyncio.Event().wait()

    asyncio.run(scenario())

    assert in_process.log[-1].status == 200
    assert in_process.log[-1].sent_bytes < size_bytes


def test_a_range_of_a_sound_part_of_a_damaged_object_is_served(in_process: Any) -> None:
    async def scenario() -> Any:
        await in_process.request("PUT", "/bucket")
        await in_process.request("PUT", "/bucket/key", b"x" * (3 << 20))
        (content,) = in_process.device.files.values()
        content[(3 << 20) - 1] ^= 1
        return await in_process.request("GET", "/bucket/key", headers={"range": "bytes=0-9"})

    answer = asyncio.run(scenario())

    assert (answer.status, answer.body) == (206, b"x" * 10)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (store_errors.StoreFullError("full"), 507, "XMinioStorageFull"),
        (store_errors.StoreBusyError("busy"), 503, "SlowDown"),
        (store_errors.StoreFailedError("failed"), 503, "ServiceUnavailable"),
        (store_errors.BlobDamagedError("blob", "cut"), 500, "InternalError"),
        (store_errors.ObjectTooLargeError("large"), 400, "EntityTooLarge"),
        (store_errors.InvalidPartOrderError("order"), 400, "InvalidPartOrder"),
        (store_errors.DigestMismatchError("size", "1", "2"), 400, "InvalidRequest"),
        (store_errors.DigestMismatchError("CRC32", "a", "b"), 400, "BadDigest"),
    ],
)
def test_errors_of_the_store_have_an_s3_code(error: Exception, status: int, code: str) -> None:
    mapped = to_s3_error(error)

    assert mapped is not None
    assert (mapped.status, mapped.code) == (status, code)


def test_other_exceptions_are_faults_of_ours() -> None:
    assert to_s3_error(ZeroDivisionError()) is None


def every_error(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in every_error(child))]


def test_no_error_that_a_request_can_meet_is_left_unmapped() -> None:
    from ingot.base.errors import Error
    from ingot.server.errors import _MAPPING

    raised_when_opening = {store_errors.StoreFormatError}
    own = {
        kind
        for kind in every_error(Error)
        if kind.__module__ == store_errors.__name__ and not kind.__subclasses__()
    }

    assert own - raised_when_opening == own & set(_MAPPING)


def health(in_process: Any, path: str, **headers: str) -> Any:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Any:
        raise AssertionError("health needs no body")

    return asyncio.run(in_process.send(scope, receive))


def test_health_fails_with_the_store(in_process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health(in_process, "/minio/health/ready").status == 200

    monkeypatch.setattr(ObjectStore, "failure", "the disk died")

    assert health(in_process, "/minio/health/ready").status == 503
    assert health(in_process, "/minio/health/cluster").status == 503
    assert health(in_process, "/minio/health/live").status == 200


def test_a_signed_request_below_a_health_path_means_the_bucket(in_process: Any) -> None:
    async def scenario() -> Any:
        await in_process.request("PUT", "/health")
        await in_process.request("PUT", "/health/ready", b"an object")
        return await in_process.request("GET", "/health/ready")

    assert asyncio.run(scenario()).body == b"an object"


def test_servers_with_a_lifespan_protocol_get_their_answers(in_process: Any) -> None:
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(in_process.app({"type": "lifespan"}, receive, send))

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("raw", [[(b"x-%d" % n, b"") for n in range(300)], [(b"host", b"\xff")]])
def test_requests_that_cannot_be_read_are_answered_all_the_same(
    in_process: Any, raw: list[tuple[bytes, bytes]]
) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "raw_path": b"/",
        "query_string": b"a=%ff",
        "headers": raw,
    }

    async def receive() -> Any:
        raise AssertionError("nothing to read")

    answer = asyncio.run(in_process.send(scope, receive))

    assert answer.status == 400
    assert answer.headers["x-amz-request-id"]
