"""Opens one S3 client and one transfer engine for each alias, over one pool of connections."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from ingot.base.retry import Backoff
from ingot.client.aliases import Alias
from ingot.client.tracing import make_transport
from ingot.client.wire import current
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Addressing, Endpoint
from ingot.s3client.listen import LISTEN_SILENCE_S
from ingot.transport.pool import Transport

# Many commands transfer nothing, and its threads take 5 ms to import.
if TYPE_CHECKING:
    from ingot.s3client.transfer import Transfers


class Connections:
    """What a command talks through; a context manager, safe to share between threads.

    Args:
        transport: sends the requests; one as `wire` has it unless given.
    """

    def __init__(self, transport: Transport | None = None) -> None:
        chosen = current()
        self._transport = transport or make_transport(chosen.options)
        # A stream of events that falls silent is no stream; who listens asks again by itself.
        self._listening = make_transport(
            replace(chosen.options, read_timeout_s=LISTEN_SILENCE_S, backoff=Backoff(attempts=1))
        )
        self._headers = chosen.headers
        self._encryption = chosen.encryption
        self._checksum = chosen.checksum
        self._split_from_bytes = chosen.split_from_bytes
        self._clients: dict[tuple[Alias, bool], S3Client] = {}
        self._transfers: dict[Alias, Transfers] = {}
        self._lock = threading.Lock()

    def client(self, alias: Alias) -> S3Client:
        """Return the alias's client.

        Raises:
            UsageError: its URL is no endpoint.
        """
        return self._client(alias, listens=False)

    def listener(self, alias: Alias) -> S3Client:
        """Return a client of the alias for streams of events: it waits only as long as they may be.

        Raises:
            UsageError: its URL is no endpoint.
        """
        return self._client(alias, listens=True)

    def _client(self, alias: Alias, *, listens: bool) -> S3Client:
        with self._lock:
            if (alias, listens) not in self._clients:
                endpoint = Endpoint.parse(alias.url)
                is_secure = endpoint.scheme == "https"
                self._clients[alias, listens] = S3Client(
                    endpoint,
                    _credentials(alias),
                    transport=self._listening if listens else self._transport,
                    region=alias.region,
                    addressing=cast("Addressing", alias.addressing),
                    headers=self._headers,
                    dress=self._encryption.dress(alias.name, is_secure=is_secure),
                    checksum=self._checksum,
                )
            return self._clients[alias, listens]

    def transfers(self, alias: Alias) -> Transfers:
        """Return the engine that writes to and reads from the alias."""
        # Asked for every file.
        if (known := self._transfers.get(alias)) is not None:
            return known
        from ingot.s3client.parts import TransferOptions
        from ingot.s3client.transfer import Transfers

        client = self.client(alias)
        with self._lock:
            if alias not in self._transfers:
                options = TransferOptions()
                if self._split_from_bytes is not None:
                    options = replace(options, split_from_bytes=self._split_from_bytes)
                self._transfers[alias] = Transfers(client, options)
            return self._transfers[alias]

    def close(self) -> None:
        """End the engines' threads and close the connections."""
        for transfers in self._transfers.values():
            transfers.close()
        self._transport.close()
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _credentials(alias: Alias) -> Credentials | None:
    if not alias.access_key:
        return None
    token = alias.session_token.reveal() if alias.session_token else None
    return Credentials(alias.access_key, alias.secret_key, token)
