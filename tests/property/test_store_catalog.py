"""The SQLite catalog behaves as the one in memory, whatever is committed in whatever groups."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.store.catalog.contract import (
    Add,
    CeilingError,
    Check,
    CommitConflictError,
    EmptyRange,
    Put,
)
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.testing.catalog_consequences import Moved

NAMES = st.sampled_from([b"a", b"b", b"b\x01", b"c/d", b"\xff"])
MOVED = Moved()
VALUES = st.sampled_from([b"", b"1", b"2"])
CHECKS = st.one_of(st.builds(Check, NAMES, st.none() | VALUES), st.builds(EmptyRange, NAMES, NAMES))
PUTS = st.builds(Put, NAMES, VALUES, st.none() | st.sampled_from([b"", b"x", b"y" * 5000]))
ADDS = st.dictionaries(st.sampled_from([b"sum", b"b/sum"]), st.integers(-3, 3), max_size=2)


@st.composite
def commits(draw):
    puts = {put.key: put for put in draw(st.lists(PUTS, max_size=3))}
    deletes = draw(st.sets(NAMES, max_size=3)) - puts.keys()
    return {
        "partition": draw(st.sampled_from(["p", "q"])),
        "checks": draw(st.lists(CHECKS, max_size=2)),
        "puts": list(puts.values()),
        "deletes": sorted(deletes),
        "adds": [Add(name, (amount, 1), 5) for name, amount in draw(ADDS).items()],
        "displaced": draw(st.sampled_from([None, MOVED])),
    }


GROUPS = st.lists(st.lists(commits(), min_size=1, max_size=6), min_size=1, max_size=5)


async def outcome(catalog, commit):
    try:
        await catalog.commit(**commit)
    except (CommitConflictError, CeilingError) as error:
        return type(error)
    return None


@settings(max_examples=60, deadline=None)
@given(groups=GROUPS)
def test_both_catalogs_agree(groups):
    async def test(directory):
        catalog, model = SqliteCatalog(Path(directory)), MemoryCatalog()
        for group in groups:
            done = await asyncio.gather(*(outcome(catalog, commit) for commit in group))
            assert done == [await outcome(model, commit) for commit in group]
            assert list(catalog.partitions()) == list(model.partitions())
            for partition in ("p", "q"):
                rows = catalog.scan(partition, b"\x01", b"", limit=99)
                assert rows == model.scan(partition, b"\x01", b"", limit=99)
                for name, _ in rows:
                    found = catalog.get_with_attachment(partition, name)
                    assert found == model.get_with_attachment(partition, name)
                    beside = catalog.get_beside(partition, name, b"a")
                    assert beside == model.get_beside(partition, name, b"a")
        attachments = catalog._select("SELECT count(*) FROM attachment", ())[0][0]
        referenced = catalog._select(
            "SELECT count(*) FROM record WHERE attachment_id IS NOT NULL", ()
        )[0][0]
        catalog.close()
        assert attachments == referenced

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(test(directory))


KEYS = st.sets(st.text(alphabet="ab/\x01\x02äå\U0010ffff", max_size=8), max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    names=KEYS,
    prefix=st.text(alphabet="ab/ä", max_size=2),
    delimiter=st.sampled_from(["/", "a", "ab", "ä", "//", "/ä"]),
    start=st.text(alphabet="ab/\x01ä", max_size=4),
    limit=st.integers(min_value=1, max_value=20),
)
def test_both_catalogs_skim_alike(names, prefix, delimiter, start, limit):
    beginning = b"o/" + prefix.encode()
    keys = [beginning + name.encode() for name in names] + [b"n", b"p"]
    parameters = {
        "start": beginning + start.encode(),
        "stop": b"o/" + prefix.encode() + b"\xff",
        "skip": len(beginning),
        "delimiter": delimiter.encode(),
        "limit": limit,
    }

    async def test(directory):
        catalog, model = SqliteCatalog(Path(directory)), MemoryCatalog()
        for each in (catalog, model):
            await each.commit("p", puts=[Put(key, b"v" + key) for key in keys])
        found = catalog.skim("p", **parameters)
        catalog.close()
        assert found == model.skim("p", **parameters)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(test(directory))
