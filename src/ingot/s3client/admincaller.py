"""Requests of MinIO's admin API: JSON there and back, sealed where it carries secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ingot.base.errors import NetworkError, UsageError
from ingot.base.units import MIB
from ingot.s3.sigv4 import Query
from ingot.s3client.body import BytesBody
from ingot.s3client.call import Call
from ingot.s3client.caller import Caller

if TYPE_CHECKING:
    from ingot.base.secret import Secret

_PREFIX: Final = "/minio/admin/v3/"
_ANSWER_BYTES_MAX: Final = 16 * MIB

_Kind = TypeVar("_Kind")


def admin_call(
    method: str, operation: str, about: str = "", *, query: Query = (), data: bytes = b""
) -> Call:
    """Return the request of an admin operation.

    Args:
        method: of HTTP.
        operation: what stands behind the version in its path.
        about: what messages call it.
        query: decoded parameters.
        data: the body.
    """
    # MinIO takes a POST that names no type for a browser's form.
    headers = {"content-type": "application/octet-stream"} if data else {}
    return Call(
        method,
        query=query,
        headers=headers,
        body=BytesBody(data),
        path=_PREFIX + operation,
        about=about,
    )


class AdminCaller(Caller):
    """Sends requests of the admin API; the operations stand on this.

    JSON is read and written by a library, and bodies are sealed by two, that are imported here when
    they are needed: they take longer to import than most commands take otherwise.
    """

    def _told(self, call: Call, kind: type[_Kind], *, sealed: bool = False) -> _Kind:
        """Send a request and read the JSON of its answer.

        Args:
            call: the request.
            kind: what the JSON is.
            sealed: whether the answer is sealed with our secret key.

        Raises:
            ServiceError: the service refused.
            NetworkError: no answer came, or none that can be read.
            UsageError: it is sealed, and there are no keys.
        """
        import msgspec

        secret = self._own_secret() if sealed else None
        with self.send(call) as response:
            data = response.read(_ANSWER_BYTES_MAX)
        try:
            if secret is not None:
                from ingot.s3.sealed import unseal

                data = unseal(secret, data)
            return msgspec.json.decode(data, type=kind)
        except ValueError as error:
            reason = str(error) or "it is not sealed with these keys"
            raise NetworkError(
                f"{call.subject}: the answer of {self.endpoint.url} cannot be read ({reason})",
                hint="check that the endpoint offers MinIO's admin API",
            ) from error

    def _sealed(self, document: dict[str, Any]) -> bytes:
        """Return a body that only the service can read, and only with our secret key.

        Raises:
            UsageError: there are no keys.
        """
        import msgspec

        from ingot.s3.sealed import SEED_BYTES, seal

        return seal(self._own_secret(), msgspec.json.encode(document), os.urandom(SEED_BYTES))

    def _own_secret(self) -> Secret:
        if self._credentials is None:
            raise UsageError(
                "administration needs keys, and there are none",
                hint="give the alias an administrator's keys: 'ingot alias set'",
            )
        return self._credentials.secret_key
