"""The part of the suite of `Catalog` that is about what commits demand and bring with them.

`catalog_contract` includes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from ingot.store.catalog.contract import Catalog, CommitConflictError, Put
from ingot.store.errors import StoreFullError

OpenCatalog = Callable[[], Catalog]
P = "partition"


def run_with(open_catalog: OpenCatalog, test: Callable[[Catalog], Awaitable[None]]) -> None:
    """Open a catalog, run the test on an event loop, close the catalog."""

    async def body() -> None:
        catalog = open_catalog()
        try:
            await test(catalog)
        finally:
            catalog.close()

    asyncio.run(body())


class Moved:
    """A `Displaced` that keeps each value under another key, but will not have one of them."""

    REFUSED: ClassVar[bytes] = b"refused"

    def look(self, key: bytes, value: bytes) -> tuple[bytes, bytes]:
        """Return both."""
        if value == self.REFUSED:
            raise CommitConflictError("not this one")
        return key, value

    def puts(self, looks: Sequence[tuple[bytes, bytes]]) -> Sequence[Put]:
        """Return what keeps them."""
        return [Put(b"gone-" + value, key) for key, value in looks]


class Elsewhere:
    """A `Prior` that notes what holds when it is sealed."""

    size_bytes = 1

    def __init__(self, holds: Callable[[], bool], failure: Exception | None = None) -> None:
        self.holds = holds
        self.failure = failure
        self.sealed: list[bool] = []

    @staticmethod
    def seal_all(priors: Sequence[Elsewhere]) -> Sequence[Exception | None]:
        """Note it."""
        for prior in priors:
            prior.sealed.append(prior.holds())
        return [prior.failure for prior in priors]


class ConsequencesContract:
    """What every catalog must do about `prior` and `displaced`."""

    def test_what_is_displaced_is_looked_at_when_it_goes(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            moved = Moved()
            await catalog.commit(P, puts=[Put(b"k", b"1"), Put(b"l", b"2"), Put(b"keep", b"3")])
            await asyncio.gather(
                catalog.commit(P, puts=[Put(b"k", b"4"), Put(b"new", b"5")], displaced=moved),
                catalog.commit(P, deletes=[b"k", b"never"], displaced=moved),
                catalog.commit(P, deletes=[b"l"]),
                catalog.commit(P, puts=[Put(b"l", b"6")], displaced=moved),
                catalog.commit("q", puts=[Put(b"k", b"7")], displaced=moved),
                catalog.commit("q", deletes=[b"k"], displaced=moved),
            )
            assert catalog.scan(P, b"\x01", b"", limit=9) == [
                *((b"gone-1", b"k"), (b"gone-4", b"k")),
                *((b"keep", b"3"), (b"l", b"6"), (b"new", b"5")),
            ]
            assert catalog.scan("q", b"\x01", b"", limit=9) == [(b"gone-7", b"k")]

        run_with(open_catalog, test)

    def test_what_is_displaced_may_be_refused(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            moved = Moved()
            await catalog.commit(P, puts=[Put(b"k", Moved.REFUSED), Put(b"l", b"2")])
            outcomes = await asyncio.gather(
                catalog.commit(P, puts=[Put(b"l", b"3")], displaced=moved),
                catalog.commit(P, deletes=[b"k", b"l"], displaced=moved),
                catalog.commit(P, puts=[Put(b"k", b"4"), Put(b"m", b"5")], displaced=moved),
                return_exceptions=True,
            )
            assert outcomes[0] is None
            assert all(isinstance(item, CommitConflictError) for item in outcomes[1:])
            rows = [(b"gone-2", b"l"), (b"k", Moved.REFUSED), (b"l", b"3")]
            assert catalog.scan(P, b"\x01", b"", limit=9) == rows

        run_with(open_catalog, test)

    def test_what_is_prior_is_durable_first(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            bytes_elsewhere = Elsewhere(lambda: catalog.get(P, b"k") is None)
            await catalog.commit(P, puts=[Put(b"k", b"v")], prior=bytes_elsewhere)
            assert bytes_elsewhere.sealed == [True]
            assert catalog.get(P, b"k") == b"v"

        run_with(open_catalog, test)

    def test_without_what_is_prior_there_is_no_commit(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            full = StoreFullError("no room")
            outcomes = await asyncio.gather(
                catalog.commit(P, puts=[Put(b"a", b"1")], prior=Elsewhere(lambda: True)),
                catalog.commit(P, puts=[Put(b"b", b"2")], prior=Elsewhere(lambda: True, full)),
                catalog.commit(P, puts=[Put(b"c", b"3")]),
                return_exceptions=True,
            )
            assert list(outcomes) == [None, full, None]
            assert catalog.scan(P, b"a", b"", limit=9) == [(b"a", b"1"), (b"c", b"3")]

        run_with(open_catalog, test)
