import json

import pytest

from ingot.s3.eventrecords import Event, fits, render

EVENT = Event(
    name="s3:ObjectCreated:Put",
    time_ns=1_800_000_000_123_000_000,
    bucket="photos",
    key="a b/ü.jpg",
    size_bytes=7,
    etag="abc",
    version_id="v1",
    access_key="KEY",
    remote="192.0.2.7",
    user_agent="test",
    request_id="R1",
    region="eu-west-1",
)


def test_a_record_is_what_amazon_writes() -> None:
    [record] = json.loads(render([EVENT]))["Records"]
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["eventTime"] == "2027-01-15T08:00:00.123Z"
    assert record["awsRegion"] == "eu-west-1"
    assert record["s3"]["bucket"] == {"name": "photos", "arn": "arn:aws:s3:::photos"}
    assert record["s3"]["object"] == {
        "key": "a+b/%C3%BC.jpg",
        "size": 7,
        "eTag": "abc",
        "versionId": "v1",
        "sequencer": f"{EVENT.time_ns:016X}",
    }
    assert record["source"] == {"host": "192.0.2.7", "port": "", "userAgent": "test"}


def test_what_is_gone_has_neither_size_nor_etag() -> None:
    gone = Event("s3:ObjectRemoved:Delete", 1, "photos", "key")
    [record] = json.loads(render([gone]))["Records"]
    assert record["s3"]["object"] == {"key": "key", "sequencer": "0000000000000001"}


@pytest.mark.parametrize(
    ("names", "prefix", "suffix", "expected"),
    [
        (["s3:ObjectCreated:*"], "", "", True),
        (["s3:ObjectCreated:Put"], "a", "jpg", True),
        (["s3:ObjectCreated:Copy"], "", "", False),
        (["s3:ObjectRemoved:*", "s3:ObjectCreated:*"], "", ".jpg", True),
        (["s3:ObjectCreated:*"], "b", "", False),
        (["s3:ObjectCreated:*"], "", ".png", False),
    ],
)
def test_what_somebody_asked_for(
    names: list[str], prefix: str, suffix: str, expected: bool
) -> None:
    assert expected == fits(EVENT, names=names, prefix=prefix, suffix=suffix)
