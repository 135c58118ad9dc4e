"""Counters of all workers in shared memory, and their text for Prometheus.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (0.0.4).
"""

from __future__ import annotations

import contextlib
import hmac
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ingot.base.secret import Secret
from ingot.s3.dates import NS_PER_S
from ingot.s3.errors import S3Error
from ingot.s3.operations import OPERATIONS
from ingot.server.admin.operations import OPERATIONS as ADMIN_OPERATIONS
from ingot.server.request import Request
from ingot.server.response import Response, header
from ingot.store.census import Held
from ingot.store.errors import DamagedError
from ingot.store.scrub import ScrubRecord
from ingot.store.store import ObjectStore
from ingot.store.verify import Damage

PATHS = frozenset({b"/metrics", b"/minio/v2/metrics/cluster"})

BEARER = "Bearer "
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Requests that never became an operation (not routed, health) count under this name.
_NO_OPERATION = "none"
# Other statuses count under the first of their hundred.
_STATUSES = (
    *(200, 204, 206, 300, 304, 400, 403, 404, 405, 409, 411, 412, 416, 499),
    *(500, 501, 503, 507),
)
_NAMES = (
    *sorted(operation.name for operation in (*OPERATIONS, *ADMIN_OPERATIONS.values())),
    _NO_OPERATION,
)
_REQUESTS = {
    (name, status): number
    for number, (name, status) in enumerate((n, s) for n in _NAMES for s in _STATUSES)
}
_MICROSECONDS = {name: len(_REQUESTS) + number for number, name in enumerate(_NAMES)}
_FIRST_OTHER = len(_REQUESTS) + len(_NAMES)
_OTHERS = 10
_RECEIVED, _SENT, _DAMAGED, *_SCRUB = range(_FIRST_OTHER, _FIRST_OTHER + _OTHERS)
_SCRUBBED_BYTES, _SCRUBBED_ROWS, _SCRUB_DAMAGED, _PASS_BYTES, _LAST_BYTES, _LAST_S, _PASSES = _SCRUB
_SLOTS = _FIRST_OTHER + _OTHERS

# Scrapes of more would take too long.
BUCKETS_MAX = 1000
_HELD: tuple[tuple[str, str, Callable[[Held], int | None]], ...] = (
    (
        "usage_total_bytes",
        "Bytes of all versions and unfinished uploads.",
        lambda held: held.usage.size_bytes,
    ),
    ("usage_object_total", "Objects.", lambda held: held.usage.objects),
    ("usage_version_total", "Versions of objects.", lambda held: held.usage.versions),
    ("usage_deletemarker_total", "Delete markers.", lambda held: held.usage.delete_markers),
    ("quota_total_bytes", "How much it may hold.", lambda held: held.limit_bytes),
)


class Counters:
    """The counters of every worker; made before the workers are forked, which share it.

    Each worker writes to a row of its own, so nothing is locked, and a worker that replaces
    another one goes on where that one ended.

    Args:
        workers: how many rows.
    """

    def __init__(self, workers: int = 1) -> None:
        self.values = memoryview(mmap.mmap(-1, workers * _SLOTS * 8)).cast("Q")

    def total(self, slot: int) -> int:
        """Return a counter's sum over all workers."""
        return sum(self.values[slot::_SLOTS])

    def latest(self, slot: int) -> int:
        """Return the highest of what the workers set."""
        return max(self.values[slot::_SLOTS])


