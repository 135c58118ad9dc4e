"""What is set for a bucket, as far as its service has it and these keys may see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingot.client.publicaccess import access, parse_policy
from ingot.s3client.client import S3Client
from ingot.s3client.errors import (
    ServiceDeniedError,
    ServiceNotFoundError,
    ServiceUnsupportedError,
)


def bucket_facts(client: S3Client, bucket: str) -> dict[str, Any]:
    """Return what is set, by mc's names where it has them; what is not, or not told, is left out.

    Raises:
        ServiceError: the service failed.
        NetworkError: it went away, or cannot be understood.
    """
    questions: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("location", lambda: client.get_bucket_location(bucket)),
        ("Versioning", lambda: _set("status", client.get_bucket_versioning(bucket))),
        ("ObjectLock", lambda: _lock(client, bucket)),
        ("Encryption", lambda: _set("algorithm", client.get_bucket_encryption(bucket).algorithm)),
        ("Policy", lambda: _set("type", _access(client, bucket))),
        ("ilmRules", lambda: len(client.get_bucket_lifecycle_configuration(bucket))),
        ("corsRules", lambda: len(client.get_bucket_cors(bucket))),
        (
            "notifications",
            lambda: len(client.get_bucket_notification_configuration(bucket).hooks),
        ),
        ("replicationRules", lambda: len(client.get_bucket_replication(bucket).rules)),
        ("tagset", lambda: client.get_bucket_tagging(bucket)),
    )
    facts: dict[str, Any] = {}
    for name, ask in questions:
        try:
            answer = ask()
        except (ServiceNotFoundError, ServiceUnsupportedError, ServiceDeniedError):
            continue
        if answer:
            facts[name] = answer
    return facts


def _set(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}


def _access(client: S3Client, bucket: str) -> str:
    return access(parse_policy(client.get_bucket_policy(bucket)), bucket, "")


def _lock(client: S3Client, bucket: str) -> dict[str, str]:
    found = client.get_object_lock_configuration(bucket)
    if not found.enabled:
        return {}
    default = found.default
    if default is None:
        return {"enabled": "Enabled"}
    validity = f"{default.days}DAYS" if default.days is not None else f"{default.years}YEARS"
    return {"enabled": "Enabled", "mode": default.mode, "validity": validity}
