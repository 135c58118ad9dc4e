"""Whether an endpoint answers as S3 and accepts a pair of keys."""

from __future__ import annotations

from ingot.client.aliases import Alias
from ingot.client.connections import Connections
from ingot.s3client.errors import ServiceDeniedError


def verify(alias: Alias) -> None:
    """Ask the endpoint one signed question.

    Keys that are right but may not list buckets are right.

    Raises:
        DeniedError: the keys are wrong.
        NetworkError: the endpoint does not answer, or not as S3 does.
    """
    with Connections() as connections:
        try:
            connections.client(alias).list_buckets()
        except ServiceDeniedError as error:
            if error.code != "AccessDenied":
                raise
