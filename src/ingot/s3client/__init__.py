"""A small S3 client: one method per operation, and the multipart transfer engine.

    from ingot.s3client import Transfers, connect

`connect` yields an `S3Client`, whose methods are named as the S3 operations; `Transfers` moves
files and whole objects. The names in `__all__` are public: they change by deprecation only. They
are imported when they are first used, so that a program pays for what it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingot.base.retry import Backoff
    from ingot.base.secret import Secret
    from ingot.s3.ranges import ByteRange
    from ingot.s3.sigv4 import Credentials
    from ingot.s3client.body import SourceChangedError
    from ingot.s3client.client import S3Client
    from ingot.s3client.connecting import connect
    from ingot.s3client.endpoint import Endpoint
    from ingot.s3client.errors import (
        ServiceConflictError,
        ServiceDeniedError,
        ServiceError,
        ServiceIntegrityError,
        ServiceNotFoundError,
        ServiceUnavailableError,
        ServiceUnsupportedError,
        ServiceUsageError,
    )
    from ingot.s3client.listen import BucketEvent
    from ingot.s3client.parts import TransferOptions
    from ingot.s3client.results import (
        Attributes,
        CopySource,
        ObjectInfo,
        ObjectStream,
        PartResult,
        PutResult,
        WriteConditions,
    )
    from ingot.s3client.transfer import Transfers
    from ingot.transport.options import TlsOptions, TransportOptions
    from ingot.transport.pool import Transport

__all__ = [
    "Attributes",
    "Backoff",
    "BucketEvent",
    "ByteRange",
    "CopySource",
    "Credentials",
    "Endpoint",
    "ObjectInfo",
    "ObjectStream",
    "PartResult",
    "PutResult",
    "S3Client",
    "Secret",
    "ServiceConflictError",
    "ServiceDeniedError",
    "ServiceError",
    "ServiceIntegrityError",
    "ServiceNotFoundError",
    "ServiceUnavailableError",
    "ServiceUnsupportedError",
    "ServiceUsageError",
    "SourceChangedError",
    "TlsOptions",
    "TransferOptions",
    "Transfers",
    "Transport",
    "TransportOptions",
    "WriteConditions",
    "connect",
]

_HOMES = {
    "ingot.base.retry": ("Backoff",),
    "ingot.base.secret": ("Secret",),
    "ingot.s3.ranges": ("ByteRange",),
    "ingot.s3.sigv4": ("Credentials",),
    "ingot.s3client.body": ("SourceChangedError",),
    "ingot.s3client.client": ("S3Client",),
    "ingot.s3client.connecting": ("connect",),
    "ingot.s3client.endpoint": ("Endpoint",),
    "ingot.s3client.errors": tuple(
        name for name in __all__ if name.startswith("Service") and name.endswith("Error")
    ),
    "ingot.s3client.listen": ("BucketEvent",),
    "ingot.s3client.parts": ("TransferOptions",),
    "ingot.s3client.results": (
        *("Attributes", "CopySource", "ObjectInfo", "ObjectStream", "PartResult", "PutResult"),
        "WriteConditions",
    ),
    "ingot.s3client.transfer": ("Transfers",),
    "ingot.transport.options": ("TlsOptions", "TransportOptions"),
    "ingot.transport.pool": ("Transport",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
