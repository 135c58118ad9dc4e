"""mb --with-lock, retention and legalhold, against a service that has them and one that may not."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

import pytest


@pytest.fixture(params=["remote", "elsewhere"])
def ledger(cli: Any, request: pytest.FixtureRequest) -> Any:
    """A fresh bucket with object lock, of our server and of another service."""
    place = request.getfixturevalue(request.param)
    place.bucket = f"ledger-{secrets.token_hex(6)}"
    made = cli("mb", "--with-lock", place.address)
    assert (made.code, made.out) == (0, f"made {place.address}\n")
    return place


def days_left(head: dict[str, Any]) -> float:
    left = head["ObjectLockRetainUntilDate"] - dt.datetime.now(dt.UTC)
    return float(left.total_seconds()) / 86_400


class TestMakeBucket:
    def test_versions_are_kept_from_the_start(self, cli: Any, remote: Any) -> None:
        address = f"{remote.address}-v"
        assert cli("mb", "--with-versioning", address).code == 0
        assert cli("version", "info", address).out.endswith("is enabled\n")
        # An existing bucket gets them too.
        assert cli("mb", "-p", "--with-versioning", remote.address).code == 0
        assert cli("version", "info", remote.address).out.endswith("is enabled\n")

    def test_a_bucket_without_lock_is_never_taken_for_one_with(self, cli: Any, remote: Any) -> None:
        done = cli("mb", "-p", "--with-lock", remote.address)
        assert done.code == 1
        assert "lock" in done.err


class TestRetention:
    def test_an_object_is_kept(self, cli: Any, ledger: Any) -> None:
        ledger.put("2026.csv")
        address = f"{ledger.address}/2026.csv"
        done = cli("retention", "set", "governance", "30d", address)
        assert (done.code, done.err) == (0, "")
        assert "must stay until" in done.out
        head = ledger.head("2026.csv")
        assert head["ObjectLockMode"] == "GOVERNANCE"
        assert 29.9 < days_left(head) <= 30
        (document,) = cli("retention", "set", "compliance", "1y", address, "--json").documents()
        assert (document["op"], document["mode"], document["validity"], document["urlpath"]) == (
            *("set", "COMPLIANCE", "1YEARS"),
            address,
        )

    def test_everything_below_a_folder_is_kept(self, cli: Any, ledger: Any) -> None:
        ledger.put_all({"a/1": b"", "a/2": b"", "b": b""})
        done = cli("retention", "set", "-r", "governance", "2d", f"{ledger.address}/a/")
        assert (done.code, len(done.out.splitlines())) == (0, 2)
        assert ledger.head("a/2")["ObjectLockMode"] == "GOVERNANCE"
        assert "ObjectLockMode" not in ledger.head("b")

    def test_the_default_of_a_bucket(self, cli: Any, ledger: Any) -> None:
        address = ledger.address
        none = f"new objects of {address} may be removed\n"
        assert cli("retention", "info", "--default", address).out == none
        done = cli("retention", "set", "--default", "governance", "30d", address)
        assert done.out == f"new objects of {address} stay 30d (GOVERNANCE)\n"
        assert cli("retention", "info", "--default", address).out == done.out
        (document,) = cli("retention", "info", "--default", "--json", address).documents()
        assert (document["mode"], document["validity"]) == ("GOVERNANCE", "30DAYS")
        assert document["enabled"] == "Enabled"

    def test_what_is_kept_is_told_and_let_go(self, cli: Any, remote: Any) -> None:
        remote.bucket = f"ledger-{secrets.token_hex(6)}"
        cli("mb", "--with-lock", remote.address)
        remote.put("k")
        address = f"{remote.address}/k"
        assert cli("retention", "info", address).out == f"{address} may be removed\n"
        assert cli("retention", "set", "governance", "30d", address).code == 0
        (document,) = cli("retention", "info", "--json", address).documents()
        assert (document["op"], document["mode"]) == ("info", "GOVERNANCE")
        assert cli("retention", "set", "governance", "1d", address).code == 4
        assert cli("retention", "set", "--bypass", "governance", "1d", address).code == 0
        assert cli("retention", "clear", address).code == 4
        assert cli("retention", "clear", "--bypass", address).code == 0
        assert cli("retention", "info", address).out == f"{address} may be removed\n"

    def test_what_is_no_retention(self, cli: Any, remote: Any) -> None:
        address = f"{remote.address}/k"
        for validity in ("30", "0d", "101y", "1w"):
            assert cli("retention", "set", "governance", validity, address).code == 2
        assert cli("retention", "set", "forever", "1y", address).code == 2
        assert cli("retention", "set", "--default", "-r", "governance", "1y", "s3/b").code == 2

    def test_a_bucket_without_lock(self, cli: Any, elsewhere: Any) -> None:
        done = cli("retention", "info", "--default", elsewhere.address)
        assert done.code == 5
        assert "ObjectLockConfigurationNotFoundError" in done.err


class TestLegalHold:
    def test_an_object_is_held_and_let_go(self, cli: Any, ledger: Any) -> None:
        ledger.put("k")
        address = f"{ledger.address}/k"
        assert cli("legalhold", "info", address).out == f"{address} is not held\n"
        done = cli("legalhold", "set", address)
        assert (done.code, done.out) == (0, f"{address} must stay until further notice\n")
        assert ledger.head("k")["ObjectLockLegalHoldStatus"] == "ON"
        (document,) = cli("legalhold", "info", "--json", address).documents()
        assert (document["legalhold"], document["key"]) == ("ON", "k")
        assert cli("legalhold", "clear", address).code == 0
        assert ledger.head("k").get("ObjectLockLegalHoldStatus") != "ON"

    def test_versions_below_a_folder(self, cli: Any, ledger: Any) -> None:
        ledger.put("a/k", b"1")
        ledger.put("a/k", b"2")
        ledger.delete("a/k")
        done = cli("legalhold", "set", "-r", "--versions", f"{ledger.address}/a/")
        # The delete marker cannot be held.
        assert (done.code, len(done.out.splitlines())) == (0, 2)
        assert cli("legalhold", "set", f"{ledger.address}/a/").code == 2
