"""find beyond the present of a bucket: versions, links, what comes from now on, and files."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def versioned(cli: Any, remote: Any) -> Any:
    """A bucket with an object of two versions that was deleted, and one that was not."""
    assert cli("version", "enable", remote.address).code == 0
    remote.put("a.jpg", b"1")
    remote.put("a.jpg", b"22")
    remote.delete("a.jpg")
    remote.put("d/b.jpg", b"333")
    return remote


class TestVersions:
    def test_all_versions_are_found_newest_first(self, cli: Any, versioned: Any) -> None:
        documents = cli("--json", "find", versioned.address, "--versions").documents()
        assert [
            (one["key"].rpartition("/")[2], one["size"], one["isDeleteMarker"]) for one in documents
        ] == [("a.jpg", 0, True), ("a.jpg", 2, False), ("a.jpg", 1, False), ("b.jpg", 3, False)]
        assert len({one["versionId"] for one in documents}) == 4
        lines = cli("find", versioned.address, "--versions").out.splitlines()
        assert lines == [f"{one['key']} ({one['versionId']})" for one in documents]

    def test_without_the_option_only_what_is_current_is(self, cli: Any, versioned: Any) -> None:
        assert cli("find", versioned.address).out == f"{versioned.address}/d/b.jpg\n"

    def test_tests_hold_for_versions_too(self, cli: Any, versioned: Any) -> None:
        found = cli("find", "s3", "--versions", "--path", f"{versioned.address}/*", "--larger", "1")
        assert [line.split(" ")[0] for line in found.out.splitlines()] == [
            f"{versioned.address}/a.jpg",
            f"{versioned.address}/d/b.jpg",
        ]
        tagged = cli("find", versioned.address, "--versions", "--metadata", "content-type=octet")
        assert len(tagged.out.splitlines()) == 3

    def test_a_command_gets_the_version(self, cli: Any, versioned: Any) -> None:
        command = f"{sys.executable} -m ingot cat --version-id {{version}} {{}}"
        options = ("--versions", "--name", "a.jpg", "--smaller", "2", "--larger", "0")
        done = cli("find", versioned.address, *options, "--exec", command)
        assert (done.code, done.out) == (0, "1")

    def test_a_link_is_of_the_version(self, cli: Any, versioned: Any) -> None:
        options = ("--versions", "--larger", "1", "--name", "a.jpg", "--print", "{url}")
        (url,) = cli("find", versioned.address, *options).out.split()
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"22"


class TestWatch:
    def test_what_is_there_and_what_comes_is_told_once(self, start: Any, remote: Any) -> None:
        remote.put("in/old.jpg", b"1")
        watch = start("find", "--watch", "--name", "*.jpg", f"{remote.address}/in")
        watch.wait_for_text("watching")
        watch.wait_for_text("in/old.jpg")
        remote.put("in/new.jpg", b"2")
        remote.put("in/new.txt", b"3")
        remote.put("inside/other.jpg", b"4")
        remote.delete("in/old.jpg")
        remote.put("in/last.jpg", b"5")
        watch.wait_for_text("in/last.jpg")
        assert watch.stop() == 143
        told = [line for line in watch.log().splitlines() if line.startswith(remote.address)]
        assert told == [f"{remote.address}/in/{name}.jpg" for name in ("old", "new", "last")]

    def test_commands_run_for_what_comes(self, start: Any, remote: Any, tmp_path: Path) -> None:
        command = f"touch {tmp_path}/{{base}}-{{size}}"
        watch = start("find", "-w", "--tags", "kind=cat", remote.address, "--exec", command)
        watch.wait_for_text("watching")
        remote.put("untagged", b"1")
        remote.put("tom", b"22", Tagging="kind=cat")
        watch.wait_for((tmp_path / "tom-2").exists, "the command ran")
        assert not (tmp_path / "untagged-1").exists()
        assert watch.stop(signal.SIGINT) == 130

    def test_versions_that_come_are_named(self, start: Any, versioned: Any) -> None:
        watch = start("find", "-w", "--versions", f"{versioned.address}/new")
        # Nothing of this name is there yet, and a watch is for what is not.
        watch.wait_for_text("watching")
        made = versioned.s3.put_object(Bucket=versioned.bucket, Key="new", Body=b"1")
        watch.wait_for_text(f"new ({made['VersionId']})")
        assert watch.stop() == 143

    def test_a_service_without_a_stream_is_polled(self, start: Any, elsewhere: Any) -> None:
        elsewhere.put("old", b"1")
        watch = start("find", "-w", "--interval", "200ms", elsewhere.address)
        watch.wait_for_text("watching")
        watch.wait_for_text("/old")
        elsewhere.put("new", b"1")
        watch.wait_for_text("/new")
        assert "no stream of events" in watch.log()
        assert watch.stop() == 143

    def test_a_folder_may_come_later(self, start: Any, remote: Any) -> None:
        watch = start("find", "--watch", f"{remote.address}/later/")
        watch.wait_for_text("watching")
        remote.put("later/x", b"1")
        watch.wait_for_text("later/x")
        assert watch.stop() == 143

    def test_a_bucket_that_is_not_there_ends_it(self, cli: Any) -> None:
        assert cli("find", "--watch", "s3/no-such-bucket").code == 5

    def test_an_interval_of_nothing_is_refused(self, cli: Any, remote: Any) -> None:
        assert cli("find", "--watch", "--interval", "0s", remote.address).code == 2


class TestFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name, size in {"a.jpg": 100, "d/c.jpg": 2000, "d/b.txt": 0}.items():
            path = tmp_path / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))
        return tmp_path / "files"

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], ["a.jpg", "d/b.txt", "d/c.jpg"]),
            (["--name", "*.jpg"], ["a.jpg", "d/c.jpg"]),
            (["--path", "*/d/*", "--larger", "1k"], ["d/c.jpg"]),
            (["--ignore", "d"], ["a.jpg"]),
            (["--maxdepth", "1"], ["a.jpg"]),
            (["--older-than", "1h"], []),
        ],
    )
    def test_files_pass_the_same_tests(
        self, cli: Any, folder: Path, options: list[str], expected: list[str]
    ) -> None:
        done = cli("find", "./files", *options)
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [f"files/{name}" for name in expected]

    def test_one_file_is_found_too(self, cli: Any, folder: Path) -> None:
        done = cli("find", folder / "d" / "c.jpg", "--print", "{size} {base}")
        assert done.out == "2000 c.jpg\n"

    def test_links_are_told_and_left_out(self, cli: Any, folder: Path) -> None:
        (folder / "link").symlink_to("a.jpg")
        done = cli("find", folder)
        assert (done.code, len(done.out.splitlines())) == (0, 3)
        assert "symbolic link; left out" in done.err

    @pytest.mark.parametrize(
        "options", [["--versions"], ["--tags", "a=b"], ["--metadata", "a=b"], ["--print", "{url}"]]
    )
    def test_what_files_do_not_have_is_refused(
        self, cli: Any, folder: Path, options: list[str]
    ) -> None:
        assert cli("find", folder, *options).code == 2

    def test_a_folder_that_is_not_there_is_not_found(self, cli: Any) -> None:
        assert cli("find", "./none").code == 5
        assert cli("find", "--watch", "./none").code == 5

    def test_files_that_come_are_told(self, start: Any, folder: Path) -> None:
        watch = start("find", "--watch", "--name", "*.jpg", folder)
        watch.wait_for_text("d/c.jpg")
        (folder / "new.jpg").write_bytes(b"1")
        (folder / "new.txt").write_bytes(b"1")
        watch.wait_for_text("new.jpg")
        staged = folder.parent / "staged"
        staged.mkdir()
        (staged / "moved.jpg").write_bytes(b"1")
        staged.rename(folder / "staged")
        watch.wait_for_text("staged/moved.jpg")
        os.unlink(folder / "a.jpg")
        (folder / "d" / "c.jpg").write_bytes(b"other")
        watch.wait_for(lambda: watch.log().count("d/c.jpg") == 2, "a rewritten file is told again")
        assert "new.txt" not in watch.log()
        assert watch.log().count("a.jpg") == 1
        assert watch.stop() == 143


@pytest.fixture
def silent_service() -> Iterator[str]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield f"http://a:b@127.0.0.1:{listener.getsockname()[1]}"


def test_a_stream_that_says_nothing_is_no_stream(
    silent_service: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingot.client import connections
    from ingot.client.aliases import AliasBook
    from ingot.s3client.listen import NoStreamError

    monkeypatch.setattr(connections, "LISTEN_SILENCE_S", 0.3)
    monkeypatch.setenv("MC_HOST_silent", silent_service)
    with connections.Connections() as opened:
        listener = opened.listener(AliasBook.default().get("silent"))
        with pytest.raises(NoStreamError, match="no stream of events"):
            next(listener.listen_bucket_notification("b"))
