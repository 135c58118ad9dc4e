"""What an S3 service refused, as errors a user can act on; each carries the S3 code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from ingot.base.errors import (
    ConflictError,
    DeniedError,
    Error,
    IntegrityError,
    NetworkError,
    NotFoundError,
    UsageError,
)
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.errors import ERRORS

_Answer = TypeVar("_Answer")


class ServiceError(Error):
    """An S3 service answered with an error.

    Attributes:
        code: the S3 code, `NoSuchKey`.
        status: the HTTP status.
        request_id: what the service's log calls the request; empty if it did not say.
        said: the service's own words.
        fields: further elements of the error document.
        is_repeated: whether the request was sent before, the answer to that lost: what the service
            says now may then be what the first attempt did.
    """

    code: str
    status: int
    request_id: str
    said: str
    fields: dict[str, str]
    is_repeated: bool = False

    def cause(self) -> dict[str, Any]:
        """Return the service's own error."""
        named = {"Code": self.code, "Message": self.said, "RequestID": self.request_id}
        return {"message": self.said, "error": {**self.fields, **named}}


class ServiceDeniedError(ServiceError, DeniedError):
    """The credentials are wrong or do not allow it."""


class ServiceNotFoundError(ServiceError, NotFoundError):
    """The bucket, object or upload does not exist."""


class ServiceConflictError(ServiceError, ConflictError):
    """It exists already, is not empty, or is not what a condition asks for."""


class ServiceUnavailableError(ServiceError, NetworkError):
    """The service is overloaded or down, also after the retries."""


class ServiceIntegrityError(ServiceError, IntegrityError):
    """The service received other bytes than were sent."""


class ServiceUsageError(ServiceError, UsageError):
    """The request itself is not one that S3 accepts."""


class ServiceUnsupportedError(ServiceError):
    """The service does not have this operation."""

    slug = "unsupported"


class _Kind(NamedTuple):
    error: type[ServiceError]
    hint: str | None = None


_SEALED_HINT = "an object that was stored with a key of yours needs it: --enc-c"
# What services say of one whose key was not sent along.
_SEALED = "stored using a form of Server Side Encryption"
_KEYS_HINT = "check the access key and the secret key, for example with 'ingot alias set'"
_KINDS: dict[str, _Kind] = {
    "AccessDenied": _Kind(ServiceDeniedError, "the access key's policies must allow it"),
    "AuthorizationHeaderMalformed": _Kind(ServiceDeniedError),
    "BadDigest": _Kind(ServiceIntegrityError, "try again; the bytes changed on the way"),
    "BucketAlreadyExists": _Kind(ServiceConflictError, "choose another name"),
    "BucketAlreadyOwnedByYou": _Kind(ServiceConflictError),
    "BucketNotEmpty": _Kind(
        ServiceConflictError, "remove its objects first, or use 'ingot rb --force'"
    ),
    "ExpiredToken": _Kind(ServiceDeniedError, "get new temporary credentials"),
    "InvalidAccessKeyId": _Kind(ServiceDeniedError, _KEYS_HINT),
    "InvalidBucketName": _Kind(ServiceUsageError),
    "InvalidToken": _Kind(ServiceDeniedError, "get new temporary credentials"),
    "KeyTooLongError": _Kind(ServiceUsageError, "a key has at most 1,024 bytes"),
    "NoSuchBucket": _Kind(ServiceNotFoundError, "make it with 'ingot mb'"),
    "NotImplemented": _Kind(
        ServiceUnsupportedError, "the service does not support this; another service may"
    ),
    "RequestTimeTooSkewed": _Kind(ServiceDeniedError, "set this machine's clock, or the server's"),
    "SignatureDoesNotMatch": _Kind(ServiceDeniedError, _KEYS_HINT),
    "SlowDown": _Kind(ServiceUnavailableError, "try again later, or with fewer at once"),
    "XAmzContentChecksumMismatch": _Kind(ServiceIntegrityError),
    "XAmzContentSHA256Mismatch": _Kind(ServiceIntegrityError),
    "XMinioAdminBucketQuotaExceeded": _Kind(
        ServiceConflictError, "remove objects or versions, or raise the quota: 'ingot quota set'"
    ),
    "MalformedPolicy": _Kind(ServiceUsageError),
    "XMinioMalformedIAMPolicy": _Kind(ServiceUsageError),
    "XMinioAdminGroupNotEmpty": _Kind(ServiceConflictError, "remove its members first"),
    "XMinioAdminInvalidAccessKey": _Kind(ServiceUsageError),
    "XMinioAdminInvalidArgument": _Kind(ServiceUsageError),
    "XMinioAdminInvalidSecretKey": _Kind(ServiceUsageError),
    "XMinioAdminNoSuchGroup": _Kind(ServiceNotFoundError, "see 'ingot admin group list'"),
    "XMinioAdminNoSuchPolicy": _Kind(ServiceNotFoundError, "see 'ingot admin policy list'"),
    "XMinioAdminNoSuchUser": _Kind(ServiceNotFoundError, "see 'ingot admin user list'"),
    "XMinioIAMPolicyInUse": _Kind(
        ServiceConflictError, "see who has it with 'ingot admin policy entities', and detach it"
    ),
    "XMinioInvalidGroupName": _Kind(ServiceUsageError),
}
_STATUSES: dict[int, type[ServiceError]] = {
    401: ServiceDeniedError,
    403: ServiceDeniedError,
    404: ServiceNotFoundError,
    409: ServiceConflictError,
    412: ServiceConflictError,
    429: ServiceUnavailableError,
    501: ServiceUnsupportedError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}
