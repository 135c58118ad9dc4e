"""Clients that write, overwrite, copy, delete and upload in parts, and note each in a ledger."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from ingot.base.errors import NetworkError
from ingot.base.limits import INLINE_BYTES_MAX
from ingot.base.retry import Backoff
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceError
from ingot.s3client.results import WriteConditions
from ingot.testing.ledger import Ledger, digest
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Transport

KEYS_PER_CLIENT = 4
# Both sides of the border between the catalog and blobs, several frames, and nothing at all.
SIZES_BYTES = (0, 10, 4096, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 100_000, 2 * MIB + 1)
_PART_BYTES = 5 * MIB


def client_of(url: str, access_key: str, secret_key: str) -> tuple[S3Client, Transport]:
    """Return a client that sends every request once; close its transport after."""
    transport = Transport(TransportOptions(backoff=Backoff(attempts=1), environment={}))
    credentials = Credentials(access_key, Secret(secret_key))
    return S3Client(Endpoint.parse(url), credentials, transport=transport), transport


def read_everything(client: S3Client, bucket: str) -> dict[str, str]:
    """Return the digest of every object's body, read whole."""
    found = {}
    for entry in client.iterate_objects(bucket):
        with client.get_object(bucket, entry.key) as stream:
            found[entry.key] = digest(b"".join(stream))
    return found


class Workload:
    """Concurrent clients of one server, each with keys of its own, until the server is gone.

    Args:
        client: shared by all of them.
        bucket: where the objects are.
        ledger: notes what was wanted and acknowledged.
        seed: decides what each client does.
        count: how many clients there are.
    """

    def __init__(
        self, client: S3Client, bucket: str, ledger: Ledger, *, seed: int, count: int
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._ledger = ledger
        self._stopping = threading.Event()
        self.faults: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._work, args=(index, random.Random(seed + index)))  # noqa: S311 # no secret: a seed must reproduce it
            for index in range(count)
        ]

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

    def _work(self, index: int, rng: random.Random) -> None:
        steps: list[Callable[[str, random.Random], None]] = [
            *(self._put, self._copy, self._delete, self._upload, self._refused)
        ]
        weights = (52, 15, 20, 8, 5)
        try:
            while not self._stopping.is_set():
                key = f"{index}/{rng.randrange(KEYS_PER_CLIENT)}"
                step = rng.choices(steps, weights=weights)[0]
                step(key, rng)
        except NetworkError:
            pass  # the server is gone, or says that it cannot: the operation stays unanswered
        except ServiceError as error:
            if error.status < 500:
                self.faults.append(error)
        except Exception as error:  # noqa: BLE001 # whatever it is, the test has to see it
            self.faults.append(error)

    def _put(self, key: str, rng: random.Random) -> None:
        content = rng.randbytes(rng.choice(SIZES_BYTES))
        self._ledger.begin(key, digest(content))
        self._client.put_object(self._bucket, key, content)
        self._ledger.acknowledge(key)

    def _refused(self, key: str, rng: random.Random) -> None:
        """Put what is refused when its body has arrived: nothing of it may stay."""
        content = rng.randbytes(rng.choice(SIZES_BYTES[-2:]))
        try:
            self._client.put_object(
                self._bucket, key, content, conditions=WriteConditions(if_match="other")
            )
        except ServiceError as error:
            if error.code not in {"PreconditionFailed", "NoSuchKey"}:
                raise

    def _delete(self, key: str, rng: random.Random) -> None:
        self._ledger.begin(key, None, "delete")
        self._client.delete_object(self._bucket, key)
        self._ledger.acknowledge(key)

    def _copy(self, key: str, rng: random.Random) -> None:
        held = self._ledger.held(key.partition("/")[0] + "/")
        held.pop(key, None)
        if held:
            source, content = rng.choice(sorted(held.items()))
            self._ledger.begin(key, content, "copy")
            self._client.copy_object(self._bucket, source, self._bucket, key)
            self._ledger.acknowledge(key)

    def _upload(self, key: str, rng: random.Random) -> None:
        content = rng.randbytes(_PART_BYTES + rng.choice(SIZES_BYTES[1:]))
        started = self._client.create_multipart_upload(self._bucket, key)
        parts = [
            self._client.upload_part(self._bucket, key, started.upload_id, number, part)
            for number, part in enumerate((content[:_PART_BYTES], content[_PART_BYTES:]), 1)
        ]
        self._ledger.begin(key, digest(content), "complete")
        self._client.complete_multipart_upload(self._bucket, key, started.upload_id, parts)
        self._ledger.acknowledge(key)
