"""The table of admin operations: which request is which, and what it asks permission for.

A row has one handler function of the same snake_case name in its family's file; a tidy test pairs
them. Everything else under the prefix is answered 501 NotImplemented.
"""

from __future__ import annotations

from typing import Final

from ingot.s3.errors import S3Error
from ingot.s3.operations import Operation

PREFIX: Final = b"/minio/admin/"
_VERSION: Final = "v3/"


def _row(name: str, action: str, family: str) -> Operation:
    return Operation(name, "", "service", frozenset(), None, f"admin:{action}", family)


# By method and what is behind `/minio/admin/v3/`.
OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("PUT", "set-bucket-quota"): _row("AdminSetBucketQuota", "SetBucketQuota", "quota"),
    ("GET", "get-bucket-quota"): _row("AdminGetBucketQuota", "GetBucketQuota", "quota"),
    ("GET", "info"): _row("AdminServerInfo", "ServerInfo", "info"),
    ("GET", "datausageinfo"): _row("AdminDataUsageInfo", "DataUsageInfo", "info"),
    ("GET", "accountinfo"): _row("AdminAccountInfo", "AccountInfo", "info"),
}


def match(method: str, raw_path: bytes) -> Operation:
    """Return the operation that a request is for.

    Raises:
        S3Error: `NotImplemented`.
    """
    path = raw_path[len(PREFIX) :].decode("latin-1")
    operation = OPERATIONS.get((method, path.removeprefix(_VERSION)))
    if operation is None or not path.startswith(_VERSION):
        raise S3Error("NotImplemented", f"The admin operation {method} {path} is not implemented.")
    return operation
