"""The journal of uploads: what is remembered, for whom, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingot.client.journal import Identity, Journal, JournalEntry
from ingot.s3client.multipart import StartedUpload

ONE: Identity = {"path": "a", "size_bytes": 1}
STARTED = StartedUpload("id", sums_up=True)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "uploads")


def test_what_is_noted_is_recalled_by_the_same_identity_only(journal: Journal) -> None:
    with journal.entry(ONE) as entry:
        assert entry is not None
        assert entry.recall() is None
        entry.note(STARTED)
    for identity, expected in ((ONE, STARTED), ({**ONE, "size_bytes": 2}, None)):
        with journal.entry(identity) as entry:
            assert entry is not None
            assert entry.recall() == expected


def test_what_is_forgotten_leaves_no_file(journal: Journal, tmp_path: Path) -> None:
    with journal.entry(ONE) as entry:
        assert entry is not None
        entry.note(STARTED)
        entry.forget()
    assert os.listdir(tmp_path / "state" / "uploads") == []


def test_an_entry_in_use_is_not_given_to_another(journal: Journal) -> None:
    with journal.entry(ONE) as first, journal.entry(ONE) as second:
        assert first is not None
        assert second is None


@pytest.mark.parametrize("noted", [b"{", b"[]", b'{"upload_id": "x"}', b"\xff", b"null"])
def test_what_cannot_be_read_is_nothing(journal: Journal, tmp_path: Path, noted: bytes) -> None:
    with journal.entry(ONE) as entry:
        assert entry is not None
        entry.note(STARTED)
    (path,) = (tmp_path / "state" / "uploads").iterdir()
    path.write_bytes(noted)
    with journal.entry(ONE) as entry:
        assert entry is not None
        assert entry.recall() is None


def test_old_entries_are_dropped(journal: Journal, tmp_path: Path) -> None:
    journal.prune()
    for size_bytes in (1, 2):
        with journal.entry({"size_bytes": size_bytes}) as entry:
            assert entry is not None
            entry.note(STARTED)
    old, _ = sorted((tmp_path / "state" / "uploads").iterdir())
    week_ago_s = time.time() - 8 * 24 * 3600
    os.utime(old, (week_ago_s, week_ago_s))
    journal.prune()
    assert len(os.listdir(tmp_path / "state" / "uploads")) == 1


def test_a_full_disk_costs_the_memory_and_not_the_upload() -> None:
    descriptor = os.open("/dev/full", os.O_RDWR)
    try:
        entry = JournalEntry(descriptor, ONE)
        entry.note(STARTED)
        assert entry.recall() is None
        entry.forget()
    finally:
        os.close(descriptor)
