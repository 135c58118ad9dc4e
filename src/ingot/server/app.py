"""The S3 server as a raw ASGI application: route, authenticate, handle, answer, log."""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import time

from ingot.base.errors import Error
from ingot.base.logs import request_id as current_request_id
from ingot.server import health
from ingot.server.access_log import Entry
from ingot.server.admin import api as admin
from ingot.server.auth import authenticate, check_expected_owner, is_signed
from ingot.server.authorization import authorize
from ingot.server.body import drain
from ingot.server.cors import cors_headers, is_preflight, preflight
from ingot.server.errors import ClientGoneError, failure
from ingot.server.handlers.table import HANDLERS
from ingot.server.metrics import BEARER, PATHS
from ingot.server.request import Message, Receive, Request, Send
from ingot.server.response import Response, transmit
from ingot.server.routing import locate, route
from ingot.server.service import Service
from ingot.store.errors import DamagedError

_log = logging.getLogger("ingot.server.app")
# What the access log says when the client left before its request was whole (nginx's number).
_NOBODY_TO_ANSWER = Response(499, [])


class S3App:
    """The ASGI application of one process.

    Args:
        service: opened in this process.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        # Ids differ between workers and restarts by the first half, between requests by the second.
        self._id_prefix = secrets.token_hex(4).upper()
        self._id_numbers = itertools.count(1)
        self._common_headers = [
            (b"server", b"Ingot"),
            (b"x-amz-id-2", service.host_id.encode()),
            (b"accept-ranges", b"bytes"),
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _lifespan(receive, send)
            return
        started_s = time.perf_counter()
        request_id = f"{self._id_prefix}{next(self._id_numbers) & 0xFFFFFFFF:08X}"
        current_request_id.set(request_id)
        request: Request | None = None
        try:
            request = Request(scope, receive)
            response = await self._answer(request)
        except ClientGoneError:
            self._account(scope, request, _NOBODY_TO_ANSWER, request_id, started_s)
            return
        except Exception as error:  # noqa: BLE001 # the last resort: every failure gets an answer
            self._note_damage(error, scope)
            response = failure(error, scope, request, request_id, self._service.host_id)
            drained = request is not None and await drain(request)
            if not drained and scope["http_version"].startswith("1"):
                response.headers.append((b"connection", b"close"))
        response.headers.append((b"x-amz-request-id", request_id.encode()))
        response.headers += self._common_headers
        if request is not None and "origin" in request.headers and not is_preflight(request):
            # An answer is due also if the rules cannot be read; what it answers says why.
            with contextlib.suppress(Error):
                response.headers += cors_headers(request, self._service)
        try:
            await transmit(response, receive, send)
        except Error as error:
            self._note_damage(error, scope)
            # The head is out: all that is left is to end the connection short of its length.
            _log.error("%s %r broke off: %s", scope["method"], scope["raw_path"], error)
            raise
        finally:
            self._account(scope, request, response, request_id, started_s)

    async def _answer(self, request: Request) -> Response:
        service = self._service
        if request.raw_path in health.PATHS and not is_signed(request):
            return health.health(request.raw_path, service)
        if service.metrics_page is not None and _is_scrape(request):
            return await service.metrics_page.answer(request, service.metrics, service.store)
        if admin.is_admin(request, service):
            return await admin.answer(request, service)
        if is_preflight(request):
            locate(request, service.domains)
            return preflight(request, service)
        operation = request.operation = route(request, service.domains)
        request.identity = authenticate(request, service)
        authorize(request, service)
        check_expected_owner(request)
        return await HANDLERS[operation.name](request, service)

    def _note_damage(self, error: Exception, scope: Message) -> None:
        if isinstance(error, DamagedError):
            self._service.metrics.count_damaged()
            _log.error("store.damaged path=%r %s", scope["raw_path"], error)

    def _account(
        self,
        scope: Message,
        request: Request | None,
        response: Response,
        request_id: str,
        started_s: float,
    ) -> None:
        """Count a request and log it."""
        operation = getattr(request, "operation", None)
        name = operation.name if operation else None
        received_bytes = request.received_bytes if request else 0
        duration_s = time.perf_counter() - started_s
        self._service.metrics.count(
            name,
            response.status,
            received_bytes=received_bytes,
            sent_bytes=response.sent_bytes,
            duration_s=duration_s,
        )
        if self._service.access_log is None:
            return
        identity = getattr(request, "identity", None)
        client = scope.get("client")
        self._service.access_log(
            Entry(
                method=scope["method"],
                raw_path=scope["raw_path"].decode("latin-1"),
                query=scope["query_string"].decode("latin-1"),
                status=response.status,
                sent_bytes=response.sent_bytes,
                received_bytes=received_bytes,
                duration_s=duration_s,
                request_id=request_id,
                operation=name,
                access_key=(identity.access_key or None) if identity else None,
                remote=f"{client[0]}:{client[1]}" if client else "-",
            )
        )


def _is_scrape(request: Request) -> bool:
    """Tell a scrape from an S3 request to a bucket of such a name, which is signed."""
    return request.raw_path in PATHS and (
        not is_signed(request) or request.headers.get("authorization", "").startswith(BEARER)
    )


async def _lifespan(receive: Receive, send: Send) -> None:
    # Servers with the lifespan protocol (uvicorn) want its answers; the store is open already.
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
