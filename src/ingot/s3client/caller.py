"""One signed request to an S3 service and its checked answer; the operations stand on this."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from ingot.base.clock import Clock, SystemClock
from ingot.base.errors import NetworkError, UsageError
from ingot.base.limits import PRESIGN_EXPIRY_S_MAX, XML_BODY_BYTES_MAX
from ingot.s3.checksums import ALGORITHMS, SDK_ALGORITHM_HEADER, encode
from ingot.s3.chunked import ChunkedEncoding, ChunkSigner
from ingot.s3.documents import error as error_document
from ingot.s3.errors import ERRORS, S3Error
from ingot.s3.sigv4 import (
    UNSIGNED_PAYLOAD,
    Credentials,
    SignedRequest,
    canonical_query,
    presign_query,
    sign_headers,
    signing_key,
)
from ingot.s3client.body import BytesBody, exactly
from ingot.s3client.call import Call
from ingot.s3client.endpoint import Addressing, Endpoint, Location
from ingot.s3client.errors import ServiceError, service_error
from ingot.s3client.learning import Learned
from ingot.s3client.refusals import failure, tell_repeated
from ingot.transport.errors import BrokenError
from ingot.transport.pool import Request, Response, Transport

# Operations are written with both.
__all__ = ["FRAMED_HEADER", "UPLOAD_CHECKSUM", "Call", "Caller"]

# Widely known, hardware-fast, and it can be joined from the checksums of parts.
UPLOAD_CHECKSUM = "CRC32C"

_Parsed = TypeVar("_Parsed")


# Announces the checksum behind a body.
FRAMED_HEADER = "x-amz-trailer"
# A refusal may name another region, then another time, then that it does not know a framing.
_HINTS_MAX = 3
# Refusals that pass by themselves: of bytes that were damaged or delayed on the way, and of what
# met a like request.
_PASSING_CODES = frozenset({"RequestTimeout", "BadDigest", "ConditionalRequestConflict"})
# What services answer behind status 200 although it would have been one to ask again.
_PASSING_LATE_CODES = _PASSING_CODES | {"InternalError", "ServiceUnavailable", "SlowDown"}
# How services refuse a checksum behind the body, where they have never heard of one.
_UNFRAMED_CODES = frozenset(
    {
        "InvalidArgument",
        "InvalidRequest",
        "MissingContentLength",
        "NotImplemented",
        "SignatureDoesNotMatch",
        "XAmzContentSHA256Mismatch",
    }
)


class Caller:
    """Sign, send, check; safe to share between threads.

    Args:
        endpoint: the service.
        credentials: None sends unsigned requests, as for public buckets.
        region: what to sign for until the service says otherwise.
        addressing: where the bucket's name goes.
        transport: sends the requests and repeats those that fail on the way.
        clock: dates the signatures.
        headers: sent with every request, by lower-case name, where the request has none of its
            own.
        dress: returns further headers of a call, as those of encryption.
        checksum: the algorithm of what is uploaded.

    Attributes:
        algorithm: that algorithm.
        frames: whether it goes behind large bodies; a service without that gets it in front.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials | None,
        *,
        transport: Transport,
        region: str = "us-east-1",
        addressing: Addressing = "auto",
        clock: Clock | None = None,
        headers: Mapping[str, str] | None = None,
        dress: Callable[[Call], Mapping[str, str]] | None = None,
        checksum: str = UPLOAD_CHECKSUM,
    ) -> None:
        self.endpoint = endpoint
        self.algorithm = ALGORITHMS[checksum]
        self._dress = dress
        self._credentials = credentials
        self._transport = transport
        self._addressing: Addressing = addressing
        self._headers = {"accept-encoding": "identity", **(headers or {})}
        self._learned = Learned(endpoint, region, clock or SystemClock())
        self.frames = credentials is not None

    def send(self, call: Call) -> Response:
        """Send a request; the caller closes the answer, whose status is below 300.

        Raises:
            ServiceError: the service refused.
            NetworkError: no answer came.
            UsageError: it cannot be written as a request.
        """
        return self.asked(call)[1]

    def asked(self, call: Call) -> tuple[Request, Response]:
        """Send a request as `send` does; return also what was sent.

        Raises:
            ServiceError, NetworkError, UsageError: as `send`.
        """
        return self.begin(call)()

    def begin(self, call: Call) -> Callable[[], tuple[Request, Response]]:
        """Send a request; what is returned waits for the answer as `asked` does.

        It must be called. Raises UsageError where it cannot be written as a request.
        """
        frames = self.frames
        request = self._written(call, frames=frames)
        return partial(self._answered, call, frames, request, self._transport.begin(request))

    def _answered(
        self, call: Call, frames: bool, request: Request, receive: Callable[[], Response]
    ) -> tuple[Request, Response]:
        pauses: Iterator[None] | None = None
        hints = 0
        is_repeated = False
        while True:
            response = receive()
            if response.status < 300:
                if not frames:
                    self.frames = False
                return request, response
            error = failure(call, response)
            is_repeated = is_repeated or response.is_repeated
            if is_repeated:
                tell_repeated(call, error)
            pauses = pauses or self._transport.pauses()
            if hints < _HINTS_MAX and self._learned.learns(call, request, response, error):
                hints += 1
            elif frames and error.code in _UNFRAMED_CODES and FRAMED_HEADER in request.headers:
                frames = False
            elif error.code not in _PASSING_CODES or next(pauses, error) is error:
                raise error
            request = self._written(call, frames=frames)
            receive = self._transport.begin(request)

    def _written(self, call: Call, *, frames: bool) -> Request:
        try:
            return self._request(call, frames=frames)
        except UnicodeEncodeError as flaw:
            raise _unwritable(call, flaw) from flaw

    def finish(self, call: Call) -> Response:
        """Send a request whose answer's headers say all; its body is done with.

        Raises:
            ServiceError: the service refused.
            NetworkError: no answer came.
        """
        response = self.send(call)
        response.close()
        return response

    def parsed(self, call: Call, parse: Callable[[bytes], _Parsed]) -> _Parsed:
        """Send a request and read the document of its answer, as `answered` does."""
        return self.answered(call, parse)[0]

    def answered(
        self, call: Call, parse: Callable[[bytes], _Parsed]
    ) -> tuple[_Parsed, Mapping[str, str]]:
        """Send a request, return the document and the headers of its answer.

        It is sent again if the document breaks off, or is a refusal that passes.

        Raises:
            ServiceError: the service refused, perhaps only after it sent status 200.
            NetworkError: no answer came, or none that can be read.
        """
        pauses = self._transport.pauses()
        is_repeated = False
        while True:
            try:
                response = self.send(call)
            except ServiceError as error:
                if is_repeated:
                    tell_repeated(call, error)
                raise
            try:
                with response:
                    data = response.read(XML_BODY_BYTES_MAX)
                return self._document(call, data, parse), response.headers
            except (BrokenError, ServiceError) as error:
                lasts = isinstance(error, ServiceError) and error.code not in _PASSING_LATE_CODES
                if lasts or next(pauses, error) is error:
                    raise
                is_repeated = True

    def _document(self, call: Call, data: bytes, parse: Callable[[bytes], _Parsed]) -> _Parsed:
        """Read the document of an answer.

        Raises:
            ServiceError: the service refused after it sent status 200.
            NetworkError: it cannot be read.
        """
        # Services keep slow answers alive with white space in front.
        data = data.lstrip()
        try:
            return parse(data)
        except S3Error as error:
            try:
                refusal = error_document.parse(data)
            except S3Error:
                raise NetworkError(
                    f"{call.subject}: the answer of {self.endpoint.url} cannot be read"
                    f" ({error.message})",
                    hint="check that the endpoint is an S3 service",
                ) from error
            row = ERRORS.get(refusal.code)
            raise service_error(refusal, row.status if row else 500, call.subject) from None

    def presign(self, call: Call, expires_s: int) -> str:
        """Return a URL that lets anyone make this call until it expires.

        Args:
            call: its headers and body are not part of the URL.
            expires_s: from 1 second to 7 days.

        Raises:
            UsageError: it is for longer, or cannot be written as a URL.
        """
        if not 1 <= expires_s <= PRESIGN_EXPIRY_S_MAX:
            raise UsageError(
                f"a link cannot be good for {expires_s} seconds",
                hint=f"from 1 to {PRESIGN_EXPIRY_S_MAX} seconds, which is 7 days",
            )
        try:
            return self._presigned(call, expires_s)
        except UnicodeEncodeError as flaw:
            raise _unwritable(call, flaw) from flaw

    def plain_url(self, bucket: str, key: str | None = None) -> str:
        """Return the URL of an object, good for those who may read it without keys.

        Args:
            bucket: where it is.
            key: its name; None for the URL of the bucket.
        """
        place = self._locate(Call("GET", bucket, key))
        return f"{self.endpoint.scheme}://{place.host_header}{place.path}"

    def _presigned(self, call: Call, expires_s: int) -> str:
        place = self._locate(call)
        if self._credentials is None:
            encoded = canonical_query(call.query)
        else:
            encoded = presign_query(
                self._credentials,
                method=call.method,
                host=place.host_header,
                path=place.path,
                query=call.query,
                region=self._learned.region_of(call.bucket),
                expires_s=expires_s,
                now_ns=self._learned.now_ns(),
            )
        url = f"{self.endpoint.scheme}://{place.host_header}{place.path}"
        return f"{url}?{encoded}" if encoded else url

    def _request(self, call: Call, *, frames: bool) -> Request:
        place = self._locate(call)
        headers = {"host": place.host_header, **self._headers, **call.headers}
        if self._dress is not None:
            headers |= self._dress(call)
        encoded = canonical_query(call.query)
        target = f"{place.path}?{encoded}" if encoded else place.path
        body: bytes | Callable[[], Iterator[bytes]]
        if isinstance(call.body, BytesBody):
            headers, body = self._whole(call, place, headers, call.body.data)
        elif not frames:
            headers, body = self._measured(call, place, headers)
        else:
            headers, body = self._framed(call, place, headers)
        return Request(
            method=call.method,
            scheme=self.endpoint.scheme,
            host=place.host,
            port=self.endpoint.port,
            target=target,
            headers=headers,
            body=body,
        )

    def _whole(
        self, call: Call, place: Location, headers: dict[str, str], data: bytes
    ) -> tuple[dict[str, str], bytes]:
        """Make the headers of a body that is sent as it is, its checksum in front."""
        if data or call.method in {"PUT", "POST"}:
            headers["content-length"] = str(len(data))
        if call.checksummed:
            total = self.algorithm.new()
            total.update(data)
            headers[self.algorithm.header] = encode(total.digest())
            headers[SDK_ALGORITHM_HEADER] = self.algorithm.name
        if self._credentials is None:
            return headers, data
        if call.checksummed and self.endpoint.scheme == "https":
            payload_hash = UNSIGNED_PAYLOAD
        else:
            payload_hash = hashlib.sha256(data).hexdigest()
        return self._signed(call, place, headers, payload_hash).headers, data

    def _measured(
        self, call: Call, place: Location, headers: dict[str, str]
    ) -> tuple[dict[str, str], Callable[[], Iterator[bytes]]]:
        """Make the headers of a body that is read twice: its checksum goes in front.

        For requests that are not signed, and services that know no other way.
        """
        total = self.algorithm.new()
        signs_payload = self._credentials is not None and self.endpoint.scheme == "http"
        sha256 = hashlib.sha256()
        for block in exactly(call.body):
            total.update(block)
            if signs_payload:
                sha256.update(block)
        headers["content-length"] = str(call.body.size_bytes)
        headers[self.algorithm.header] = encode(total.digest())
        headers[SDK_ALGORITHM_HEADER] = self.algorithm.name
        if self._credentials is not None:
            payload_hash = sha256.hexdigest() if signs_payload else UNSIGNED_PAYLOAD
            headers = self._signed(call, place, headers, payload_hash).headers
        return headers, lambda: exactly(call.body)

    def _framed(
        self, call: Call, place: Location, headers: dict[str, str]
    ) -> tuple[dict[str, str], Callable[[], Iterator[bytes]]]:
        """Make the headers of a body in chunks, its checksum behind; under TLS none is signed."""
        encoding = ChunkedEncoding(self.algorithm, signed=self.endpoint.scheme == "http")
        size_bytes = call.body.size_bytes
        coding = headers.get("content-encoding")
        headers["content-encoding"] = f"aws-chunked,{coding}" if coding else "aws-chunked"
        headers["content-length"] = str(encoding.encoded_bytes(size_bytes))
        headers["x-amz-decoded-content-length"] = str(size_bytes)
        headers[FRAMED_HEADER] = self.algorithm.header
        headers[SDK_ALGORITHM_HEADER] = self.algorithm.name
        signed = self._signed(call, place, headers, encoding.payload_hash)

        def body() -> Iterator[bytes]:
            signer = self._chunk_signer(signed) if encoding.signed else None
            return encoding.encode(exactly(call.body), signer)

        return signed.headers, body

    def _chunk_signer(self, signed: SignedRequest) -> ChunkSigner:
        assert self._credentials is not None
        date, region = signed.scope.split("/")[:2]
        key = signing_key(self._credentials.secret_key, date, region)
        return ChunkSigner(key, signed.timestamp, signed.scope, signed.signature)

    def _signed(
        self, call: Call, place: Location, headers: Mapping[str, str], payload_hash: str
    ) -> SignedRequest:
        assert self._credentials is not None
        return sign_headers(
            self._credentials,
            method=call.method,
            path=place.path,
            query=call.query,
            headers=headers,
            payload_hash=payload_hash,
            region=self._learned.region_of(call.bucket),
            now_ns=self._learned.now_ns(),
        )

    def _locate(self, call: Call) -> Location:
        endpoint = self._learned.endpoint_of(call.bucket)
        place = endpoint.locate(self._addressing, call.bucket, call.key or "")
        return place._replace(path=call.path) if call.path else place


def _unwritable(call: Call, flaw: UnicodeEncodeError) -> UsageError:
    found = repr(flaw.object[flaw.start :][:20])
    kind = "Latin-1" if flaw.encoding == "latin-1" else "Unicode text"
    return UsageError(f"{call.subject!r}: a name or header of the request is not {kind}: {found}")
