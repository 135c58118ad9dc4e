"""Clients of two workers contend for one key; one order of their operations explains it all."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from ingot.s3client.errors import ServiceError
from ingot.s3client.results import WriteConditions
from ingot.testing.histories import History, linearizable
from ingot.testing.ledger import digest
from ingot.testing.workload import client_of

CLIENTS = 6
OPERATIONS = 25
# In the catalog, at its border, in a blob.
SIZES_BYTES = (20, 32_768, 100_000)
REFUSED = {"PreconditionFailed", "NoSuchKey"}


class Contender:
    """One client with a connection, and so perhaps a worker, of its own."""

    def __init__(self, server: Any, bucket: str, history: History, seed: int):
        self.client, self.transport = client_of(
            server.endpoint, server.access_key, server.secret_key
        )
        self.bucket = bucket
        self.history = history
        self.rng = random.Random(seed)
        self.fault: Exception | None = None

    def run(self):
        try:
            for _ in range(OPERATIONS):
                self.rng.choice(
                    [self.put, self.create, self.exchange, self.get, self.delete, self.remove]
                )()
        except Exception as error:  # noqa: BLE001 # raised again by the test's thread
            self.fault = error
        finally:
            self.transport.close()

    def write(self, kind, conditions, expected=None):
        content = self.rng.randbytes(self.rng.choice(SIZES_BYTES))
        value = digest(content)

        def do():
            try:
                self.client.put_object(self.bucket, "key", content, conditions=conditions)
            except ServiceError as error:
                if error.code not in REFUSED:
                    raise
                return "refused", value
            return "done", value

        self.history.record(kind, do, expected=expected)

    def put(self):
        self.write("put", WriteConditions())

    def create(self):
        self.write("put if absent", WriteConditions(if_absent=True))

    def exchange(self):
        found = self.get()
        if found is not None:
            value, etag = found
            self.write("put if match", WriteConditions(if_match=etag), expected=value)

    def get(self):
        found = []

        def do():
            try:
                with self.client.get_object(self.bucket, "key") as stream:
                    found[:] = [digest(b"".join(stream)), stream.info.etag]
            except ServiceError as error:
                if error.code != "NoSuchKey":
                    raise
                return "done", None
            return "done", found[0]

        self.history.record("get", do)
        return tuple(found) or None

    def delete(self):
        def do():
            self.client.delete_object(self.bucket, "key")
            return "done", None

        self.history.record("delete", do)

    def remove(self):
        """Delete what was read, unless somebody was faster."""
        found = self.get()
        if found is None:
            return
        value, etag = found

        def do():
            try:
                self.client.delete_object(self.bucket, "key", if_match=etag)
            except ServiceError as error:
                if error.code not in REFUSED:
                    raise
                return "refused", None
            return "done", None

        self.history.record("delete if match", do, expected=value)


@pytest.mark.parametrize("attempt", range(3))
def test_histories_of_one_key_are_linearizable(server: Any, bucket: str, attempt: int):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    history = History(time.monotonic)
    contenders = [Contender(server, bucket, history, seed + index) for index in range(CLIENTS)]
    threads = [threading.Thread(target=contender.run) for contender in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [contender.fault for contender in contenders if contender.fault] == []
    outcomes = {(item.kind, item.outcome) for item in history.operations}
    assert outcomes >= {("put if absent", "done"), ("put if absent", "refused")}
    kinds = {kind for kind, _ in outcomes}
    assert kinds >= {"put if match", "delete if match"}
    assert linearizable(history.operations)


def test_of_many_creators_exactly_one_wins(server: Any, bucket: str):
    history = History(time.monotonic)
    contenders = [Contender(server, bucket, history, index) for index in range(16)]
    threads = [threading.Thread(target=contender.create) for contender in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for contender in contenders:
        contender.transport.close()

    outcomes = [item.outcome for item in history.operations]
    assert (len(outcomes), outcomes.count("done")) == (16, 1)
    assert linearizable(history.operations)
