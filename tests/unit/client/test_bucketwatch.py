"""Watching a bucket: by its stream of events, through breaks of it, and without one."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.client import bucketwatch
from ingot.client.bucketwatch import BucketWatcher
from ingot.client.watch import Changes, PendingChanges
from ingot.s3client.errors import ServiceError, ServiceUnavailableError
from ingot.s3client.listen import BucketEvent

DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = Backoff(attempts=1_000_000, first_s=0.001, limit_s=0.001)
    monkeypatch.setattr(bucketwatch, "_RECONNECT", quick)


class Below:
    """Names below the prefix `p/`."""

    def name_of(self, event: BucketEvent) -> str | None:
        key = event.key
        return key.removeprefix("p/") if key.startswith("p/") else None


class Service:
    """Streams what a test puts in: events, an error that breaks the stream, or None to end it."""

    def __init__(self) -> None:
        self.said: queue.Queue[str | Exception] = queue.Queue()
        self.listeners = 0

    def listen(self) -> Iterator[tuple[BucketEvent, ...]]:
        self.listeners += 1
        yield ()
        while True:
            said = self.said.get()
            if isinstance(said, Exception):
                raise said
            yield (BucketEvent("s3:ObjectCreated:Put", "b", said),)


def test_names_below_the_prefix_are_told() -> None:
    service, pending = Service(), PendingChanges()
    with BucketWatcher(service.listen, Below(), pending, poll_s=3600):
        assert service.listeners == 1
        service.said.put("other/a")
        service.said.put("p/a")
        assert pending.take(DEADLINE_S) == Changes(("a",))
        service.said.put("p/")
        assert pending.take(DEADLINE_S) == Changes(everything=True)
    service.said.put(NetworkError("over"))


@pytest.mark.parametrize(
    "failure", [NetworkError("broken"), ServiceUnavailableError("busy"), ValueError("odd")]
)
def test_after_a_break_everything_is_compared(failure: Exception) -> None:
    service, pending = Service(), PendingChanges()
    with BucketWatcher(service.listen, Below(), pending, poll_s=3600):
        service.said.put(failure)
        assert pending.take(DEADLINE_S) == Changes(everything=True)
        service.said.put("p/b")
        assert pending.take(DEADLINE_S) == Changes(("b",))
        assert service.listeners == 2
    service.said.put(NetworkError("over"))


@pytest.mark.parametrize("refusal", [ServiceError("no"), NetworkError("xml"), OSError("odd")])
def test_without_a_stream_it_is_polled(refusal: Exception) -> None:
    def listen() -> Iterator[tuple[BucketEvent, ...]]:
        raise refusal
        yield ()

    pending = PendingChanges()
    with BucketWatcher(listen, Below(), pending, poll_s=0.01) as watcher:
        for _ in range(2):
            assert pending.take(DEADLINE_S) == Changes(everything=True)
        assert not watcher.is_streaming
