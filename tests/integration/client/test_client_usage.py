"""head, du, tree and pipe against a real server."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import pytest

MIB = 1 << 20


class TestHead:
    def test_the_first_lines_are_printed(self, cli: Any, remote: Any) -> None:
        remote.put("a", b"".join(b"%d\n" % number for number in range(20)))
        remote.put("b", b"no end")
        result = cli("head", f"{remote.address}/a")
        assert (result.code, result.out.split()) == (0, [str(number) for number in range(10)])
        assert cli("head", "-n", "2", f"{remote.address}/a", f"{remote.address}/b").out == (
            "0\n1\nno end"
        )
        assert cli("head", "-n", "0", f"{remote.address}/a").out == ""

    def test_lines_end_where_they_end_in_a_large_object(self, cli: Any, remote: Any) -> None:
        line = b"x" * 1_500_000 + b"\n"
        remote.put("a", line * 4)
        assert cli("head", "-n", "3", f"{remote.address}/a").raw == line * 3

    def test_what_is_missing_is_not_found(self, cli: Any, remote: Any) -> None:
        assert cli("head", f"{remote.address}/a").code == 5


@pytest.fixture
def filled(remote: Any) -> Any:
    """A bucket with folders of two levels."""
    keys = ["a.txt", "d/", "d/e/1", "d/e/2", "d/f/3", "d-x/4", "z"]
    remote.put_all({key: b"" if key.endswith("/") else b"12345" for key in keys})
    return remote


class TestUsage:
    def test_the_sum_is_told(self, cli: Any, filled: Any) -> None:
        result = cli("du", filled.address)
        assert (result.code, result.out) == (0, f"      30 B  7 objects  {filled.address}\n")

    def test_folders_are_told_before_what_they_are_in(self, cli: Any, filled: Any) -> None:
        def told(*options: str) -> list[tuple[str, int, int]]:
            documents = cli("du", "--json", *options, filled.address).documents()
            return [
                (one["prefix"].removeprefix(filled.address), one["objects"], one["size"])
                for one in documents
            ]

        assert told("--depth", "2") == [("/d-x", 1, 5), ("/d", 4, 15), ("", 7, 30)]
        assert told("--recursive") == [
            ("/d-x", 1, 5),
            ("/d/e", 2, 10),
            ("/d/f", 1, 5),
            ("/d", 4, 15),
            ("", 7, 30),
        ]

    def test_an_alias_has_its_buckets(self, cli: Any, filled: Any) -> None:
        documents = cli("du", "--json", "--depth", "2", "s3").documents()
        mine = [one for one in documents if one["prefix"] == filled.address]
        assert [(one["size"], one["objects"]) for one in mine] == [(30, 7)]
        assert documents[-1]["prefix"] == "s3"

    @pytest.mark.parametrize("address", ["{}/none", "s3/no-such-bucket"])
    def test_nothing_there_is_not_found(self, cli: Any, remote: Any, address: str) -> None:
        result = cli("du", address.format(remote.address))
        assert (result.code, result.out) == (5, "")


class TestTree:
    def test_folders_and_files_are_drawn(self, cli: Any, filled: Any) -> None:
        result = cli("tree", "--files", filled.address)
        assert result.code == 0
        assert result.out == (
            f"{filled.address}\n"
            "├─ a.txt\n"
            "├─ d-x/\n"
            "│  └─ 4\n"
            "├─ d/\n"
            "│  ├─ e/\n"
            "│  │  ├─ 1\n"
            "│  │  └─ 2\n"
            "│  └─ f/\n"
            "│     └─ 3\n"
            "└─ z\n"
        )

    def test_only_folders_down_to_a_level(self, cli: Any, filled: Any) -> None:
        assert cli("tree", "--depth", "1", filled.address).out == (
            f"{filled.address}\n├─ d-x/\n└─ d/\n"
        )
        documents = cli("tree", "--json", f"{filled.address}/d").documents()
        assert [(one["key"], one["level"]) for one in documents] == [
            (f"{filled.bucket}/d/e/", 1),
            (f"{filled.bucket}/d/f/", 1),
        ]

    def test_an_alias_has_its_buckets(self, cli: Any, filled: Any) -> None:
        documents = cli("tree", "--json", "--depth", "2", "s3").documents()
        assert {(f"{filled.bucket}/", 1), (f"{filled.bucket}/d/", 2)} <= {
            (one["key"], one["level"]) for one in documents
        }

    def test_nothing_there_is_not_found(self, cli: Any, remote: Any) -> None:
        assert cli("tree", f"{remote.address}/none").code == 5


class TestPipe:
    @pytest.mark.parametrize("size", [0, 5, 33 * MIB + 1])
    def test_input_of_any_length_is_stored(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        data = os.urandom(size)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        result = cli("pipe", "--json", f"{remote.address}/x.json")
        assert (result.code, result.documents()[0]["size"]) == (0, size)
        assert remote.objects() == {"x.json": data}
        assert remote.head("x.json")["ContentType"] == "application/json"

    @pytest.mark.parametrize("parts", [1, 3, 9])
    def test_parts_that_go_at_once_end_in_their_order(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, parts: int
    ) -> None:
        data = os.urandom((parts - 1) * 5 * MIB + 17)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        options = ("--part-size", "5M", "--concurrent", "4")
        assert cli("pipe", *options, f"{remote.address}/x").code == 0
        assert remote.objects() == {"x": data}

    def test_the_type_can_be_given(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"1")))
        options = ("--content-type", "text/x-mine")
        assert cli("pipe", *options, f"{remote.address}/x").code == 0
        assert remote.head("x")["ContentType"] == "text/x-mine"

    @pytest.mark.parametrize("concurrent", ["1", "3"])
    def test_an_input_that_breaks_leaves_nothing(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch, concurrent: str
    ) -> None:
        class Breaking(io.RawIOBase):
            left = 20 * MIB

            def read(self, size: int = -1) -> bytes:
                if self.left <= 0:
                    raise KeyboardInterrupt
                self.left -= size
                return bytes(size)

        class Input:
            buffer = Breaking()

        monkeypatch.setattr(sys, "stdin", Input())
        assert cli("pipe", "--concurrent", concurrent, f"{remote.address}/x").code == 130
        assert (remote.objects(), remote.uploads()) == ({}, [])

    @pytest.mark.parametrize("target", ["{}", "{}/folder/", "local"])
    def test_a_folder_is_no_target(self, cli: Any, remote: Any, target: str) -> None:
        assert cli("pipe", target.format(remote.address)).code in {2, 5}
