"""Health endpoints, answered to everybody: alive, ready for requests, whole.

MinIO's paths, because load balancers and Kubernetes manifests in the field name them.
"""

from __future__ import annotations

import sqlite3

from ingot.base.errors import Error
from ingot.server.response import Response, empty
from ingot.server.service import Service
from ingot.store.store import ObjectStore

_ALIVE = frozenset({b"/minio/health/live", b"/health/live"})
_STORE = frozenset(
    {
        b"/minio/health/ready",
        b"/minio/health/cluster",
        b"/minio/health/cluster/read",
        b"/health/ready",
        b"/health/cluster",
        b"/health/cluster/read",
    }
)
PATHS = _ALIVE | _STORE
# A bucket of this name would hide behind the paths above.
RESERVED_BUCKET = "minio"


def health(raw_path: bytes, service: Service) -> Response:
    """Answer 200, or 503 when the store cannot be read or no longer acknowledges writes."""
    if raw_path in _ALIVE:
        return empty(200)
    return empty(200 if _serves(service.store) else 503, {"x-minio-write-quorum": "1"})


def _serves(store: ObjectStore) -> bool:
    try:
        store.buckets.list(limit=1)
    except (Error, OSError, sqlite3.Error):
        return False
    return store.failure is None
