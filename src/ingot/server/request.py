"""One HTTP request as the handlers see it: decoded once, read-only but for what auth adds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ingot.iam.identities import Identity
from ingot.s3.claims import Claim, Unsigned
from ingot.s3.errors import S3Error
from ingot.s3.operations import Operation
from ingot.s3.sigv2 import PresignedV2
from ingot.s3.sigv4 import Query, parse_query

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEADERS_MAX = 256
# Looking a name up is cheaper than decoding it; these come with nearly every request.
_KNOWN_NAMES = {
    name.encode(): name
    for name in (
        *("accept-encoding", "authorization", "connection", "content-length", "content-type"),
        *("host", "range", "user-agent", "x-amz-content-sha256", "x-amz-date"),
    )
}


class Request:
    """A request on its way through the server.

    Attributes:
        method: `GET` and so on.
        raw_path: the path as the client wrote it, percent-encoded.
        query: decoded names and values in the client's order.
        parameters: the same as a mapping; of repeated names the first counts.
        headers: by lower-case name, Latin-1; repeated ones joined by commas.
        receive: gives the body's ASGI messages.
        bucket: the bucket's name; empty when the path names none.
        key: the object's key; empty when the path names none.
        operation: what is asked for, once routed.
        claim: the signature's claim, once read.
        identity: who asks, once verified.
        received_bytes: how much of the body has been read.
        body_ended: whether all of it has.
    """

    __slots__ = (
        "_scope",
        "body_ended",
        "bucket",
        "claim",
        "headers",
        "identity",
        "key",
        "method",
        "operation",
        "parameters",
        "query",
        "raw_path",
        "receive",
        "received_bytes",
    )

    operation: Operation
    claim: Claim | PresignedV2 | Unsigned
    identity: Identity

    def __init__(self, scope: Message, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.headers = decode_headers(scope["headers"])
        query = scope["query_string"]
        self.query: Query = parse_query(query) if query else ()
        self.parameters = dict(reversed(self.query)) if query else {}
        self.receive = receive
        self._scope = scope
        self.bucket = ""
        self.key = ""
        self.received_bytes = 0
        self.body_ended = False

    @property
    def remote(self) -> str:
        """The address of the client; empty if it is not known."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self._scope.get("scheme") == "https"

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Return a query parameter as a number; empty or absent is the default.

        Numbers above the maximum count as the maximum, as S3 does with page sizes.

        Raises:
            S3Error: `InvalidArgument` when it is no number, or below the minimum.
        """
        text = self.parameters.get(name)
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) >= minimum:
            return min(int(text), maximum)
        raise S3Error(
            "InvalidArgument",
            f"Argument {name} must be an integer between {minimum} and {maximum}.",
            ArgumentName=name,
            ArgumentValue=text,
        )


def decode_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones joined by commas (RFC 9110 §5.3).

    Raises:
        S3Error: `InvalidRequest` when there are more than `HEADERS_MAX`.
    """
    if len(raw) > HEADERS_MAX:
        raise S3Error("InvalidRequest", f"The request has more than {HEADERS_MAX} headers.")
    known = _KNOWN_NAMES
    headers = {
        known.get(name) or str(name, "latin-1"): str(value, "latin-1") for name, value in raw
    }
    if len(headers) != len(raw):
        headers.clear()
        for raw_name, raw_value in raw:
            name, value = str(raw_name, "latin-1"), str(raw_value, "latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