class Metrics:
    """What one worker counts, and what all of them counted.

    Args:
        counters: shared with the other workers.
        index: the worker's number.
    """

    def __init__(self, counters: Counters | None = None, index: int = 0) -> None:
        self._counters = counters or Counters()
        self._row = self._counters.values[index * _SLOTS : (index + 1) * _SLOTS]
        self._row[_PASS_BYTES] = 0  # of the worker that had this row before

    def count(
        self,
        operation: str | None,
        status: int,
        *,
        received_bytes: int,
        sent_bytes: int,
        duration_s: float,
    ) -> None:
        """Count a request that was answered."""
        row = self._row
        name = operation or _NO_OPERATION
        slot = _REQUESTS.get((name, status))
        row[_REQUESTS[name, status // 100 * 100] if slot is None else slot] += 1
        row[_MICROSECONDS[name]] += int(duration_s * 1e6)
        row[_RECEIVED] += received_bytes
        row[_SENT] += sent_bytes

    def count_damaged(self) -> None:
        """Count a read that found bytes which are not those that were written."""
        self._row[_DAMAGED] += 1

    def stands(self, state: ScrubRecord) -> None:
        """Take how far the scrubber is, as its `Watcher`."""
        row = self._row
        row[_PASS_BYTES] = state.verified_bytes if state.is_under_way else 0
        row[_LAST_BYTES] = state.finished_bytes
        row[_LAST_S] = state.finished_ns // NS_PER_S

    def verified(self, rows: int, size_bytes: int) -> None:
        """Count what the scrubber read."""
        row = self._row
        row[_SCRUBBED_ROWS] += rows
        row[_SCRUBBED_BYTES] += size_bytes
        row[_PASS_BYTES] += size_bytes

    def damaged(self, damage: Damage) -> None:
        """Count what the scrubber found."""
        self._row[_SCRUB_DAMAGED] += 1

    def passed(self) -> None:
        """Count a pass of the scrubber that is finished."""
        self._row[_PASSES] += 1

    def render(self, data_dir: Path) -> bytes:
        """Return everything as text, with the device of the data directory."""
        return "".join(f"{line}\n" for line in self._lines(data_dir)).encode()

    def _lines(self, data_dir: Path) -> Iterator[str]:
        total, latest = self._counters.total, self._counters.latest
        yield from _head("ingot_requests_total", "counter", "Requests by operation and status.")
        for (name, status), slot in _REQUESTS.items():
            if value := total(slot):
                yield f'ingot_requests_total{{operation="{name}",code="{status}"}} {value}'
        yield from _head("ingot_request_seconds_total", "counter", "Time spent on requests.")
        for name, slot in _MICROSECONDS.items():
            if value := total(slot):
                yield f'ingot_request_seconds_total{{operation="{name}"}} {value / 1e6:.6f}'
        disk = os.statvfs(data_dir)
        for name, kind, text, value in (
            ("received_bytes_total", "counter", "Bytes of bodies received.", total(_RECEIVED)),
            ("sent_bytes_total", "counter", "Bytes of bodies sent.", total(_SENT)),
            ("damaged_total", "counter", "Reads refused for wrong checksums.", total(_DAMAGED)),
            (
                "scrub_verified_bytes_total",
                "counter",
                "Bytes of bodies the scrubber read.",
                total(_SCRUBBED_BYTES),
            ),
            (
                "scrub_verified_records_total",
                "counter",
                "Records it verified.",
                total(_SCRUBBED_ROWS),
            ),
            (
                "scrub_damaged_total",
                "counter",
                "Damaged records and bodies it met.",
                total(_SCRUB_DAMAGED),
            ),
            ("scrub_passes_total", "counter", "Passes it finished.", total(_PASSES)),
            ("scrub_pass_bytes", "gauge", "Bytes read in the unfinished pass.", total(_PASS_BYTES)),
            (
                "scrub_last_pass_bytes",
                "gauge",
                "Bytes read in the last finished one.",
                latest(_LAST_BYTES),
            ),
            ("scrub_last_pass_timestamp_seconds", "gauge", "When that ended.", latest(_LAST_S)),
            ("disk_bytes", "gauge", "Size of the data's device.", disk.f_blocks * disk.f_frsize),
            ("disk_free_bytes", "gauge", "Room on it.", disk.f_bavail * disk.f_frsize),
        ):
            yield from _head(f"ingot_{name}", kind, text)
            yield f"ingot_{name} {value}"


class Page(NamedTuple):
    """Who may read the metrics, and what they tell beside the counters.

    Attributes:
        data_dir: whose device is measured.
        public: whether everybody may read them.
        token: what others have to show (`Authorization: Bearer …`); `None` lets nobody in.
    """

    data_dir: Path
    public: bool
    token: Secret | None

    async def answer(self, request: Request, metrics: Metrics, store: ObjectStore) -> Response:
        """Answer a scrape.

        Raises:
            S3Error: the metrics are not public, and the request does not carry the token.
        """
        if not self.public and not self._is_token(request.headers.get("authorization", "")):
            raise S3Error("AccessDenied")
        held: Sequence[Held] = ()
        # A damaged catalog is what the other metrics tell of.
        with contextlib.suppress(DamagedError):
            held = await store.bodies.run(lambda: store.census.all(limit=BUCKETS_MAX))
        body = metrics.render(self.data_dir) + render_held(held)
        length = header("content-length", str(len(body)))
        return Response(200, [header("content-type", _CONTENT_TYPE), length], body)

    def _is_token(self, authorization: str) -> bool:
        if self.token is None:
            return False
        expected = BEARER + self.token.reveal()
        return hmac.compare_digest(authorization.encode(), expected.encode())


def render_held(buckets: Sequence[Held]) -> bytes:
    """Return what buckets hold, under MinIO's names, as text."""
    return "".join(f"{line}\n" for line in _held_lines(buckets)).encode()


def _held_lines(buckets: Sequence[Held]) -> Iterator[str]:
    for name, text, value_of in _HELD:
        yield from _head(f"minio_bucket_{name}", "gauge", text)
        for held in buckets:
            value = value_of(held)
            if value is not None:
                yield f'minio_bucket_{name}{{bucket="{held.bucket}"}} {value}'


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
