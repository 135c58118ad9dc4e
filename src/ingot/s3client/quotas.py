"""The documents of quotas in MinIO's admin API."""

from __future__ import annotations

from typing import Final

import msgspec

_HARD: Final = "hard"


class BucketQuota(msgspec.Struct, frozen=True):
    """How much a bucket may hold, as services write it.

    Attributes:
        quota: bytes; 0 for no limit.
        size: what newer services call it.
        quotatype: `hard` where there is one.
    """

    quota: int = 0
    size: int = 0
    quotatype: str = ""

    @property
    def limit_bytes(self) -> int:
        """How much it may hold; 0 for no limit."""
        return self.size or self.quota


def render(limit_bytes: int) -> bytes:
    """Write how much a bucket may hold; 0 for as much as there is room for."""
    quota = {"quota": limit_bytes, "quotatype": _HARD} if limit_bytes else {"quota": 0}
    return msgspec.json.encode(quota)
