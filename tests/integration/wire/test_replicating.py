"""How replication goes, as MinIO told it: its answers are played back, since only it has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.cli import main
from ingot.s3.documents.replication import Replication, ReplicationRule
from ingot.s3.documents.replication import render as render_rules

ARN = "arn:minio:replication::ab52a342-3dd8-4d1f-8d1c-b48e4efa504a:dst"
RULES = render_rules(Replication("", (ReplicationRule(ARN, "one", 1),)))
JSON = {"content_type": "application/json"}
NOTHING = {"count": 0, "bytes": 0}
FAILED = {"lastMinute": NOTHING, "lastHour": {"count": 1, "bytes": 2}, "totals": NOTHING}
METRICS = {
    "uptime": 1309,
    "currStats": {
        "Stats": {
            ARN: {
                "replicationCount": 3,
                "completedReplicationSize": 6144,
                "limitInBits": 1 << 20,
                "failed": FAILED,
            }
        },
        "completedReplicationSize": 6144,
        "replicationCount": 3,
        "failed": FAILED,
        "queued": {"curr": {"count": 4, "bytes": 5}, "avg": NOTHING, "peak": NOTHING},
    },
    "queueStats": {"nodes": []},
}
RESYNC = {
    "target": [
        {
            "arn": ARN,
            "resetid": "568789b4",
            "startTime": "2026-11-27T22:26:45.207581956Z",
            "endTime": "2026-11-27T22:26:45.232036308Z",
            "resyncStatus": "Completed",
            "completedReplicationSize": 4,
            "replicationCount": 2,
            "object": "o3",
        }
    ]
}


@pytest.fixture
def run(
    tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Callable[..., tuple[int, str, str]]:
    """Run `ingot replicate …` against the scripted service, whose alias is `x`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("MC_HOST_x", scripted.url.replace("://", "://access:secret@"))

    def go(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["replicate", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return go


def play(scripted: Any, document: dict[str, Any], *, status: int = 200) -> None:
    scripted.answers(200, RULES, content_type="application/xml")
    scripted.answers(status, json.dumps(document).encode(), **JSON)


def test_status_tells_each_target_and_all(run: Any, scripted: Any) -> None:
    play(scripted, METRICS)
    code, out, _ = run("status", "x/src")
    assert code == 0
    assert out.splitlines() == [
        "since 21m49s",
        ARN,
        "  replicated  3 (6.0 KiB)",
        "  failed      0 (0 B); in the last hour 1 (2 B)",
        "  limit       1.0 MiB/s",
        "all targets   3 (6.0 KiB)",
        "failed        0 (0 B)",
        "waiting       4 (5 B)",
        "came here     0 (0 B)",
    ]
    assert "GET /src?replication-metrics=2 " in scripted.received[-1].line
    play(scripted, METRICS)
    document = json.loads(run("status", "--json", "x/src")[1])
    assert document["replicationstats"] == METRICS
    assert (document["op"], document["url"]) == ("status", "x/src")


def test_a_resync_begins_for_the_only_target(run: Any, scripted: Any) -> None:
    play(scripted, {"target": [{"arn": ARN, "resetid": "568789b4"}]})
    code, out, _ = run("resync", "start", "--older-than", "2d", "x/src")
    assert (code, out) == (0, f"resync 568789b4 to {ARN} began\n")
    asked = scripted.received[-1].line
    assert asked.startswith("PUT /src?")
    assert f"arn={ARN.replace(':', '%3A')}" in asked
    assert "older-than=172800s" in asked
    assert "replication-reset=" in asked


def test_of_several_targets_one_must_be_named(run: Any, scripted: Any) -> None:
    rules = (ReplicationRule(ARN, "one", 1), ReplicationRule(ARN + "2", "two", 2))
    scripted.answers(200, render_rules(Replication("", rules)))
    code, _, err = run("resync", "start", "x/src")
    assert code == 2
    assert f"{ARN}2" in err
    assert len(scripted.received) == 1


def test_how_far_a_resync_is(run: Any, scripted: Any) -> None:
    play(scripted, RESYNC)
    code, out, _ = run("resync", "status", "x/src", "--remote-bucket", ARN)
    assert code == 0
    assert out.splitlines()[1].split()[:4] == [
        *("568789b4", "Completed", "2026-11-27T22:26:45.207581956Z", "2"),
    ]
    play(scripted, RESYNC)
    target = json.loads(run("resync", "status", "--json", "x/src")[1])["resyncInfo"]["target"][0]
    assert (target["replicationCount"], target["failedReplicationCount"]) == (2, 0)
    play(scripted, {})
    assert run("resync", "status", "x/src")[1] == "x/src was never copied again\n"


@pytest.mark.parametrize(
    "answer",
    [b"<ListBucketResult><Name>src</Name></ListBucketResult>", b"", b"[]", b'{"other": 1}'],
)
def test_a_service_that_answers_something_else_does_not_have_it(
    run: Any, scripted: Any, answer: bytes
) -> None:
    scripted.answers(200, RULES)
    scripted.answers(200, answer)
    code, out, err = run("status", "--json", "x/src")
    assert (code, out) == (1, "")
    assert json.loads(err.splitlines()[-1])["error"]["slug"] == "unsupported"


def test_what_a_service_says_in_json_is_told(run: Any, scripted: Any) -> None:
    said = {"Code": "XMinioAdminRemoteTargetNotFoundError", "Message": "No such target."}
    play(scripted, said, status=404)
    code, _, err = run("resync", "start", "x/src")
    assert code == 5
    assert "No such target (XMinioAdminRemoteTargetNotFoundError)" in err


def test_nothing_is_asked_where_there_are_no_rules(run: Any, scripted: Any) -> None:
    for arguments in (("status",), ("backlog",), ("resync", "start"), ("resync", "status")):
        scripted.refuses(404, "ReplicationConfigurationNotFoundError")
        assert run(*arguments, "x/src")[0] == 5
    assert all("?replication=" in received.line for received in scripted.received)


VERSIONS = b"""<ListVersionsResult><Name>src</Name>
<Version><Key>a</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest><Size>3</Size>
<LastModified>2026-11-27T19:00:00.000Z</LastModified><ETag>"x"</ETag></Version>
<DeleteMarker><Key>b</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-27T19:00:00.000Z</LastModified></DeleteMarker>
</ListVersionsResult>"""


@pytest.mark.parametrize(
    ("status", "plain", "verbose"),
    [("FAILED", 1, 1), ("PENDING", 1, 1), ("COMPLETED", 0, 1), ("REPLICA", 0, 1), (None, 0, 0)],
)
def test_a_backlog_is_what_is_not_replicated(
    run: Any, scripted: Any, status: str | None, plain: int, verbose: int
) -> None:
    headers = {} if status is None else {"x_amz_replication_status": status}
    for options, count in (([], plain), (["--verbose"], verbose)):
        scripted.answers(200, RULES)
        scripted.answers(200, VERSIONS)
        scripted.answers(200, b"", last_modified="Fri, 27 Nov 2026 19:00:00 GMT", **headers)
        code, out, _ = run("backlog", *options, "x/src")
        assert code == 0
        assert out.splitlines() == [f"{status!s:<9} x/src/a (v1)"] * count
        assert "versionId=v1" in scripted.received[-1].line
