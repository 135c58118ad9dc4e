"""One signed request to an S3 service and its checked answer; the operations stand on this."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ingot.base.clock import Clock, SystemClock
from ingot.base.errors import NetworkError
from ingot.base.limits import CLOCK_SKEW_S, XML_BODY_BYTES_MAX
from ingot.s3.checksums import ALGORITHMS, SDK_ALGORITHM_HEADER, encode
from ingot.s3.chunked import ChunkedEncoding, ChunkSigner
from ingot.s3.dates import NS_PER_S, parse_http_date
from ingot.s3.documents import error as error_document
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.errors import ERRORS, S3Error
from ingot.s3.sigv4 import (
    UNSIGNED_PAYLOAD,
    Credentials,
    Query,
    SignedRequest,
    canonical_query,
    presign_query,
    sign_headers,
    signing_key,
)
from ingot.s3client.body import Body, BytesBody
from ingot.s3client.endpoint import Addressing, Endpoint, Location
from ingot.s3client.errors import ServiceError, bodiless_document, service_error
from ingot.transport.pool import Request, Response, Transport

# Widely known, hardware-fast, and it can be joined from the checksums of parts.
UPLOAD_CHECKSUM = "CRC32C"

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Call:
    """One request in S3's terms; the caller makes the HTTP of it.

    Attributes:
        method: the HTTP method.
        bucket: empty for the service itself.
        key: empty for the bucket itself.
        query: decoded parameters.
        headers: by lower-case name, without those that signing and framing add.
        body: what to send.
        path: of a request that is about neither; empty for S3's own.
        about: the bucket that such a request is about nevertheless.
        checksummed: whether the operation takes a checksum of its body. For some the header means
            something else: CompleteMultipartUpload reads it as that of the object.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = field(default_factory=lambda: BytesBody(b""))
    path: str = ""
    about: str = ""
    checksummed: bool = False

    @property
    def subject(self) -> str:
        """What messages call it."""
        if self.key:
            return f"{self.bucket}/{self.key}"
        return self.bucket or self.about or "the service"


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
        self._region = region
        self._addressing: Addressing = addressing
        self._clock = clock or SystemClock()
        self._headers = {"accept-encoding": "identity", **(headers or {})}
        self._lock = threading.Lock()
        self._regions: dict[str, str] = {}
        self._skew_ns = 0

    def send(self, call: Call) -> Response:
        """Send a request; the caller closes the answer, whose status is below 300.

        Raises:
            ServiceError: the service refused.
            NetworkError: no answer came.
        """
        response = self._transport.send(self._request(call))
        if response.status < 300:
            return response
        error = _failure(call, response)
        if not self._learned(call, error, response):
            raise error
        response = self._transport.send(self._request(call))
        if response.status < 300:
            return response
        raise _failure(call, response)

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
        """Send a request and read the document of its answer.

        Raises:
            ServiceError: the service refused, perhaps only after it sent status 200.
            NetworkError: no answer came, or none that can be read.
        """
        with self.send(call) as response:
            return self.document(call, response, parse)

    def document(
        self, call: Call, response: Response, parse: Callable[[bytes], _Parsed]
    ) -> _Parsed:
        """Read the document of an answer that `send` returned.

        Raises:
            ServiceError: the service refused after it sent status 200.
            NetworkError: it cannot be read.
        """
        # Services keep slow answers alive with white space in front.
        data = response.read(XML_BODY_BYTES_MAX).lstrip()
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
        """
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
                region=self._region_of(call.bucket),
                expires_s=expires_s,
                now_ns=self._now_ns(),
            )
        url = f"{self.endpoint.scheme}://{place.host_header}{place.path}"
        return f"{url}?{encoded}" if encoded else url

    def _request(self, call: Call) -> Request:
        place = self._locate(call)
        headers = {"host": place.host_header, **self._headers, **call.headers}
        if self._dress is not None:
            headers |= self._dress(call)
        encoded = canonical_query(call.query)
        target = f"{place.path}?{encoded}" if encoded else place.path
        body: bytes | Callable[[], Iterator[bytes]]
        if isinstance(call.body, BytesBody):
            headers, body = self._whole(call, place, headers, call.body.data)
        elif self._credentials is None:
            headers["content-length"] = str(call.body.size_bytes)
            body = call.body.blocks
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
        headers["x-amz-trailer"] = self.algorithm.header
        headers[SDK_ALGORITHM_HEADER] = self.algorithm.name
        signed = self._signed(call, place, headers, encoding.payload_hash)

        def body() -> Iterator[bytes]:
            signer = self._chunk_signer(signed) if encoding.signed else None
            return encoding.encode(call.body.blocks(), signer)

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
            region=self._region_of(call.bucket),
            now_ns=self._now_ns(),
        )

    def _locate(self, call: Call) -> Location:
        place = self.endpoint.locate(self._addressing, call.bucket, call.key)
        return place._replace(path=call.path) if call.path else place

    def _region_of(self, bucket: str) -> str:
        return self._regions.get(bucket, self._region)

    def _now_ns(self) -> int:
        return self._clock.now_ns() + self._skew_ns

    def _learned(self, call: Call, error: ServiceError, response: Response) -> bool:
        """Take a hint from a refusal: another region or time of day; then try once more."""
        if error.code == "RequestTimeTooSkewed":
            server_s = parse_http_date(response.headers.get("date", ""))
            if server_s is None:
                return False
            with self._lock:
                self._skew_ns = server_s * NS_PER_S - self._clock.now_ns()
            return abs(self._skew_ns) > CLOCK_SKEW_S * NS_PER_S
        region = response.headers.get("x-amz-bucket-region") or error.fields.get("Region", "")
        if not region or region == self._region_of(call.bucket) or error.status not in {301, 400}:
            return False
        with self._lock:
            self._regions[call.bucket] = region
        return True


def _failure(call: Call, response: Response) -> ServiceError:
    with response:
        data = b"" if call.method == "HEAD" else response.read(XML_BODY_BYTES_MAX)
    return _refusal(call, data, response.status, response.headers)


def _refusal(call: Call, data: bytes, status: int, headers: Mapping[str, str]) -> ServiceError:
    if call.path and status < 500 and not data.startswith(b"{"):
        unknown = "the service does not offer this beside S3"
        return service_error(ErrorDocument("NotImplemented", unknown), status, call.subject)
    try:
        document = error_document.parse(data.lstrip())
    except S3Error:
        # A HEAD has no body; a proxy in between answers with a page of its own.
        document = bodiless_document(status, has_key=bool(call.key))._replace(
            request_id=headers.get("x-amz-request-id", "")
        )
    return service_error(document, status, call.subject)
