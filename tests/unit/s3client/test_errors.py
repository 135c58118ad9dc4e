"""S3 codes become errors with the exit codes and hints of the command line."""

from __future__ import annotations

import pytest

from ingot.s3.documents.error import ErrorDocument
from ingot.s3.errors import ERRORS
from ingot.s3client.errors import bodiless_document, service_error


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("AccessDenied", 403, 4),
        ("SignatureDoesNotMatch", 403, 4),
        ("AuthorizationHeaderMalformed", 400, 4),
        ("ExpiredToken", 400, 4),
        ("NoSuchBucket", 404, 5),
        ("NoSuchKey", 404, 5),
        ("NoSuchUpload", 404, 5),
        ("BucketAlreadyOwnedByYou", 409, 6),
        ("BucketNotEmpty", 409, 6),
        ("PreconditionFailed", 412, 6),
        ("SlowDown", 503, 7),
        ("ServiceUnavailable", 503, 7),
        ("BadDigest", 400, 1),
        ("InvalidBucketName", 400, 2),
        ("InternalError", 500, 1),
        ("SomethingOfAnotherVendor", 418, 1),
        ("SomethingOfAnotherVendor", 404, 5),
    ],
)
def test_codes(code: str, status: int, exit_code: int) -> None:
    document = ErrorDocument(code, "It failed.", "/b/k", "request-1", {"Key": "k"})
    error = service_error(document, status, "b/k")
    assert error.exit_code == exit_code
    assert error.message == f"b/k: It failed ({code})"
    assert (error.code, error.status, error.request_id) == (code, status, "request-1")
    assert error.fields == {"Key": "k"}


@pytest.mark.parametrize(
    ("status", "has_key", "code"),
    [
        (404, True, "NoSuchKey"),
        (404, False, "NoSuchBucket"),
        (403, True, "AccessDenied"),
        (412, True, "PreconditionFailed"),
        (500, True, "InternalError"),
        (418, True, "BadRequest"),
    ],
)
def test_answers_without_a_body(status: int, has_key: bool, code: str) -> None:
    document = bodiless_document(status, has_key=has_key)
    assert (document.code, document.message) == (code, ERRORS[code].message)


def test_answers_of_codes_that_only_clients_meet() -> None:
    assert bodiless_document(301, has_key=False).message == "HTTP status 301"


@pytest.mark.parametrize(
    "document",
    [
        bodiless_document(400, has_key=True),
        ErrorDocument(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters"
            " must be provided to retrieve the object.",
        ),
    ],
)
def test_an_object_that_needs_a_key_is_told_how_to_give_it(document: ErrorDocument) -> None:
    assert "--enc-c" in (service_error(document, 400, "b/k").hint or "")
    assert service_error(bodiless_document(400, has_key=False), 400, "b").hint is None
