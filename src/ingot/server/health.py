"""Health endpoints, answered to everybody: alive, ready for requests, whole.

MinIO's paths, because load balancers and Kubernetes manifests in the field name them.
"""

from __future__ import annotations

from ingot.base.errors import Error
from ingot.server.response import Response, empty
from ingot.server.service import Service

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
    try:
        healthy = service.store.check()
    except Error:
        healthy = False
    if not healthy:
        return empty(503)
    return empty(200, {"x-minio-write-quorum": "1"})
