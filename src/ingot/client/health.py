"""Whether a service is alive and ready, and how long it takes to say so; needs no keys."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.client.tracing import make_transport
from ingot.client.wire import current
from ingot.s3client.endpoint import Endpoint
from ingot.transport.pool import Request, Transport

# MinIO's paths, which Ingot's server has too.
CLUSTER_PATH = "/minio/health/cluster"
CLUSTER_READ_PATH = "/minio/health/cluster/read"
MAINTENANCE_QUERY = "?maintenance=true"
_LIVE_PATH = "/minio/health/live"
# The node that answers cannot be spared.
_NOT_SPARED = 412
# From here on a status says that the service cannot serve now.
_SERVER_ERRORS = 500
_READY_PERIOD_S = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status, after so many seconds."""

    status: int
    duration_s: float

    @property
    def is_available(self) -> bool:
        """Whether the service said that it serves.

        A service that does not know the path refuses it, which shows that it is there.
        """
        return self.status < _SERVER_ERRORS

    @property
    def is_ready(self) -> bool:
        """Whether the service knows the path and said yes."""
        return self.status == 200


def patient_transport(timeout_s: float) -> Transport:
    """Return a transport that asks once, and waits so long for an answer."""
    options = replace(
        current().options,
        connect_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
        backoff=Backoff(attempts=1),
    )
    return make_transport(options)


def knock(transport: Transport, endpoint: Endpoint) -> Answer:
    """Ask whether the service is there.

    Raises:
        NetworkError: there is no answer, or it is that of a server that cannot serve.
    """
    answer = ask(transport, endpoint, _LIVE_PATH)
    if not answer.is_available:
        raise NetworkError(f"{endpoint.url} answered with status {answer.status}")
    return answer


def wait_until_ready(
    transport: Transport, endpoint: Endpoint, path: str, *, timeout_s: float
) -> Answer:
    """Ask until the service is ready; 0 seconds ask once.

    Raises:
        NetworkError: it is not in time, or does not tell.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        problem: NetworkError
        try:
            answer = ask(transport, endpoint, path)
        except NetworkError as error:
            problem = error
        else:
            if answer.is_ready:
                return answer
            if answer.is_available and answer.status != _NOT_SPARED:
                raise NetworkError(
                    f"{endpoint.url} does not tell whether it is ready (status {answer.status})",
                    hint="'ingot ping' tells whether it is there",
                )
            problem = NetworkError(f"{endpoint.url} is not ready (status {answer.status})")
        if time.monotonic() >= deadline_s:
            raise problem
        time.sleep(_READY_PERIOD_S)


def ask(transport: Transport, endpoint: Endpoint, path: str) -> Answer:
    """Ask once.

    Raises:
        NetworkError: there is no answer.
    """
    request = Request(
        "GET",
        endpoint.scheme,
        endpoint.host,
        endpoint.port,
        path,
        {"host": endpoint.locate("path").host_header, "accept-encoding": "identity"},
    )
    began_s = time.monotonic()
    with transport.send(request) as response:
        return Answer(response.status, time.monotonic() - began_s)
