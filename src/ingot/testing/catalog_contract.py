"""The conformance suite of `Catalog`: subclass it and give it the fixture `open_catalog`.

    class TestMyCatalog(CatalogContract):
        @pytest.fixture
        def open_catalog(self, tmp_path):
            return lambda: MyCatalog(tmp_path)

`open_catalog` opens the same data each time it is called; an engine that forgets sets `DURABLE`
to False and is opened once per test.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from ingot.store.catalog.contract import (
    Add,
    Catalog,
    CeilingError,
    Check,
    CommitConflictError,
    EmptyRange,
    Put,
)
from ingot.store.catalog.counters import decode_numbers
from ingot.store.errors import RecordDamagedError, StoreFailedError
from ingot.testing.catalog_consequences import ConsequencesContract, OpenCatalog, P, run_with


class CatalogContract(ConsequencesContract):
    """What every catalog must do."""

    DURABLE: ClassVar[bool] = True

    def test_what_was_never_written_is_absent(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            assert catalog.get(P, b"k") is None
            assert catalog.get_with_attachment(P, b"k") is None
            assert catalog.scan(P, b"a", b"", limit=10) == []
            assert list(catalog.partitions()) == []

        run_with(open_catalog, test)

    def test_a_commit_is_visible_when_it_returns(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"v", b"attached"), Put(b"l", b"w")])
            assert catalog.get(P, b"k") == b"v"
            assert catalog.get_with_attachment(P, b"k") == (b"v", b"attached")
            assert catalog.get_with_attachment(P, b"l") == (b"w", None)
            assert catalog.get("other", b"k") is None

        run_with(open_catalog, test)

    def test_two_keys_are_read_at_once(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"v", b"attached"), Put(b"l", b"w")])
            assert catalog.get_beside(P, b"k", b"l") == (b"v", b"attached", b"w")
            assert catalog.get_beside(P, b"l", b"m") == (b"w", None, None)
            assert catalog.get_beside(P, b"m", b"l") is None
            assert catalog.get_beside("other", b"k", b"l") is None

        run_with(open_catalog, test)

    def test_commits_survive_closing(self, open_catalog: OpenCatalog) -> None:
        if not self.DURABLE:
            return

        async def write(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"v", b"attached")])

        async def read(catalog: Catalog) -> None:
            assert catalog.get_with_attachment(P, b"k") == (b"v", b"attached")

        run_with(open_catalog, write)
        run_with(open_catalog, read)

    def test_replacing_a_value_replaces_its_attachment(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"1", b"old")])
            await catalog.commit(P, puts=[Put(b"k", b"2", b"new")])
            assert catalog.get_with_attachment(P, b"k") == (b"2", b"new")
            await catalog.commit(P, puts=[Put(b"k", b"3")])
            assert catalog.get_with_attachment(P, b"k") == (b"3", None)

        run_with(open_catalog, test)

    def test_deleting_is_idempotent(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"v", b"attached"), Put(b"l", b"w")])
            await catalog.commit(P, deletes=[b"k", b"never"])
            await catalog.commit(P, deletes=[b"k"])
            assert catalog.get_with_attachment(P, b"k") is None
            assert catalog.get(P, b"l") == b"w"

        run_with(open_catalog, test)

    def test_scans_are_ordered_bytewise_and_half_open(self, open_catalog: OpenCatalog) -> None:
        names = [b"a", b"a\x01", b"a/b", b"b", "ä".encode(), b"\xfe", b"\xff\xff"]

        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(name, b"=" + name) for name in reversed(names)])
            await catalog.commit("z", puts=[Put(b"a", b"")])
            everything = [(name, b"=" + name) for name in sorted(names)]
            assert catalog.scan(P, b"\x01", b"", limit=100) == everything
            assert catalog.scan(P, b"\x01", b"", limit=100, reverse=True) == everything[::-1]
            assert catalog.scan(P, b"a", b"b", limit=100) == everything[:3]
            assert catalog.scan(P, b"a\x01", b"", limit=2) == everything[1:3]
            assert catalog.scan(P, b"a", b"b", limit=1, reverse=True) == everything[2:3]
            assert catalog.scan(P, b"b", b"a", limit=9) == []

        run_with(open_catalog, test)

    def test_skimming_takes_the_first_key_of_each_group(self, open_catalog: OpenCatalog) -> None:
        keys = [
            b"o/a",
            b"o/b/1",
            b"o/b/2",
            b"o/b0",
            b"o/c/",
            b"o/c/\xff",
            b"o/\xc3\xa4/\x01",
            b"p/",
        ]

        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(key, b"v" + key) for key in keys])
            await catalog.commit("q", puts=[Put(b"o/b/3", b"v")])

            def skim(start: bytes, stop: bytes, limit: int = 10, skip: int = 2) -> list[bytes]:
                found = catalog.skim(P, start, stop, skip=skip, delimiter=b"/", limit=limit)
                for key, value in found:
                    assert value == (None if b"/" in key[skip:] else b"v" + key)
                return [key for key, _ in found]

            firsts = [b"o/a", b"o/b/1", b"o/b0", b"o/c/", b"o/\xc3\xa4/\x01"]
            assert skim(b"o/", b"o0") == firsts
            assert skim(b"o/", b"o0", limit=2) == firsts[:2]
            assert skim(b"o/b/2", b"o/c/") == [b"o/b/2", b"o/b0"]
            assert skim(b"o/b/", b"o/b0", skip=4) == [b"o/b/1", b"o/b/2"]
            assert skim(b"o/d", b"o/e") == []

        run_with(open_catalog, test)

    def test_skimming_looks_for_delimiters_of_any_length(self, open_catalog: OpenCatalog) -> None:
        keys = [b"o/xab\xc3\xa41", b"o/xab\xc3\xa42", b"o/xab\xc3\xa5", b"o/xb\xc3\xa4"]

        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(key, b"v") for key in keys])
            found = catalog.skim(P, b"o/", b"o0", skip=2, delimiter=b"b\xc3\xa4", limit=9)
            assert [key for key, _ in found] == [keys[0], keys[2], keys[3]]

        run_with(open_catalog, test)

    def test_partitions_are_listed_in_order_while_they_hold_keys(
        self, open_catalog: OpenCatalog
    ) -> None:
        async def test(catalog: Catalog) -> None:
            for name in ("c", "a", "b"):
                await catalog.commit(name, puts=[Put(b"k", b"v"), Put(b"l", b"v")])
            await catalog.commit("b", deletes=[b"k", b"l"])
            assert list(catalog.partitions()) == ["a", "c"]

        run_with(open_catalog, test)

    def test_a_failed_check_writes_nothing(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"k", b"v")])
            wrong: list[Check | EmptyRange] = [
                Check(b"k", None),
                Check(b"k", b"other"),
                Check(b"absent", b""),
                EmptyRange(b"a", b"z"),
                EmptyRange(b"k", b"k\x01"),
            ]
            for check in wrong:
                with pytest.raises(CommitConflictError):
                    await catalog.commit(P, checks=[check], puts=[Put(b"new", b"")])
                with pytest.raises(CommitConflictError):
                    await catalog.commit(P, checks=[check], deletes=[b"k"])
            assert catalog.scan(P, b"\x01", b"", limit=9) == [(b"k", b"v")]

        run_with(open_catalog, test)

    def test_a_commit_whose_checks_hold_happens(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, checks=[Check(b"k", None)], puts=[Put(b"k", b"v")])
            checks: list[Check | EmptyRange] = [
                Check(b"k", b"v"),
                EmptyRange(b"a", b"k"),
                EmptyRange(b"k\x01", b"z"),
            ]
            await catalog.commit(P, checks=checks, puts=[Put(b"l", b"w")], deletes=[b"k"])
            assert catalog.scan(P, b"\x01", b"", limit=9) == [(b"l", b"w")]

        run_with(open_catalog, test)

    def test_of_many_creators_at_once_one_wins(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            outcomes = await asyncio.gather(
                *(
                    catalog.commit(P, checks=[Check(b"k", None)], puts=[Put(b"k", b"%d" % index)])
                    for index in range(50)
                ),
                return_exceptions=True,
            )
            assert outcomes.count(None) == 1
            assert sum(isinstance(item, CommitConflictError) for item in outcomes) == 49
            assert catalog.get(P, b"k") == b"%d" % outcomes.index(None)

        run_with(open_catalog, test)

    def test_commits_gathered_together_see_each_other(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            outcomes = await asyncio.gather(
                catalog.commit(P, checks=[EmptyRange(b"a", b"z")], puts=[Put(b"k", b"1", b"x")]),
                catalog.commit(P, checks=[Check(b"k", b"1")], puts=[Put(b"k", b"2", b"y")]),
                catalog.commit(P, checks=[EmptyRange(b"a", b"z")], puts=[Put(b"no", b"")]),
                catalog.commit(P, checks=[Check(b"k", b"2")], deletes=[b"k"]),
                catalog.commit(P, checks=[EmptyRange(b"a", b"z")], puts=[Put(b"l", b"3", b"z")]),
                catalog.commit(P, puts=[Put(b"m", b"4")]),
                catalog.commit(P, deletes=[b"m"]),
                return_exceptions=True,
            )
            assert [item is None for item in outcomes] == [True, True, False, *[True] * 4]
            assert catalog.scan(P, b"\x01", b"", limit=9) == [(b"l", b"3")]
            assert catalog.get_with_attachment(P, b"l") == (b"3", b"z")

        run_with(open_catalog, test)

    def test_commits_add_to_one_key_without_conflicts(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            adds = [catalog.commit(P, adds=[Add(b"sum", (index, -1))]) for index in range(50)]
            await asyncio.gather(*adds)
            assert decode_numbers(catalog.get(P, b"sum"), 2) == (1225, -50)
            with pytest.raises(AssertionError):
                await catalog.commit(P, puts=[Put(b"sum", b"")], adds=[Add(b"sum", (1, 1))])
            with pytest.raises(AssertionError):
                await catalog.commit(P, deletes=[b"sum"], adds=[Add(b"sum", (1, 1))])

        run_with(open_catalog, test)

    def test_nothing_grows_beyond_a_ceiling(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            commits = [
                catalog.commit(P, puts=[Put(b"k%d" % index, b"")], adds=[Add(b"sum", (3,), 10)])
                for index in range(20)
            ]
            outcomes = await asyncio.gather(*commits, return_exceptions=True)
            assert [type(item) for item in outcomes] == [type(None)] * 3 + [CeilingError] * 17
            assert [key for key, _ in catalog.scan(P, b"k", b"l", limit=9)] == [b"k0", b"k1", b"k2"]
            await catalog.commit(P, adds=[Add(b"sum", (1,), 10)])
            # What is above the ceiling already may become less, and stay as it is.
            await catalog.commit(P, adds=[Add(b"sum", (5,))])
            await catalog.commit(P, adds=[Add(b"sum", (0,), 10)])
            await catalog.commit(P, adds=[Add(b"sum", (-1,), 10)])
            assert decode_numbers(catalog.get(P, b"sum"), 1) == (14,)
            with pytest.raises(CommitConflictError):
                await catalog.commit(P, checks=[Check(b"no", b"")], adds=[Add(b"sum", (9,), 10)])

        run_with(open_catalog, test)

    def test_what_holds_no_numbers_is_not_added_to(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=[Put(b"sum", b"no numbers")])
            with pytest.raises(RecordDamagedError):
                await catalog.commit(P, puts=[Put(b"k", b"v")], adds=[Add(b"sum", (1,))])
            assert catalog.get(P, b"k") is None
            await catalog.commit(P, deletes=[b"sum"])
            await catalog.commit(P, adds=[Add(b"sum", (1,))])
            assert decode_numbers(catalog.get(P, b"sum"), 1) == (1,)

        run_with(open_catalog, test)

    def test_a_survey_is_of_one_moment(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            assert list(catalog.survey(P, [(b"a", b"z")])) == []
            puts = [Put(key, b"old", b"attached") for key in (b"a/1", b"b", b"c/1", b"c/2")]
            await catalog.commit(P, puts=puts)
            survey = catalog.survey(P, [(b"a/", b"a0"), (b"c/", b"c0")])
            assert next(survey) == (b"a/1", b"old")
            await catalog.commit(P, puts=[Put(b"c/2", b"new"), Put(b"c/3", b"new")])
            assert list(survey) == [(b"c/1", b"old"), (b"c/2", b"old")]
            again = list(catalog.survey(P, [(b"c/", b"c0")]))
            assert again == [(b"c/1", b"old"), (b"c/2", b"new"), (b"c/3", b"new")]

    def test_many_keys_fit_one_commit(self, open_catalog: OpenCatalog) -> None:
        puts = [Put(b"%05d" % index, b"v", b"a" * (index % 7)) for index in range(2345)]

        async def test(catalog: Catalog) -> None:
            await catalog.commit(P, puts=puts)
            rows = catalog.scan(P, b"0", b"9", limit=5000)
            assert rows == [(put.key, put.value) for put in puts]
            assert catalog.get_with_attachment(P, b"01234") == (b"v", b"a" * (1234 % 7))
            checks = [Check(put.key, b"v") for put in puts]
            await catalog.commit(P, checks=checks, deletes=[put.key for put in puts[1:]])
            assert catalog.scan(P, b"0", b"9", limit=5000) == [(b"00000", b"v")]

        run_with(open_catalog, test)

    def test_a_cancelled_waiter_leaves_the_others_alone(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            async def put(name: bytes) -> None:
                await catalog.commit(P, puts=[Put(name, b"v")])

            tasks = [asyncio.create_task(put(b"k%d" % index)) for index in range(10)]
            await asyncio.sleep(0)
            tasks[3].cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(item is None for item in outcomes[:3] + outcomes[4:])
            await put(b"later")
            assert catalog.get(P, b"k9") == b"v"

        run_with(open_catalog, test)

    def test_a_closed_catalog_refuses_commits(self, open_catalog: OpenCatalog) -> None:
        async def test(catalog: Catalog) -> None:
            catalog.close()
            catalog.close()
            with pytest.raises(StoreFailedError):
                await catalog.commit(P, puts=[Put(b"k", b"v")])

        run_with(open_catalog, test)

    @pytest.mark.parametrize(
        "put",
        [Put(b"", b"v"), Put(b"a\0b", b"v"), Put(b"k" * 5000, b"v"), Put(b"k", b"v" * 300_000)],
    )
    def test_puts_outside_the_contract_are_refused(
        self, open_catalog: OpenCatalog, put: Put
    ) -> None:
        async def test(catalog: Catalog) -> None:
            with pytest.raises(AssertionError):
                await catalog.commit(P, puts=[put])

        run_with(open_catalog, test)
