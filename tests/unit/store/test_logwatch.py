"""The watch over the catalog's log asks why it is not emptied, once for each stretch it grows."""

from __future__ import annotations

import sqlite3

import pytest

from ingot.store.catalog.logwatch import LogWatch


class Writer:
    """Counts what it is asked, and fails if told to."""

    def __init__(self):
        self.asked = 0
        self.code = 0

    def execute(self, statement):
        assert statement == "PRAGMA wal_checkpoint(PASSIVE)"
        self.asked += 1
        if self.code:
            error = sqlite3.OperationalError("it fails")
            error.sqlite_errorcode = self.code
            raise error
        return self

    def fetchall(self):
        return [(0, 0, 0)]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def asked(log, sizes, writer=None, watch=None):
    writer, watch = writer or Writer(), watch or LogWatch(log, 100)
    counts = []
    for size in sizes:
        log.write_bytes(bytes(size))
        watch.look(writer)
        counts.append(writer.asked)
    return counts


def test_a_log_of_the_usual_length_is_left_alone(log):
    assert asked(log, [0, 50, 150, 199, 10, 199]) == [0] * 6


def test_a_log_that_grows_is_asked_about_once_for_each_stretch(log):
    assert asked(log, [200, 210, 299, 300, 390, 400]) == [1, 1, 1, 2, 2, 3]


def test_a_log_that_shrank_is_watched_anew(log):
    assert asked(log, [300, 20, 150, 200]) == [1, 1, 1, 2]


def test_a_failing_file_is_told_and_a_full_device_is_not(log):
    writer = Writer()
    writer.code = sqlite3.SQLITE_FULL
    assert asked(log, [200], writer) == [1]
    writer.code = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(sqlite3.OperationalError):
        asked(log, [200], writer)
