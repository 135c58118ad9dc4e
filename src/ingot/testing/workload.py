"""Concurrent clients that do all that clients do, and note each of it in a ledger."""

from __future__ import annotations

import random
import threading

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.base.secret import Secret
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceError
from ingot.testing.deeds import Client, Keeps
from ingot.testing.ledger import Ledger
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Transport


def client_of(url: str, access_key: str, secret_key: str) -> tuple[S3Client, Transport]:
    """Return a client that sends every request once; close its transport after."""
    # Over a connection of its own: on a kept one, a request is sent again when the connection
    # turns out to be closed, and a dying server may have done it already.
    options = TransportOptions(backoff=Backoff(attempts=1), connections_max=0, environment={})
    transport = Transport(options)
    credentials = Credentials(access_key, Secret(secret_key))
    return S3Client(Endpoint.parse(url), credentials, transport=transport), transport


class Workload:
    """Clients of one server, each with names of its own, until the server is gone.

    Args:
        client: shared by all of them.
        bucket: where the objects are.
        ledger: notes what was wanted and acknowledged.
        seed: decides what each client does.
        count: how many clients there are.
        keeps: what the bucket keeps.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        ledger: Ledger,
        *,
        seed: int,
        count: int,
        keeps: Keeps = Keeps.OBJECTS,
    ) -> None:
        self._stopping = threading.Event()
        self.faults: list[Exception] = []
        self._threads = []
        for index in range(count):
            rng = random.Random(seed + index)  # noqa: S311 # no secret: a seed must reproduce it
            one = Client(client, bucket, ledger, rng, index=index, count=count, keeps=keeps)
            self._threads.append(threading.Thread(target=self._work, args=(one,)))

    def start(self) -> None:
        """Let the clients begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until every client has ended.

        Raises:
            Exception: what a client met that is no sign of a dying server.
        """
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def _work(self, client: Client) -> None:
        try:
            while not self._stopping.is_set():
                client.act()
        except NetworkError:
            pass  # the server is gone, or says that it cannot: the operation stays unanswered
        except ServiceError as error:
            if error.status < 500:
                self.faults.append(error)
        except Exception as error:  # noqa: BLE001 # whatever it is, the test has to see it
            self.faults.append(error)
