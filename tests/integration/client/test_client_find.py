"""find and diff against a real server."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def filled(remote: Any) -> Any:
    """A bucket with names of several kinds and sizes."""
    remote.put_all(
        {"a.jpg": b"x" * 100, "b.txt": b"", "d/c.jpg": b"x" * 2000, "d/e/$(id) ;x {size}": b"1"}
    )
    return remote


class TestFind:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ([], ["a.jpg", "b.txt", "d/c.jpg", "d/e/$(id) ;x {size}"]),
            (["--name", "*.jpg"], ["a.jpg", "d/c.jpg"]),
            (["--path", "s3/*/d/*"], ["d/c.jpg", "d/e/$(id) ;x {size}"]),
            (["--path", "d/*"], []),
            (["--regex", "/[ab]\\.(jpg|txt)$"], ["a.jpg", "b.txt"]),
            (["--ignore", "d"], ["a.jpg", "b.txt"]),
            (["--larger", "100"], ["d/c.jpg"]),
            (["--larger", "99", "--name", "a*"], ["a.jpg"]),
            (["--smaller", "1"], ["b.txt"]),
            (["--maxdepth", "1"], ["a.jpg", "b.txt"]),
            (["--maxdepth", "2", "--larger", "0"], ["a.jpg", "d/c.jpg"]),
            (["--older-than", "1h"], []),
            (["--newer-than", "1h", "--name", "b*"], ["b.txt"]),
        ],
    )
    def test_every_test_must_pass(
        self, cli: Any, filled: Any, options: list[str], expected: list[str]
    ) -> None:
        result = cli("find", filled.address, *options)
        assert (result.code, result.err) == (0, "")
        assert result.out.splitlines() == [f"{filled.address}/{key}" for key in expected]

    def test_age_is_counted_from_now(self, cli: Any, filled: Any) -> None:
        time.sleep(2.1)  # the times of a listing are whole seconds
        assert cli("find", filled.address, "--newer-than", "1s").out == ""
        assert len(cli("find", filled.address, "--older-than", "1s").out.splitlines()) == 4

    def test_what_is_printed_can_be_chosen(self, cli: Any, filled: Any) -> None:
        template = "{size} {base} {dir} {} {unknown}"
        result = cli("find", f"{filled.address}/d/e/", "--print", template)
        folder = f"{filled.address}/d/e"
        name = "$(id) ;x {size}"
        assert result.out == f"1 {name} {folder} {folder}/{name} {{unknown}}\n"
        document = cli("find", "--json", filled.address, "--name", "a*").documents()[0]
        assert (document["key"], document["size"]) == (f"{filled.address}/a.jpg", 100)

    def test_commands_run_without_a_shell(self, cli: Any, filled: Any) -> None:
        result = cli("find", filled.address, "--name", "*id*", "--exec", "printf '<%s>' {base} ';'")
        assert (result.code, result.out) == (0, "<$(id) ;x {size}><;>")

    def test_commands_that_fail_make_the_run_fail(self, cli: Any, filled: Any) -> None:
        result = cli("find", filled.address, "--name", "*.jpg", "--exec", "false")
        assert result.code == 1
        assert f"error: {filled.address}/a.jpg: false ended with exit code 1\n" in result.err
        assert cli("find", filled.address, "--exec", "test {size} -lt 1000").code == 3
        missing = cli("find", filled.address, "--exec", "no-such-program-here {}")
        assert (missing.code, missing.err.count("error:")) == (1, 1)

    @pytest.mark.parametrize(
        "options",
        [["--regex", "("], ["--larger", "x"], ["--older-than", "x"], ["--exec", "'"]],
    )
    def test_what_cannot_be_read_is_a_usage_error(
        self, cli: Any, filled: Any, options: list[str]
    ) -> None:
        assert cli("find", filled.address, *options).code == 2

    def test_nothing_there_is_not_found(self, cli: Any, remote: Any) -> None:
        assert cli("find", f"{remote.address}/none").code == 5


class TestDiff:
    def test_equal_trees_have_no_differences(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        files.fill(tmp_path / "src", 20)
        assert cli("cp", "-r", "src/", remote.address).code == 0
        large = os.urandom(9 * MIB)
        (tmp_path / "src" / "large").write_bytes(large)
        remote.put_parts("large", large, 5 * MIB, "CRC32")
        for sides in (("src", remote.address), (remote.address, "src")):
            result = cli("diff", *sides)
            assert (result.code, result.out, result.err) == (0, "", "")

    def test_each_kind_of_difference_is_told(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        src = tmp_path / "src"
        src.mkdir()
        for name, text in {"first": "1", "same": "1", "content": "1", "size": "1"}.items():
            (src / name).write_text(text)
        remote.put_all({"same": b"1", "content": b"2", "size": b"22", "second": b"1"})
        result = cli("diff", src, remote.address)
        assert (result.code, sorted(result.out.splitlines())) == (
            1,
            [f"! {src}/content", f"! {src}/size", f"< {src}/first", f"> {remote.address}/second"],
        )
        documents = cli("diff", "--json", remote.address, src).documents()
        assert {one["diff"] for one in documents} == {
            "only-in-first",
            "only-in-second",
            "size",
            "content",
        }

    def test_two_prefixes_of_one_bucket(self, cli: Any, remote: Any) -> None:
        remote.put_all({"a/x": b"1", "b/x": b"1", "b/y": b"2"})
        result = cli("diff", f"{remote.address}/a", f"{remote.address}/b")
        assert (result.code, result.out) == (1, f"> {remote.address}/b/y\n")
        excluding = ("--exclude", "y")
        assert cli("diff", *excluding, f"{remote.address}/a", f"{remote.address}/b").code == 0

    def test_both_sides_must_be_there(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        remote.put("a", b"1")
        (tmp_path / "src").mkdir()
        assert cli("diff", "missing", remote.address).code == 5
        assert cli("diff", remote.address, "missing").code == 5
        assert cli("diff", "src", f"{remote.address}/none").code == 5
        assert cli("diff", "src", "src").code == 0
        assert cli("diff", "src", "s3").code == 2
