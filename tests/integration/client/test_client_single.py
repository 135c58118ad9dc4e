"""get, put and od: one file or object, whole and verified."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(random.Random(1).randbytes(11 * MIB + 3))
    return path


class TestPut:
    def test_a_file_goes_into_a_bucket_with_all_that_was_said_of_it(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "index.html").write_text("<p>")
        done = cli(
            *("put", "index.html", f"{remote.address}/site/", "--storage-class", "STANDARD_IA"),
            *("--attr", "Cache-Control=max-age=90, public;Artist=me", "--tags", "kind=page&a=b%26"),
        )
        address = f"{remote.address}/site/index.html"
        assert (done.code, done.out) == (0, f"index.html -> {address}\n")
        head = remote.head("site/index.html")
        assert head["CacheControl"] == "max-age=90, public"
        assert head["ContentType"] == "text/html"
        assert head["Metadata"] == {"artist": "me"}
        assert head["StorageClass"] == "STANDARD_IA"
        tags = remote.s3.get_object_tagging(Bucket=remote.bucket, Key="site/index.html")["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "b&", "kind": "page"}

    def test_a_large_file_goes_in_parts_of_the_size_that_was_said(
        self, cli: Any, remote: Any, large: Path
    ) -> None:
        done = cli("put", "--part-size", "5M", "--parallel", "2", large, f"{remote.address}/large")
        assert (done.code, done.err) == (0, "")
        assert remote.head("large")["ETag"].endswith('-3"')
        assert remote.objects()["large"] == large.read_bytes()
        assert remote.uploads() == []

    def test_an_object_is_not_replaced_when_it_must_not_be(
        self, cli: Any, remote: Any, large: Path
    ) -> None:
        remote.put("large.bin", b"first")
        for size in ("5M", "16M"):
            arguments = ("--part-size", size, "--if-not-exists", large, f"{remote.address}/")
            assert cli("put", *arguments).code == 6
        assert remote.objects() == {"large.bin": b"first"}
        assert remote.uploads() == []
        assert cli("put", "--if-not-exists", large, f"{remote.address}/other").code == 0

    @pytest.mark.parametrize("verb", ["get", "mirror"])
    def test_a_dash_is_no_file(self, cli: Any, remote: Any, tmp_path: Path, verb: str) -> None:
        remote.put("a", b"1")
        source = f"{remote.address}/a" if verb == "get" else remote.address
        refused = cli(verb, source, "-")
        assert (refused.code, "ingot cat" in refused.err) == (2, True)
        assert not (tmp_path / "-").exists()
        assert cli(verb, source, "./-").code == 0
        assert (tmp_path / "-").exists()

    def test_a_folder_is_told_who_copies_it(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        refused = cli("put", "d", f"{remote.address}/")
        assert (refused.code, "ingot cp --recursive" in refused.err) == (2, True)

    def test_what_cannot_be_put(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        file = tmp_path / "f"
        file.touch()
        os.mkfifo(tmp_path / "pipe")
        assert cli("put", "nothing", remote.address).code == 5
        assert cli("put", tmp_path, remote.address).code == 2
        assert cli("put", tmp_path / "pipe", remote.address).code == 2
        assert cli("put", file, "s3").code == 2
        assert cli("put", "--part-size", "1M", file, remote.address).code == 2
        assert cli("put", "--attr", "no pair", file, remote.address).code == 2
        assert cli("put", "--tags", "a=1&a=2", file, remote.address).code == 2
        assert cli("put", file, "s3/no-such-bucket-at-all").code == 5
        assert remote.objects() == {}


class TestGet:
    def test_an_object_becomes_a_file(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        remote.put("a/cat.jpg", b"meow")
        done = cli("get", f"{remote.address}/a/cat.jpg", "new/")
        assert (done.code, done.out) == (0, f"{remote.address}/a/cat.jpg -> new/cat.jpg\n")
        assert (tmp_path / "new/cat.jpg").read_bytes() == b"meow"
        assert cli("get", f"{remote.address}/a/cat.jpg", "dog.jpg").code == 0
        assert (tmp_path / "dog.jpg").read_bytes() == b"meow"

    def test_an_older_version(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        cli("version", "enable", remote.address)
        remote.put("k", b"old")
        version_id = remote.head("k")["VersionId"]
        remote.put("k", b"new")
        done = cli("get", "--version-id", version_id, f"{remote.address}/k", "k")
        assert (done.code, (tmp_path / "k").read_bytes()) == (0, b"old")
        assert cli("get", "--version-id", "0" * 32, f"{remote.address}/k", "k").code != 0
        assert (tmp_path / "k").read_bytes() == b"old"

    def test_what_cannot_be_had(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        assert cli("get", f"{remote.address}/nothing", "k").code == 5
        assert cli("get", remote.address, "k").code == 2
        assert cli("get", "./local", "k").code == 2
        assert list(tmp_path.iterdir()) == [tmp_path / "home"]


class TestOd:
    def test_parts_go_up_one_after_the_other(self, cli: Any, remote: Any, large: Path) -> None:
        target = f"{remote.address}/large"
        done = cli("od", f"if={large}", f"of={target}", "size=5M", "--json")
        (document,) = done.documents()
        assert (document["parts"], document["totalSize"]) == (3, large.stat().st_size)
        assert document["elapsed"] > 0
        assert remote.objects()["large"] == large.read_bytes()
        cli("od", f"if={large}", f"of={target}", "size=5M", "parts=1", "skip=1")
        assert remote.objects()["large"] == large.read_bytes()[5 * MIB : 10 * MIB]
        cli("od", f"if={large}", f"of={target}", "size=5M", "skip=2")
        assert remote.objects()["large"] == large.read_bytes()[10 * MIB :]

    def test_a_device_that_never_ends_is_cut(self, cli: Any, remote: Any) -> None:
        done = cli("od", "if=/dev/zero", f"of={remote.address}/zeros", "size=5M", "parts=2")
        assert (done.code, done.out.split(",")[0]) == (0, "10.0 MiB in 2 parts")

    def test_an_object_comes_down(self, cli: Any, remote: Any, large: Path, tmp_path: Path) -> None:
        remote.put("k", large.read_bytes())
        assert cli("od", f"if={remote.address}/k", "of=/dev/null").code == 0
        assert cli("od", f"if={remote.address}/k", f"of={tmp_path}/down").code == 0
        assert (tmp_path / "down").read_bytes() == large.read_bytes()

    @pytest.mark.parametrize(
        "words",
        [
            ("if=x",),
            ("if=x", "of=y"),
            ("if=s3/b/k", "of=s3/b/l"),
            ("if=s3/b/k", "of=y", "parts=1"),
            ("if=x", "of=s3/b/k", "size=1M"),
            ("if=x", "of=s3/b/k", "parts=0"),
            ("if=x", "of=s3/b/k", "speed=9"),
            ("if=x", "if=x", "of=s3/b/k"),
        ],
    )
    def test_what_is_not_understood(self, cli: Any, remote: Any, words: tuple[str, ...]) -> None:
        assert cli("od", *words).code == 2
