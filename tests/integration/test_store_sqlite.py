"""The SQLite catalog on a real device: formats, full devices, I/O errors, several processes."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from ingot.store.catalog.contract import Check, CommitConflictError, Put
from ingot.store.catalog.schema import SCHEMA_VERSION
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.store.errors import StoreFailedError, StoreFormatError, StoreFullError

P = "partition"


def change_file(path, statement):
    connection = sqlite3.connect(path / "catalog.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_older_format_is_taken_over(tmp_path):
    SqliteCatalog(tmp_path).close()
    change_file(tmp_path, "PRAGMA user_version = 1")
    SqliteCatalog(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_a_newer_format_is_refused(tmp_path):
    SqliteCatalog(tmp_path).close()
    change_file(tmp_path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreFormatError, match=f"format {SCHEMA_VERSION + 1}"):
        SqliteCatalog(tmp_path)


def test_opening_a_catalog_writes_nothing(tmp_path):
    catalog = SqliteCatalog(tmp_path)
    log = tmp_path / "catalog.sqlite-wal"
    before = log.read_bytes()
    SqliteCatalog(tmp_path).close()
    assert catalog.get(P, b"k") is None
    assert not catalog.give_back()
    assert log.read_bytes() == before
    catalog.close()


def test_another_database_is_refused(tmp_path):
    change_file(tmp_path, "CREATE TABLE other (id INTEGER)")
    with pytest.raises(StoreFormatError, match="no catalog"):
        SqliteCatalog(tmp_path)
    SqliteCatalog(tmp_path / "own").close()
    change_file(tmp_path / "own", "PRAGMA application_id = 7")
    with pytest.raises(StoreFormatError, match="no catalog"):
        SqliteCatalog(tmp_path / "own")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreFormatError, match="cannot be opened"):
        SqliteCatalog(tmp_path)


def test_commits_are_synced_and_logged_ahead(tmp_path):
    catalog = SqliteCatalog(tmp_path)
    for connection in (catalog._writer, catalog._reader()):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    catalog.close()


def test_a_full_device_fails_the_commit_and_nothing_else(tmp_path):
    async def test():
        catalog = SqliteCatalog(tmp_path)
        await catalog.commit(P, puts=[Put(b"k", b"v")])
        (pages,) = catalog._writer.execute("PRAGMA page_count").fetchone()
        catalog._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreFullError):
            await catalog.commit(P, puts=[Put(b"large", b"", b"x" * 100_000)])
        assert catalog.failure is None
        assert catalog.get(P, b"large") is None
        await catalog.commit(P, deletes=[b"k"])
        catalog._writer.execute("PRAGMA max_page_count = 1000000")
        await catalog.commit(P, puts=[Put(b"large", b"", b"x" * 100_000)])
        catalog.close()

    asyncio.run(test())


IO_ERROR = """
import asyncio, logging, resource, signal, sys
from pathlib import Path
from ingot.store.catalog.contract import Put
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.store.errors import StoreFailedError

logging.disable()

async def outcomes(catalog, value):
    async def put(index):
        await catalog.commit("p", puts=[Put(b"%d" % index, b"v", value)])
    return await asyncio.gather(*(put(index) for index in range(5)), return_exceptions=True)

async def main():
    catalog = SqliteCatalog(Path(sys.argv[1]))
    assert await outcomes(catalog, b"small") == [None] * 5
    # From here on every write behind the files' present end fails, as on a dying device.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
    failed = await outcomes(catalog, b"x" * 100_000)
    assert all(isinstance(item, StoreFailedError) for item in failed), failed
    assert catalog.failure
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    # The device works again, but what it lost in between nobody knows.
    failed = await outcomes(catalog, b"small")
    assert all(isinstance(item, StoreFailedError) for item in failed), failed
    assert catalog.get_with_attachment("p", b"0") == (b"v", b"small")
    catalog.close()

asyncio.run(main())
"""


def test_after_an_io_error_nothing_is_acknowledged_any_more(tmp_path):
    command = [sys.executable, "-c", IO_ERROR, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.returncode == 0

    async def reopen():
        catalog = SqliteCatalog(tmp_path)
        assert catalog.get_with_attachment("p", b"0") == (b"v", b"small")
        await catalog.commit(P, puts=[Put(b"k", b"v")])
        catalog.close()

    asyncio.run(reopen())


def test_a_failed_read_is_an_error_of_the_store(tmp_path):
    catalog = SqliteCatalog(tmp_path)
    assert catalog.get(P, b"k") is None
    catalog._reader().close()
    with pytest.raises(StoreFailedError, match="cannot be read"):
        catalog.get(P, b"k")
    catalog.close()


COUNTER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from ingot.store.catalog.contract import Check, CommitConflictError, Put
    from ingot.store.catalog.sqlite import SqliteCatalog

    async def increment(catalog):
        while True:
            old = catalog.get("p", b"counter")
            new = b"%d" % (int(old or b"0") + 1)
            try:
                await catalog.commit("p", checks=[Check(b"counter", old)],
                                     puts=[Put(b"counter", new, new)])
            except CommitConflictError:
                continue
            return

    async def main():
        catalog = SqliteCatalog(Path(sys.argv[1]))
        for _ in range(25):
            await asyncio.gather(*(increment(catalog) for _ in range(4)))
        catalog.close()

    asyncio.run(main())
""")


def test_processes_that_write_the_same_key_lose_nothing(tmp_path):
    command = [sys.executable, "-c", COUNTER, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    catalog = SqliteCatalog(tmp_path)
    assert catalog.get_with_attachment("p", b"counter") == (b"300", b"300")
    catalog.close()


def test_two_catalogs_of_one_directory_see_each_other(tmp_path):
    async def test():
        first, second = SqliteCatalog(tmp_path), SqliteCatalog(tmp_path)
        await first.commit(P, puts=[Put(b"k", b"1")])
        assert second.get(P, b"k") == b"1"
        await second.commit(P, checks=[Check(b"k", b"1")], puts=[Put(b"k", b"2")])
        with pytest.raises(CommitConflictError):
            await first.commit(P, checks=[Check(b"k", b"1")], puts=[Put(b"k", b"3")])
        first.close()
        second.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("code", "fails"), [(sqlite3.SQLITE_IOERR_FSYNC, True), (sqlite3.SQLITE_FULL, False)]
)
def test_an_io_error_while_the_file_is_shortened_ends_all_commits(
    tmp_path, monkeypatch, code, fails
):
    def shorten(*_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(SqliteCatalog, "_shorten", shorten)
    catalog = SqliteCatalog(tmp_path)
    if fails:
        with pytest.raises(StoreFailedError, match="cannot be shortened"):
            catalog.give_back()
    else:
        assert not catalog.give_back()
    assert (catalog.failure is not None) == fails
    catalog.close()
