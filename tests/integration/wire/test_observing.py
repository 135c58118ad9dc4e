"""Watching a service's stream of events: it is read, it breaks, it is opened again."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from ingot.base.errors import DeniedError, NetworkError
from ingot.base.secret import Secret
from ingot.client import observing
from ingot.client.addresses import RemoteAddress
from ingot.client.aliases import Alias
from ingot.client.observing import Wish, observe
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint

STREAM = {"content_type": "text/event-stream"}
EVERYTHING = Wish(("s3:ObjectCreated:*", "s3:ObjectRemoved:*"))


def line(name: str, key: str, **more: Any) -> bytes:
    item = {"key": key, "size": 5, **more}
    record = {
        "eventName": name,
        "eventTime": "2026-11-27T19:00:00.000Z",
        "s3": {"bucket": {"name": "b"}, "object": item},
    }
    return json.dumps({"Records": [record]}).encode() + b"\n"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def events(scripted: Any, transport: Any, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Watch the scripted service, without pauses."""
    monkeypatch.setattr(observing.time, "sleep", lambda _: None)
    keys = Credentials("access", Secret("secret"))
    client = S3Client(Endpoint.parse(scripted.url), keys, transport=transport)
    address = RemoteAddress(Alias("x", scripted.url, "access", Secret("secret")), "b", "in/")
    return lambda wish=EVERYTHING: observe(client, address, wish, interval_s=0.01, note=told.append)


def test_a_stream_that_breaks_is_opened_again(events: Any, scripted: Any, told: list[str]) -> None:
    scripted.answers(200, b" \n" + line("s3:ObjectCreated:Put", "in%2Fa+b"), cut=0, **STREAM)
    scripted.answers(200, line("s3:ObjectRemoved:Delete", "in/c") * 2, cut=10, **STREAM)
    scripted.answers(200, line("ObjectCreated:Copy", "in/d"), **STREAM)
    found = list(islice(events(EVERYTHING._replace(suffix=".jpg")), 3))
    assert [(event.name, event.key) for event in found] == [
        ("s3:ObjectCreated:Put", "in/a b"),
        ("s3:ObjectRemoved:Delete", "in/c"),
        ("s3:ObjectCreated:Copy", "in/d"),
    ]
    assert told[0] == "watching x/b/in/"
    assert sum("is not seen" in text for text in told) == 2
    assert told.count("watching x/b/in/") == 3
    asked = scripted.received[0].line
    assert "prefix=in%2F" in asked
    assert "suffix=.jpg" in asked
    assert "events=s3%3AObjectRemoved%3A%2A" in asked


def listing(*keys: str) -> bytes:
    contents = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><ETag>x</ETag>"
        "<LastModified>2026-11-27T19:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    return f"<ListBucketResult><Name>b</Name>{contents}</ListBucketResult>".encode()


def test_without_a_stream_listings_are_compared(
    events: Any, scripted: Any, told: list[str]
) -> None:
    for keys in (["in/a"], ["in/a"], ["in/a", "in/b"], ["in/b"]):
        scripted.answers(200, listing(*keys), content_type="application/xml")
    found = list(islice(events(), 2))
    assert [(event.name, event.key) for event in found] == [
        ("s3:ObjectCreated:Put", "in/b"),
        ("s3:ObjectRemoved:Delete", "in/a"),
    ]
    assert "comparing every" in told[0]


def test_what_happened_in_an_outage_is_told_after_it(
    events: Any, scripted: Any, told: list[str]
) -> None:
    for keys in (["in/a"], ["in/a"]):
        scripted.answers(200, listing(*keys), content_type="application/xml")
    # Two looks in vain, of three attempts each.
    for _ in range(6):
        scripted.breaks()
    scripted.answers(200, listing(), content_type="application/xml")
    (event,) = islice(events(), 1)
    assert (event.name, event.key) == ("s3:ObjectRemoved:Delete", "in/a")
    assert sum("is told then" in text for text in told) == 1


def test_a_refusal_ends_it(events: Any, scripted: Any) -> None:
    scripted.refuses(403, "AccessDenied")
    with pytest.raises(DeniedError):
        next(events())


def test_a_service_that_is_not_there_ends_it(events: Any, scripted: Any) -> None:
    for _ in range(3):
        scripted.breaks()
    with pytest.raises(NetworkError):
        next(events())
