"""alias, mb, rb, ls, cat, rm and stat: exit code, output and errors, against a real server."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def timeless(text: str) -> str:
    return re.sub(r"\[[^]]*\]", "[time]", text)


class TestAlias:
    def test_keys_come_from_standard_input_and_are_never_shown(
        self, cli: Any, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        feed(monkeypatch, f"{server.access_key}\n{server.secret_key}\n".encode())
        result = cli("alias", "set", "mine", server.endpoint)
        assert (0, f"added mine ({server.endpoint})\n", "") == (
            result.code,
            result.out,
            result.err,
        )
        for arguments in (["alias", "list"], ["alias", "list", "mine", "--json"]):
            shown = cli(*arguments)
            assert shown.code == 0
            assert server.access_key in shown.out
            assert server.secret_key not in shown.out + shown.err
        assert cli("ls", "mine").code == 0

    def test_keys_come_from_a_file_as_the_server_prints_them(
        self, cli: Any, server: Any, tmp_path: Path
    ) -> None:
        file = tmp_path / "keys.json"
        file.write_text(
            json.dumps({"access_key": server.access_key, "secret_key": server.secret_key})
        )
        result = cli("alias", "set", "mine", server.endpoint, "--access-key-file", file)
        assert (result.code, result.err) == (0, "")

    def test_keys_come_as_arguments_as_with_mc(self, cli: Any, server: Any) -> None:
        result = cli(
            "--json", "alias", "set", "m", server.endpoint, server.access_key, server.secret_key
        )
        assert result.code == 0
        document = result.documents()[0]
        assert (
            document["status"],
            document["alias"],
            document["secretKey"],
        ) == ("success", "m", "****")

    def test_wrong_keys_are_denied_and_nothing_is_stored(self, cli: Any, server: Any) -> None:
        result = cli("alias", "set", "mine", server.endpoint, server.access_key, "wrong-secret")
        assert result.code == 4
        assert "SignatureDoesNotMatch" in result.err
        assert cli("alias", "remove", "mine").code == 5

    def test_without_verifying_an_endpoint_may_be_away(self, cli: Any) -> None:
        result = cli("alias", "set", "m", "http://127.0.0.1:1", "AK", "secret", "--no-verify")
        assert result.code == 0

    def test_an_endpoint_that_is_away_is_a_network_failure(
        self, cli: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        monkeypatch.setenv("MC_HOST_away", f"http://a:b@127.0.0.1:{port}")
        result = cli("ls", "away")
        assert (result.code, result.out) == (7, "")
        assert f"error: 127.0.0.1:{port} cannot be reached: Connection refused" in result.err

    @pytest.mark.parametrize("data", [b"", b"only-one\n", b"a\nb\nc\n", b"\xff\xfe"])
    def test_what_is_no_pair_of_keys_is_a_usage_error(
        self, cli: Any, server: Any, monkeypatch: pytest.MonkeyPatch, data: bytes
    ) -> None:
        feed(monkeypatch, data)
        assert cli("alias", "set", "mine", server.endpoint).code == 2

    def test_keys_are_asked_for_on_a_terminal_and_the_secret_is_not_echoed(
        self, home: Path, server: Any
    ) -> None:
        terminal, side = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "ingot", "alias", "set", "mine", server.endpoint],
            stdin=side,
            stdout=subprocess.PIPE,
            stderr=side,
            text=True,
        )
        os.close(side)
        shown = b""
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            for question, answer in (
                (b"Access key: ", server.access_key),
                (b"Secret key: ", server.secret_key),
            ):
                while question not in shown:
                    shown += screen.read(1024)
                screen.write(f"{answer}\n".encode())
            out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, f"added mine ({server.endpoint})\n")
        assert server.secret_key.encode() not in shown

    def test_keys_come_from_the_environment(
        self, cli: Any, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("INGOT_ACCESS_KEY", server.access_key)
        monkeypatch.setenv("INGOT_SECRET_KEY", server.secret_key)
        assert cli("alias", "set", "mine", server.endpoint).code == 0


class TestBuckets:
    def test_a_bucket_is_made_listed_and_removed(self, cli: Any) -> None:
        name = "bucket-made-and-removed"
        made = cli("mb", f"s3/{name}")
        assert (made.code, made.out) == (0, f"made s3/{name}\n")
        assert f"{name}/" in cli("ls", "s3").out
        removed = cli("rb", f"s3/{name}")
        assert (removed.code, removed.out) == (0, f"removed s3/{name}\n")
        assert cli("ls", f"s3/{name}").code == 5

    def test_an_existing_bucket_is_a_conflict_unless_it_may_exist(
        self, cli: Any, remote: Any
    ) -> None:
        assert cli("mb", remote.address).code == 6
        assert cli("mb", "--ignore-existing", remote.address).code == 0

    def test_an_invalid_bucket_name_is_a_usage_error(self, cli: Any) -> None:
        assert cli("mb", "s3/NO").code == 2

    def test_a_bucket_that_is_not_empty_is_removed_only_by_force(
        self, cli: Any, remote: Any
    ) -> None:
        for index in range(3):
            remote.s3.put_object(Bucket=remote.bucket, Key=f"k{index}", Body=b"x")
        remote.s3.create_multipart_upload(Bucket=remote.bucket, Key="unfinished")
        assert cli("rb", remote.address).code == 6
        result = cli("rb", "--force", remote.address)
        assert result.code == 0
        assert f"removed {remote.address}/k1\n" in result.out

    def test_of_several_buckets_each_failure_is_told_and_the_exit_is_partial(
        self, cli: Any, remote: Any
    ) -> None:
        result = cli("mb", remote.address, f"{remote.address}2", "--json")
        assert result.code == 3
        assert [f"{remote.address}2"] == [document["bucket"] for document in result.documents()]
        slugs = [json.loads(line)["error"]["slug"] for line in result.err.splitlines()]
        assert slugs == ["conflict", "partial"]


class TestListing:
    @pytest.fixture(autouse=True)
    def _objects(self, remote: Any) -> None:
        for key in ("a", "a/b", "a/c/d", "a.txt", "line\nbreak", "é"):
            remote.put(key, key.encode())

    def test_one_level_shows_objects_and_folders_in_order(self, cli: Any, remote: Any) -> None:
        result = cli("ls", remote.address)
        assert (result.code, result.err) == (0, "")
        assert timeless(result.out).splitlines() == [
            "[time]        1 B a",
            "[time]        5 B a.txt",
            "[time]     folder a/",
            "[time]       10 B line\\nbreak",
            "[time]        2 B é",
        ]

    def test_an_address_without_a_slash_means_the_object_and_the_folder(
        self, cli: Any, remote: Any
    ) -> None:
        names = [
            document["key"] for document in cli("ls", "--json", f"{remote.address}/a").documents()
        ]
        assert names == ["a", "b", "c/"]

    def test_recursive_shows_every_key_and_the_sum(self, cli: Any, remote: Any) -> None:
        documents = cli("ls", "-r", "--summarize", "--json", f"{remote.address}/a/").documents()
        assert [document["key"] for document in documents[:-1]] == ["b", "c/d"]
        assert documents[-1] == {"status": "success", "totalObjects": 2, "totalSize": 8}

    def test_a_line_has_the_field_names_of_mc(self, cli: Any, remote: Any, server: Any) -> None:
        document = cli("ls", "--json", f"{remote.address}/a.txt").documents()[0]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document.pop("lastModified"))
        assert {
            "status": "success",
            "type": "file",
            "size": 5,
            "key": "a.txt",
            "etag": "ab4f63f9ac65152575886860dde480a1",
            "url": f"{server.endpoint}/{remote.address.removeprefix('s3/')}/",
            "versionOrdinal": 1,
            "storageClass": "STANDARD",
        } == {**document, "etag": "ab4f63f9ac65152575886860dde480a1"}

    @pytest.mark.parametrize("address", ["{}/none", "{}/none/", "s3/no-such-bucket"])
    def test_nothing_there_is_not_found(self, cli: Any, remote: Any, address: str) -> None:
        assert cli("ls", address.format(remote.address)).code == 5

    def test_an_empty_bucket_is_there(self, cli: Any) -> None:
        cli("mb", "s3/an-empty-bucket")
        result = cli("ls", "s3/an-empty-bucket")
        assert (result.code, result.out, result.err) == (0, "", "")

    def test_an_unknown_alias_is_suggested(self, cli: Any) -> None:
        result = cli("ls", "s33/x")
        assert (
            result.code,
            result.out,
            result.err.splitlines()[0],
        ) == (5, "", "error: there is no alias 's33'")
        assert "did you mean 's3'?" in result.err

    def test_stat_shows_an_object(self, cli: Any, remote: Any) -> None:
        remote.put("m", b"abc", Metadata={"colour": "blue"})
        document = cli("stat", "--json", f"{remote.address}/m").documents()[0]
        assert (f"{remote.address}/m", "file", 3, "900150983cd24fb0d6963f7d28e17f72") == (
            document["name"],
            document["type"],
            document["size"],
            document["etag"],
        )
        assert document["metadata"]["X-Amz-Meta-Colour"] == "blue"
        assert "X-Amz-Meta-Colour" in cli("stat", f"{remote.address}/m").out

    def test_stat_tells_folders_and_buckets(self, cli: Any, remote: Any) -> None:
        assert cli("stat", "--json", f"{remote.address}/a/c").documents()[0]["type"] == "folder"
        assert cli("stat", "--json", remote.address).documents()[0]["type"] == "folder"
        assert [
            cli("stat", address).code
            for address in (f"{remote.address}/none", "s3/no-such-bucket", "s3")
        ] == [5, 5, 2]


class TestCatAndRemove:
    def test_cat_prints_bytes_as_they_are(self, cli: Any, remote: Any) -> None:
        data = bytes(range(256)) * 5000
        remote.put("one", data)
        remote.put("two", b"\xff")
        result = cli("cat", f"{remote.address}/one", f"{remote.address}/two")
        assert (0, data + b"\xff") == (result.code, result.raw)

    def test_cat_of_some_that_are_missing_is_partial(self, cli: Any, remote: Any) -> None:
        remote.put("one", b"1")
        result = cli("cat", f"{remote.address}/one", f"{remote.address}/none")
        assert (result.code, result.out) == (3, "1")
        assert cli("cat", f"{remote.address}/none").code == 5

    def test_removing_one_object_and_one_that_is_not_there(self, cli: Any, remote: Any) -> None:
        remote.put("one", b"1")
        assert f"removed {remote.address}/one\n" == cli("rm", f"{remote.address}/one").out
        assert cli("rm", f"{remote.address}/one").code == 5
        assert cli("rm", "--force", f"{remote.address}/one").code == 0

    def test_removing_a_folder_spares_names_that_begin_alike(self, cli: Any, remote: Any) -> None:
        for key in ("a", "a/b", "a/c/d", "a.txt", "ab"):
            remote.put(key, b"")
        assert cli("rm", "--recursive", f"{remote.address}/a").code == 2
        planned = cli("rm", "--recursive", "--dry-run", "--json", f"{remote.address}/a")
        assert (
            planned.code,
            [document["dryRun"] for document in planned.documents()],
        ) == (0, [True] * 3)
        assert len(remote.objects()) == 5
        assert cli("rm", "--recursive", "--force", f"{remote.address}/a").code == 0
        assert {"a.txt", "ab"} == remote.objects().keys()
        assert cli("rm", "-r", "--dry-run", f"{remote.address}/a").code == 5

    def test_names_come_from_standard_input(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for key in ("one", "two", "three"):
            remote.put(key, b"")
        feed(monkeypatch, f"{remote.address}/one\n\n{remote.address}/two\n".encode())
        assert cli("rm", "--stdin").code == 0
        assert list(remote.objects()) == ["three"]

    def test_naming_nothing_or_a_bucket_is_a_usage_error(self, cli: Any, remote: Any) -> None:
        assert [
            cli("rm").code,
            cli("rm", remote.address).code,
            cli("rm", "-r", "--force", "s3").code,
        ] == [2, 2, 2]
