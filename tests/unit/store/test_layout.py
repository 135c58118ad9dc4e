"""The directory: its format file and the locks in it."""

from __future__ import annotations

import json

import pytest

from ingot.store.catalog.turnstile import Turnstile
from ingot.store.errors import StoreFormatError
from ingot.store.layout import FORMAT_FILE, FORMAT_VERSION, prepare_directory, require_store
from ingot.store.store import _try_lock


def test_a_new_directory_gets_a_format_file_once(tmp_path):
    made = prepare_directory(tmp_path / "store")
    assert made.version == FORMAT_VERSION
    assert prepare_directory(tmp_path / "store") == made
    written = json.loads((tmp_path / "store" / FORMAT_FILE).read_text())
    assert written["format"] == "ingot-store"


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        '{"format": "ingot-store"}',
        '{"format": "other", "version": 1, "deployment_id": "x"}',
        '{"format": "ingot-store", "version": 3, "deployment_id": "x"}',
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, content):
    (tmp_path / FORMAT_FILE).write_text(content)
    for look in (prepare_directory, require_store):
        with pytest.raises(StoreFormatError):
            look(tmp_path)


def test_an_older_format_is_raised_by_those_who_write(tmp_path):
    old = '{"format": "ingot-store", "version": 1, "deployment_id": "x"}'
    (tmp_path / FORMAT_FILE).write_text(old)
    assert require_store(tmp_path).version == 1
    assert (tmp_path / FORMAT_FILE).read_text() == old
    raised = prepare_directory(tmp_path)
    assert (raised.version, raised.deployment_id) == (FORMAT_VERSION, "x")
    assert require_store(tmp_path) == raised


def test_a_turnstile_lets_the_next_one_in_even_when_the_wait_breaks(tmp_path):
    turnstile = Turnstile(tmp_path)
    with turnstile:
        pass
    with pytest.raises(RuntimeError), turnstile:
        raise RuntimeError
    with turnstile:
        pass
    turnstile.close()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "writing.lock").mkdir()
    with pytest.raises(IsADirectoryError):
        Turnstile(tmp_path / "other")


def test_a_lock_that_cannot_be_had_is_somebody_elses(tmp_path):
    (tmp_path / "lock").mkdir()
    with _try_lock(tmp_path / "lock") as granted:
        assert not granted
    with _try_lock(tmp_path / "other") as granted, _try_lock(tmp_path / "other") as again:
        assert (granted, again) == (True, False)
