from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, Error
from ingot.client.localnames import (
    key_problem,
    prepare_local_path,
    printable,
    remove_local_file,
    tree_name_problem,
)

HOSTILE = [
    "",
    "../x",
    "a/../../x",
    "..",
    ".",
    "a/./b",
    "/etc/passwd",
    "//x",
    "a//b",
    "a/",
    "x\0y",
    "a/" + "n" * 256,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert tree_name_problem(name) is not None
    with pytest.raises(Error, match="cannot be a file"):
        prepare_local_path(root, name)
    assert [root] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a", "a/b", "...", "..a/b..", "a\\..\\b", "~", "-rf", "a\nb"])
def test_odd_but_harmless_names_are_plain_files(tmp_path: Path, name: str) -> None:
    assert tree_name_problem(name) is None
    assert str(tmp_path / name) == prepare_local_path(tmp_path, name)


def test_a_link_in_the_target_does_not_let_an_object_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(ConflictError, match="symbolic link"):
        prepare_local_path(root, "link/x")
    with pytest.raises(ConflictError, match="symbolic link"):
        prepare_local_path(root, "link")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_a_conflict_both_ways(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConflictError, match="a file, but a folder is needed"):
        prepare_local_path(tmp_path, "file/x")
    with pytest.raises(ConflictError, match="a folder, not a plain file"):
        prepare_local_path(tmp_path, "folder")


def test_removing_takes_empty_folders_along_but_never_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "x").write_text("")
    (root / "a" / "y").write_text("")
    remove_local_file(root, "a/b/x")
    assert os.listdir(root / "a") == ["y"]
    remove_local_file(root, "a/y")
    remove_local_file(root, "a/y")
    assert os.listdir(root) == []


def test_a_key_must_be_utf8_and_at_most_1024_bytes() -> None:
    assert key_problem("é" * 510, "p/") is None
    assert "1026 bytes" in str(key_problem("é" * 512, "p/"))
    assert "not UTF-8" in str(key_problem(os.fsdecode(b"\xff"), ""))


def test_a_name_that_is_no_utf8_can_still_be_printed() -> None:
    assert printable(os.fsdecode(b"a\xff\xc3\xa9")) == "a\\xffé"
