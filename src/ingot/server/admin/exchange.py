"""What the operations on identities share: sealed bodies, parameters, names and moments."""

from __future__ import annotations

import os
import re
from typing import Final, TypeVar

import msgspec

from ingot.s3.dates import format_iso8601, parse_iso8601
from ingot.s3.errors import S3Error
from ingot.s3.sealed import BYTES_MAX, SEED_BYTES, UnreadableError, seal, unseal
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, header
from ingot.server.service import Service

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
NAME_LENGTH_MAX: Final = 128
_NAME: Final = re.compile(r"[\w.@+-]{1,128}", re.ASCII)

_Kind = TypeVar("_Kind")


async def read_sealed(request: Request, service: Service, kind: type[_Kind]) -> _Kind:
    """Read a body that was sealed with the secret of who asks.

    Raises:
        S3Error: `XMinioAdminInvalidArgument`, `XMinioMalformedJSON`.
    """
    body = await read_document(request, size_bytes_max=BYTES_MAX)
    try:
        data = await service.store.bodies.run(unseal, request.identity.secret_key, body)
    except UnreadableError as error:
        raise S3Error(
            "XMinioAdminInvalidArgument", "The body is not sealed with your secret key."
        ) from error
    return decode(data, kind)


async def sealed(value: object, request: Request, service: Service) -> Response:
    """Answer something that only who asks can read."""
    data = msgspec.json.encode(value)
    secret, seed = request.identity.secret_key, os.urandom(SEED_BYTES)
    body = await service.store.bodies.run(seal, secret, data, seed)
    kind = (b"content-type", b"application/octet-stream")
    return Response(200, [kind, header("content-length", str(len(body)))], body)


def decode(data: bytes, kind: type[_Kind]) -> _Kind:
    """Read JSON of a known shape.

    Raises:
        S3Error: `XMinioMalformedJSON`.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise S3Error(
            "XMinioMalformedJSON", f"The JSON you provided is malformed: {error}"
        ) from error


def parameter(request: Request, name: str) -> str:
    """Return a parameter that must be there.

    Raises:
        S3Error: `InvalidArgument`.
    """
    value = request.parameters.get(name, "")
    if not value:
        raise S3Error("InvalidArgument", f"The query lacks {name}.", ArgumentName=name)
    return value


def parameters(request: Request, name: str) -> list[str]:
    """Return all values of a parameter."""
    return [value for given, value in request.query if given == name and value]


def check_name(name: str, code: str = "XMinioAdminInvalidArgument") -> str:
    """Return the name of a user, group or policy if it may be one.

    Raises:
        S3Error: with the code.
    """
    if not _NAME.fullmatch(name):
        raise S3Error(
            code, f"Names have 1 to {NAME_LENGTH_MAX} letters, digits and characters of . _ - @ +"
        )
    return name


def status_of(enabled: bool) -> str:
    """Return the word for whether somebody may sign."""
    return ENABLED if enabled else DISABLED


def parse_status(text: str) -> bool:
    """Return whether somebody may sign; nothing said is yes.

    Raises:
        S3Error: `XMinioAdminInvalidArgument`.
    """
    if text not in {ENABLED, DISABLED, ""}:
        raise S3Error("XMinioAdminInvalidArgument", f"The status {text!r} is not known.")
    return text != DISABLED


def parse_expiration(text: str | None, now_ns: int) -> int:
    """Return when something ends; 0 for never.

    Raises:
        S3Error: `XMinioAdminInvalidArgument`: it is no time, or past.
    """
    if not text:
        return 0
    try:
        expires_ns = parse_iso8601(text)
    except ValueError as error:
        raise S3Error("XMinioAdminInvalidArgument", f"{text!r} is no time.") from error
    if expires_ns <= 0:
        return 0  # how some clients write no time at all
    if expires_ns <= now_ns:
        raise S3Error("XMinioAdminInvalidArgument", "The expiration must be in the future.")
    return expires_ns


def format_moment(time_ns: int) -> str | None:
    """Write a time; `None` for none."""
    return format_iso8601(time_ns) if time_ns else None
