"""How replication goes, in the JSON documents of MinIO's addition to S3: counts, and resyncs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Count(NamedTuple):
    """A number of objects, and their bytes."""

    objects: int = 0
    size_bytes: int = 0


class TargetStats(NamedTuple):
    """What went to one target.

    Attributes:
        arn: the target.
        replicated: what arrived there since the service started.
        failed: what failed since then.
        failed_hour: what failed in the last hour.
        limit_bytes_per_s: the bandwidth it may use; 0 for any.
    """

    arn: str
    replicated: Count
    failed: Count
    failed_hour: Count
    limit_bytes_per_s: int = 0


class ReplicationStats(NamedTuple):
    """How a bucket's replication goes.

    Attributes:
        uptime_s: since when the service counts.
        replicated: what went to all targets.
        replicas: what came from other buckets.
        failed: what failed.
        queued: what waits now.
        targets: by target, in order of their ARNs.
        document: all that the service said.
    """

    uptime_s: int
    replicated: Count
    replicas: Count
    failed: Count
    queued: Count
    targets: tuple[TargetStats, ...]
    document: Mapping[str, Any]


class Resync(NamedTuple):
    """One target's resync: what was copied there is copied again.

    Attributes:
        arn: the target.
        resync_id: what the service calls it.
        status: `Ongoing`, `Completed`, `Failed` …; empty when it was only begun.
        started: when, as the service writes it.
        ended: when it was last heard of.
        replicated: what was copied so far.
        failed: what failed.
        last_key: the last object that was looked at.
    """

    arn: str
    resync_id: str
    status: str
    started: str
    ended: str
    replicated: Count
    failed: Count
    last_key: str


def parse_stats(data: bytes) -> ReplicationStats:
    """Read the answer to `?replication-metrics=2`.

    Raises:
        ValueError: it is something else.
    """
    document = _object(data, "currStats")
    stats = document["currStats"]
    return ReplicationStats(
        int(document.get("uptime", 0)),
        _plain(stats, "replicationCount", "completedReplicationSize"),
        _plain(stats, "replicaCount", "replicaSize"),
        _counted(stats.get("failed"), "totals"),
        _counted(stats.get("queued"), "curr"),
        tuple(
            TargetStats(
                arn,
                _plain(one, "replicationCount", "completedReplicationSize"),
                _counted(one.get("failed"), "totals"),
                _counted(one.get("failed"), "lastHour"),
                int(one.get("limitInBits", 0)),
            )
            for arn, one in sorted((stats.get("Stats") or {}).items())
        ),
        document,
    )


def parse_resyncs(data: bytes) -> list[Resync]:
    """Read the answer to `?replication-reset` and `?replication-reset-status`.

    Raises:
        ValueError: it is something else.
    """
    return [
        Resync(
            str(one.get("arn", "")),
            str(one.get("resetid", "")),
            str(one.get("resyncStatus", "")),
            str(one.get("startTime", "")),
            str(one.get("endTime", "")),
            _plain(one, "replicationCount", "completedReplicationSize"),
            _plain(one, "failedReplicationCount", "failedReplicationSize"),
            str(one.get("object", "")),
        )
        for one in _object(data).get("target") or ()
    ]


def _object(data: bytes, *needed: str) -> dict[str, Any]:
    document = json.loads(data)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(name), dict) for name in needed
    ):
        raise ValueError("it is a document of something else")
    return document


def _plain(document: Mapping[str, Any], objects: str, size: str) -> Count:
    # Counts of targets that were removed are taken off, which can go below nothing.
    return Count(max(0, int(document.get(objects, 0))), max(0, int(document.get(size, 0))))


def _counted(document: Any, name: str) -> Count:
    return _plain((document or {}).get(name) or {}, "count", "bytes")
