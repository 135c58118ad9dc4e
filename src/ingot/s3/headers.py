"""Headers that travel with an object: content headers, user metadata, and what a GET overrides.

Source: Amazon S3 user guide, "Working with object metadata".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ingot.base.limits import PARTS_MAX, USER_METADATA_BYTES_MAX
from ingot.s3.errors import S3Error

METADATA_PREFIX = "x-amz-meta-"
HEADER_BYTES_MAX = 8 * 1024
DEFAULT_CONTENT_TYPE = "binary/octet-stream"
STORAGE_CLASS_HEADER = "x-amz-storage-class"
STANDARD = "STANDARD"
# Those whose objects can be read at once; all are stored the same way.
STORAGE_CLASSES = frozenset(
    {
        STANDARD,
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
    }
)
VERSION_ID_HEADER = "x-amz-version-id"
DELETE_MARKER_HEADER = "x-amz-delete-marker"

CONTENT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
# Query parameters of a GET that replace a header of its answer.
RESPONSE_OVERRIDES: Mapping[str, str] = {f"response-{name}": name for name in CONTENT_HEADERS}

_AWS_CHUNKED = "aws-chunked"


def parse_user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Take the `x-amz-meta-…` headers of a request, by their lower-case names without the prefix.

    Raises:
        S3Error: `MetadataTooLarge` over 2 KiB of names and values, `InvalidArgument` for control
            characters.
    """
    metadata = {
        name.removeprefix(METADATA_PREFIX): _checked(name, value)
        for name, value in headers.items()
        if name.startswith(METADATA_PREFIX)
    }
    size_bytes = sum(len(name) + len(value) for name, value in metadata.items())
    if size_bytes > USER_METADATA_BYTES_MAX:
        raise S3Error(
            "MetadataTooLarge",
            Size=str(size_bytes),
            MaxSizeAllowed=str(USER_METADATA_BYTES_MAX),
        )
    return metadata


def parse_content_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Take the headers of a request that its object keeps and every GET answers.

    `aws-chunked` is dropped from Content-Encoding: it describes the request, not the object.

    Raises:
        S3Error: `InvalidArgument` for control characters or a header over 8 KiB.
    """
    kept = {name: _checked(name, headers[name]) for name in CONTENT_HEADERS if name in headers}
    if _AWS_CHUNKED in kept.get("content-encoding", ""):
        codings = [part.strip() for part in kept["content-encoding"].split(",")]
        rest = ",".join(part for part in codings if part and part != _AWS_CHUNKED)
        if rest:
            kept["content-encoding"] = rest
        else:
            del kept["content-encoding"]
    return kept


def parse_overrides(query: Mapping[str, str]) -> dict[str, str]:
    """Take the `response-…` parameters of a GET as the headers they set.

    Raises:
        S3Error: `InvalidArgument` for control characters or a value over 8 KiB.
    """
    return {
        RESPONSE_OVERRIDES[name]: _checked(name, value)
        for name, value in query.items()
        if name in RESPONSE_OVERRIDES
    }


def parse_storage_class(headers: Mapping[str, str]) -> str:
    """Return the storage class that a write asks for.

    Raises:
        S3Error: `InvalidStorageClass` for one that does not exist or cannot be read at once.
    """
    wanted = headers.get(STORAGE_CLASS_HEADER, STANDARD)
    if wanted not in STORAGE_CLASSES:
        raise S3Error("InvalidStorageClass", StorageClassRequested=wanted)
    return wanted


def format_user_metadata(metadata: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Write an object's metadata as headers."""
    return ((f"{METADATA_PREFIX}{name}", value) for name, value in metadata.items())


def parse_part_number(text: str) -> int:
    """Read a part number.

    Raises:
        S3Error: `InvalidArgument` unless it is from 1 to 10,000.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(PARTS_MAX)):
        number = int(text)
        if 1 <= number <= PARTS_MAX:
            return number
    raise S3Error(
        "InvalidArgument",
        f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive",
        ArgumentName="partNumber",
        ArgumentValue=text,
    )


def parse_count(name: str, text: str | None, *, limit: int) -> int:
    """Read a page size (`max-keys`), which Amazon cuts to its limit silently.

    Raises:
        S3Error: `InvalidArgument` unless it is a number from 0 to 2,147,483,647.
    """
    if text is None or not text:
        return limit
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 1 << 31:
        return min(int(text), limit)
    raise S3Error(
        "InvalidArgument",
        f"Provided {name} not an integer or within integer range",
        ArgumentName=name,
        ArgumentValue=text,
    )


def _checked(name: str, value: str) -> str:
    if len(value) > HEADER_BYTES_MAX or any(
        (char < " " and char != "\t") or char == "\x7f" for char in value
    ):
        raise S3Error(
            "InvalidArgument",
            "Header values must be free of control characters and at most"
            f" {HEADER_BYTES_MAX} bytes long.",
            ArgumentName=name,
        )
    return value
