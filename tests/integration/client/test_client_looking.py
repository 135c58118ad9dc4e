"""ls, du, tree, stat, cat and head of local paths, beside what is on S3."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of files whose order on S3 is not that of a directory."""
    folder = tmp_path / "here"
    for name in ("a.txt", "d/e/1", "d/2", "d-x/3", "é"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    (folder / "link").symlink_to("d")
    return folder


def keys(result: Any) -> list[str]:
    assert result.code == 0, result.err
    return [document["key"] for document in result.documents()]


class TestLs:
    def test_a_folder(self, cli: Any, here: Path) -> None:
        assert keys(cli("ls", "--json", "here")) == ["a.txt", "d-x/", "d/", "link", "é"]
        expected = ["a.txt", "d-x/3", "d/2", "d/e/1", "link", "é"]
        assert keys(cli("ls", "--json", "-r", "./here/")) == expected
        (first, *_) = cli("ls", "--json", here).documents()
        assert (first["type"], first["size"], first["url"]) == ("file", 5, f"{here}/")

    def test_a_file_and_a_link_to_a_folder(self, cli: Any, here: Path) -> None:
        assert keys(cli("ls", "--json", "here/d/2")) == ["2"]
        assert keys(cli("ls", "--json", "here/link")) == ["2", "e/"]

    def test_a_name_that_is_no_utf8(self, cli: Any, here: Path) -> None:
        Path(os.fsdecode(os.fsencode(here / "d") + b"/\xff")).touch()
        assert "\\xff" in cli("ls", "here/d").out
        assert keys(cli("ls", "--json", "here/d")) == ["2", "e/", "\\xff"]

    def test_what_is_neither_here_nor_an_alias(self, cli: Any, here: Path) -> None:
        assert "no alias 'nowhere'" in cli("ls", "nowhere").err
        assert cli("ls", "./nowhere").err == "error: ./nowhere does not exist\n"
        assert cli("ls", "/nowhere").code == 5

    def test_an_alias_wins_over_a_folder_of_its_name(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "s3" / "below").mkdir(parents=True)
        assert "below/" not in keys(cli("ls", "--json", "s3"))
        assert keys(cli("ls", "--json", "./s3")) == ["below/"]

    @pytest.mark.parametrize("option", ["--versions", "--incomplete", "--rewind=1d"])
    def test_files_have_no_past(self, cli: Any, here: Path, option: str) -> None:
        assert cli("ls", option, "here").code == 2


def test_du(cli: Any, here: Path, remote: Any) -> None:
    link_bytes = len("d")
    assert f"{25 + link_bytes} B  6 objects  here\n" in cli("du", "here").out
    told = cli("du", "--json", "--depth", "2", "here", remote.address).documents()
    assert [(one["prefix"], one["objects"]) for one in told] == [
        ("here/d-x", 1),
        ("here/d", 2),
        ("here", 6),
        (remote.address, 0),
    ]
    assert cli("du", "--versions", "here").code == 2


def test_tree(cli: Any, here: Path) -> None:
    assert cli("tree", "here").out == "here\n├─ d-x/\n└─ d/\n   └─ e/\n"
    assert "│  └─ 3\n" in cli("tree", "--files", "--depth", "2", "./here").out
    assert cli("tree", "--rewind", "1d", "here").code == 2


def test_stat(cli: Any, here: Path) -> None:
    (shown,) = cli("stat", "--json", "here/a.txt").documents()
    assert (shown["name"], shown["type"], shown["size"]) == ("here/a.txt", "file", 5)
    assert cli("stat", "--json", "here").documents()[0]["type"] == "folder"
    assert cli("stat", "./nowhere").code == 5


class TestCat:
    def test_files_and_objects_one_after_the_other(self, cli: Any, remote: Any, here: Path) -> None:
        remote.put("k", b"object")
        assert cli("cat", "here/a.txt", f"{remote.address}/k").out == "12345object"

    def test_stretches(self, cli: Any, here: Path) -> None:
        assert cli("cat", "--offset", "3", "here/a.txt").out == "45"
        assert cli("cat", "--tail", "2", "here/a.txt").out == "45"
        assert cli("cat", "--tail", "9", "here/a.txt").out == "12345"
        for option in ("--part-number=1", "--version-id=x", "--rewind=1d"):
            assert cli("cat", option, "here/a.txt").code == 2

    def test_what_cannot_be_read(self, cli: Any, here: Path) -> None:
        assert cli("cat", "here/d").err == "error: cannot read here/d: Is a directory\n"
        assert cli("cat", "./nowhere").code == 5

    def test_head(self, cli: Any, here: Path) -> None:
        (here / "lines").write_text("1\n2\n3\n")
        assert cli("head", "-n", "2", "here/lines").out == "1\n2\n"


def test_aliases_of_the_file_that_mc_reads_variables_from(
    cli: Any, server: Any, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = f"http://{server.access_key}:{server.secret_key}@127.0.0.1:{server.port}"
    file = tmp_path / "variables"
    file.write_text(f"# aliases\nexport MC_HOST_one='{value}'\nMC_HOST_s3=http://x:y@127.0.0.1:1\n")
    monkeypatch.setenv("MC_CONFIG_ENV_FILE", str(file))
    assert cli("ls", f"one/{remote.bucket}").code == 0
    # What the environment itself says counts for more.
    assert cli("ls", remote.address).code == 0
    file.unlink()
    assert "MC_CONFIG_ENV_FILE" in cli("ls", remote.address).err
