"""A dry run tells what the run would: it fails where that fails, and then the run does the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

NOT_UTF8 = os.fsdecode(b"bad\xff")


def write(root: Path, **contents: str) -> None:
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def both(cli: Any, verb: str, *words: str) -> tuple[Any, Any]:
    return cli(verb, "--dry-run", *words), cli(verb, *words)


@pytest.mark.parametrize("blocked", [{"x": "file"}, {"x__a": "below"}])
@pytest.mark.parametrize("options", [[], ["--remove"]])
def test_what_stands_in_the_way_is_told(
    cli: Any, tmp_path: Path, options: list[str], blocked: dict[str, str]
) -> None:
    write(tmp_path / "src", **blocked)
    write(tmp_path / "dst", **({"x": "file"} if "x__a" in blocked else {"x__a": "below"}))
    dry, done = both(cli, "mirror", *options, "src", "dst")
    assert dry.code == done.code == (0 if options else 6)
    assert ("copied 1" in dry.err) == ("copied 1" in done.err) == bool(options)
    if not options:
        assert dry.err.splitlines()[0] == done.err.splitlines()[0]


def test_empty_folders_make_way_only_with_remove(cli: Any, tmp_path: Path, files: Any) -> None:
    write(tmp_path / "src", x="1", y__z="2", w="3")
    for name in ("x/deep/er", "y/z", "w/deep"):
        (tmp_path / "dst" / name).mkdir(parents=True)
    (tmp_path / "dst" / "w" / "deep" / "link").symlink_to(tmp_path)
    dry, done = both(cli, "mirror", "src", "dst")
    assert (dry.code, done.code, files.contents(tmp_path / "dst")) == (6, 6, {})
    dry, done = both(cli, "mirror", "--remove", "src", "dst")
    assert sorted(dry.out.splitlines()) == sorted(done.out.splitlines())
    assert (dry.code, done.code) == (3, 3)
    assert (tmp_path / "dst" / "w" / "deep" / "link").is_symlink()
    assert ((tmp_path / "dst" / "x").read_text(), (tmp_path / "dst/y/z").read_text()) == ("1", "2")


def test_a_folder_that_keeps_something_does_not_make_way(cli: Any, tmp_path: Path) -> None:
    write(tmp_path / "src", x="1")
    write(tmp_path / "dst", x__gone="2", x__kept="3")
    dry, done = both(cli, "mirror", "--remove", "--exclude", "kept", "src", "dst")
    assert (dry.code, done.code) == (3, 3)
    assert dry.out.replace("would remove", "removed") == done.out


@pytest.mark.parametrize("words", [["mirror"], ["cp", "--recursive"]])
def test_names_that_cannot_be_keys_are_told(
    cli: Any, remote: Any, tmp_path: Path, words: list[str]
) -> None:
    write(tmp_path / "src", good="1", **{NOT_UTF8: "2"})
    dry, done = both(cli, *words, "src/", f"{remote.address}/to/")
    assert dry.code == done.code == 3
    for result in (dry, done):
        assert "bad\\xff: its name is not UTF-8" in result.err
    assert remote.objects() == {"to/good": b"1"}


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_a_link_or_a_bucket_that_is_not_there_is_told(cli: Any, tmp_path: Path, verb: str) -> None:
    write(tmp_path, x="1")
    (tmp_path / "link").symlink_to("elsewhere")
    dry, done = both(cli, "cp", "x", "link")
    assert dry.code == done.code == 6
    dry, done = both(cli, verb, "x", "s3/there-is-none/x")
    assert dry.code == done.code == 5
    assert (tmp_path / "x").exists()
