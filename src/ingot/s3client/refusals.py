"""From an answer that refuses to the error that tells it."""

from __future__ import annotations

from collections.abc import Mapping

from ingot.base.errors import NetworkError
from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.s3.documents import error as error_document
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.errors import S3Error
from ingot.s3client.call import Call
from ingot.s3client.errors import ServiceError, bodiless_document, service_error
from ingot.transport.pool import Response

_READING = frozenset({"GET", "HEAD"})
# It is there already, is not there, or is another.
_OF_STATE = frozenset({404, 409, 412})


def failure(call: Call, response: Response) -> ServiceError:
    """Read why a service refused; the status tells it where the document does not arrive."""
    data = b""
    with response:
        if call.method != "HEAD":
            try:
                data = response.read(XML_BODY_BYTES_MAX)
            except NetworkError:
                data = b""
    return _refusal(call, data, response.status, response.headers)


def tell_repeated(call: Call, error: ServiceError) -> None:
    """Note that a refusal may be of what an earlier attempt did, whose answer was lost."""
    error.is_repeated = True
    if call.method not in _READING and error.status in _OF_STATE and error.hint is None:
        error.hint = (
            "an attempt before got no answer, and may have done it: look at what is there now"
        )


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