_REDIRECTS = frozenset({301, 302, 307, 308})
# A HEAD has no body, so its status must say what a code would.
_BODILESS_CODES = {
    301: "PermanentRedirect",
    304: "NotModified",
    400: "BadRequest",
    403: "AccessDenied",
    405: "MethodNotAllowed",
    412: "PreconditionFailed",
    416: "InvalidRange",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
# Most HEADs of an object that are refused so lack its key.
_WITHOUT_REASON = ErrorDocument("BadRequest", "The service refuses this and gives no reason")


def bodiless_document(status: int, *, has_key: bool) -> ErrorDocument:
    """Make up the document of an answer that could not have one."""
    if status == 404:
        code = "NoSuchKey" if has_key else "NoSuchBucket"
    else:
        code = _BODILESS_CODES.get(status, "InternalError" if status >= 500 else "BadRequest")
    if status == 400 and has_key:
        return _WITHOUT_REASON
    row = ERRORS.get(code)
    return ErrorDocument(code, row.message if row else f"HTTP status {status}")


def service_error(document: ErrorDocument, status: int, subject: str) -> ServiceError:
    """Turn an error answer into the error to raise.

    Args:
        document: what the service said.
        status: the HTTP status.
        subject: what the request was about, `bucket/key`.
    """
    kind = _KINDS.get(document.code)
    error = kind.error if kind else _STATUSES.get(status, ServiceError)
    said = document.message.strip().rstrip(".") or f"HTTP status {status}"
    hint = kind.hint if kind else None
    if status in _REDIRECTS and (elsewhere := document.fields.get("Endpoint")):
        hint = f"it is at {elsewhere}: give that as the endpoint"
    if _SEALED in document.message or document is _WITHOUT_REASON:
        hint = _SEALED_HINT
    made = error(f"{subject}: {said} ({document.code})", hint=hint)
    made.code = document.code
    made.status = status
    made.request_id = document.request_id
    made.said = document.message
    made.fields = dict(document.fields)
    return made


def unless_absent(ask: Callable[[], _Answer], *codes: str) -> _Answer | None:
    """Return an answer, or None where the service says that there is no such thing.

    Args:
        ask: asks the service.
        codes: how services say so; other things that are missing stay errors.

    Raises:
        ServiceError: the service refused.
    """
    try:
        return ask()
    except ServiceError as error:
        # The code decides: some services say this with status 400.
        if error.code not in codes:
            raise
        return None


@contextmanager
def done_before(*codes: str) -> Iterator[None]:
    """Take a refusal for success that means that the first attempt, its answer lost, did it.

    Args:
        codes: how services say that there is nothing left to do.
    """
    try:
        yield
    except (ServiceConflictError, ServiceNotFoundError) as error:
        if error.code not in codes or not error.is_repeated:
            raise
