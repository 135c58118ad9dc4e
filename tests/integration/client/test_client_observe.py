"""watch: our server's stream of events, and another service whose listings are compared."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest


@pytest.mark.parametrize("where", ["remote", "elsewhere"])
def test_changes_are_printed_until_it_is_ended(
    start: Any, where: str, request: pytest.FixtureRequest
) -> None:
    remote = request.getfixturevalue(where)
    remote.put_all({"in/old.jpg": b"1", "out/x.jpg": b"1"})
    watching = start(
        "watch", "--json", "--interval", "200ms", "--suffix", ".jpg", f"{remote.address}/in/"
    )
    watching.wait_for_text("watching ")
    remote.put_all({"in/new.jpg": b"12345", "in/new.txt": b"", "out/y.jpg": b""})
    watching.wait_for_text("new.jpg")
    remote.delete("in/old.jpg")
    watching.wait_for_text("ObjectRemoved")
    assert watching.stop(signal.SIGINT) == 130
    lines = [json.loads(row) for row in watching.log().splitlines() if row]
    assert {line["status"] for line in lines if "events" not in line} == {"info"}
    events = [line["events"] for line in lines if "events" in line]
    assert [(event["type"], event["path"], event["size"]) for event in events] == [
        ("s3:ObjectCreated:Put", f"{remote.address}/in/new.jpg", 5),
        ("s3:ObjectRemoved:Delete", f"{remote.address}/in/old.jpg", 0),
    ]


def test_an_outage_is_waited_out(start: Any, outage: Any) -> None:
    watching = start("watch", "--interval", "200ms", "s3")
    watching.wait_for_text("watching s3")
    outage.kill()
    watching.wait_for_text("until it is there again")
    outage.restart()
    watching.wait_for(lambda: watching.log().count("watching s3") == 2, "it watches again")
    outage.remote.put("k", b"1")
    watching.wait_for_text("s3:ObjectCreated:Put s3/mirrored/k")
    assert watching.stop() == 143


def test_what_cannot_be_watched(cli: Any, remote: Any, wrong_keys: str) -> None:
    assert cli("watch", "s3/no-such-bucket-here").code == 5
    assert cli("watch", f"{wrong_keys}/{remote.bucket}").code == 4
    assert cli("watch", "--events", "explode", remote.address).code == 2
    assert cli("watch", "--interval", "0", remote.address).code == 2
    assert cli("watch", "./here").code == 2
