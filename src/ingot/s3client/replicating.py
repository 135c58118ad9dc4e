"""How replication goes, and doing it again: MinIO's addition to S3, asked of any service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.s3.documents import replicationstats
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.documents.replicationstats import ReplicationStats, Resync
from ingot.s3client.caller import Call, Caller
from ingot.s3client.errors import service_error

_Parsed = TypeVar("_Parsed")


class ReplicatingOperations(Caller):
    """Methods that raise `ServiceError` or `NetworkError`.

    A service that does not know a question lists the bucket instead, or says nothing: that is a
    `ServiceUnsupportedError`, as it is when it says so.
    """

    def get_bucket_replication_metrics(self, bucket: str) -> ReplicationStats:
        """Return what was replicated, what failed and what waits."""
        return self._asked(
            "GET", bucket, [("replication-metrics", "2")], replicationstats.parse_stats
        )

    def start_bucket_replication_resync(
        self, bucket: str, arn: str, *, older_than_s: int | None = None
    ) -> list[Resync]:
        """Let the service copy again what it copied before.

        To a service that does not know it this looks like making the bucket, so look first whether
        it is there.

        Args:
            bucket: where from.
            arn: the target; MinIO wants it even if there is only one.
            older_than_s: only what was written so long ago.
        """
        query = [("replication-reset", ""), ("arn", arn)]
        if older_than_s is not None:
            query.append(("older-than", f"{older_than_s}s"))
        return self._asked("PUT", bucket, query, replicationstats.parse_resyncs)

    def get_bucket_replication_resync(self, bucket: str, arn: str = "") -> list[Resync]:
        """Return how resyncs go: all of the bucket, or that of one target."""
        query = [("replication-reset-status", "")]
        if arn:
            query.append(("arn", arn))
        return self._asked("GET", bucket, query, replicationstats.parse_resyncs)

    def _asked(
        self,
        method: str,
        bucket: str,
        query: Sequence[tuple[str, str]],
        parse: Callable[[bytes], _Parsed],
    ) -> _Parsed:
        call = Call(method, bucket, query=query)
        with self.send(call) as response:
            data = response.read(XML_BODY_BYTES_MAX)
        try:
            return parse(data)
        except (ValueError, TypeError, AttributeError):
            said = ErrorDocument("NotImplemented", "The service does not tell how replication goes")
            raise service_error(said, 501, call.subject) from None
