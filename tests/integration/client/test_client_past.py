"""du, tree and head of the past, cat of a part, pipe by parts, and archived objects."""

from __future__ import annotations

import io
import os
import sys
import time
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def past(cli: Any, remote: Any) -> tuple[Any, str]:
    """A bucket with versions, and a moment before its last changes."""
    assert cli("version", "enable", remote.address).code == 0
    remote.put("d/a", b"one\n")
    remote.put("d/gone", b"22")
    time.sleep(1.1)  # moments and the times of listings are whole seconds
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    remote.put("d/a", b"two\nmore\n")
    remote.delete("d/gone")
    remote.put("new/b", b"333")
    return remote, moment


class TestPast:
    def test_all_versions_until_then(self, cli: Any, past: tuple[Any, str]) -> None:
        remote, moment = past
        listed = ("--json", "ls", "--recursive", "--versions")
        now = cli(*listed, remote.address).documents()
        then = cli(*listed, "--rewind", moment, remote.address).documents()
        assert [(one["key"], one["versionOrdinal"]) for one in now] == [
            ("d/a", 2),
            ("d/a", 1),
            ("d/gone", 2),
            ("d/gone", 1),
            ("new/b", 1),
        ]
        assert [(one["key"], one["versionOrdinal"]) for one in then] == [("d/a", 1), ("d/gone", 1)]
        assert cli("ls", "--incomplete", "--rewind", moment, remote.address).code == 2

    def test_usage(self, cli: Any, past: tuple[Any, str]) -> None:
        remote, moment = past

        def held(*options: str) -> tuple[int, int]:
            last = cli("--json", "du", *options, remote.address).documents()[-1]
            return last["objects"], last["size"]

        assert held() == (2, 12)
        assert held("--rewind", moment) == (2, 6)
        assert held("--versions") == (4, 18)
        assert cli("du", "--versions", "--rewind", "1d", remote.address).code == 2

    def test_trees(self, cli: Any, past: tuple[Any, str]) -> None:
        remote, moment = past
        now = cli("tree", "--files", remote.address).out
        assert "new/" in now
        assert "gone" not in now
        then = cli("tree", "--files", "--rewind", moment, remote.address).out
        assert then.splitlines()[1:] == ["└─ d/", "   ├─ a", "   └─ gone"]

    def test_first_lines(self, cli: Any, past: tuple[Any, str]) -> None:
        remote, moment = past
        address = f"{remote.address}/d/a"
        assert cli("head", "-n", "1", address).out == "two\n"
        assert cli("head", "-n", "1", "--rewind", moment, address).out == "one\n"
        assert cli("head", "--rewind", moment, f"{remote.address}/new/b").code == 5


class TestParts:
    def test_one_part_of_an_upload_is_printed(self, cli: Any, remote: Any) -> None:
        data = os.urandom(11 * MIB)
        remote.put_parts("k", data, 5 * MIB, "CRC32C")
        address = f"{remote.address}/k"
        assert cli("cat", "--part-number", "2", address).raw == data[5 * MIB : 10 * MIB]
        assert cli("cat", "--part-number", "3", address).raw == data[10 * MIB :]
        assert cli("cat", "--part-number", "4", address).code != 0
        assert cli("cat", "--part-number", "1", "--tail", "1", address).code == 2

    def test_the_size_of_parts_can_be_chosen(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = os.urandom(11 * MIB)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert cli("pipe", "--part-size", "5M", f"{remote.address}/k").code == 0
        assert remote.head("k")["ETag"].endswith('-3"')
        assert remote.objects() == {"k": data}
        assert cli("pipe", "--part-size", "1M", f"{remote.address}/k").code == 2


class TestArchive:
    def test_archived_objects_come_back(self, cli: Any, elsewhere: Any) -> None:
        elsewhere.put("old/a", b"1", StorageClass="GLACIER")
        elsewhere.put("old/b", b"2", StorageClass="GLACIER")
        done = cli("ilm", "restore", "--days", "3", "-r", f"{elsewhere.address}/old/")
        assert done.code == 0
        assert done.out.splitlines() == [
            f"asked for {elsewhere.address}/old/{name} for 3 days" for name in "ab"
        ]
        assert "expiry-date" in elsewhere.head("old/a")["Restore"]
        documents = cli("ilm", "restore", "--json", f"{elsewhere.address}/old/a").documents()
        assert documents[0]["days"] == 1

    def test_a_service_without_archives_says_so(self, cli: Any, remote: Any) -> None:
        remote.put("a", b"1")
        done = cli("--json", "ilm", "restore", f"{remote.address}/a")
        assert (done.code, done.error()["slug"]) == (1, "unsupported")
        assert cli("ilm", "restore", remote.address).code == 2


def test_two_of_the_past_do_not_become_one_file(cli: Any, remote: Any) -> None:
    remote.put_all({"x/a": b"1", "y/a": b"2"})
    sources = [f"{remote.address}/{folder}/a" for folder in "xy"]
    done = cli("cp", "--rewind", "2100-01-01", *sources, "dst/")
    assert (done.code, "would both become dst/a" in done.err) == (2, True)


@pytest.mark.parametrize("past", [["--versions"], ["--rewind", "0s"]])
@pytest.mark.parametrize("verb", ["ls", "du", "tree", "find"])
def test_what_never_was_there_is_not_found(
    cli: Any, remote: Any, verb: str, past: list[str]
) -> None:
    if (verb, past[0]) in {("tree", "--versions"), ("find", "--rewind")}:
        past = []
    remote.put("a/b", b"1")
    done = cli(verb, *past, f"{remote.address}/none")
    assert (done.code, "there " in done.err, " nothing at " in done.err) == (5, True, True)
    assert cli(verb, *past, f"{remote.address}/a").code == 0
    assert cli(verb, *past, remote.address).code == 0
