"""What changes, goes or is replaced while a command is at it: told as it is, and never left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.client.comparison import Comparison
from ingot.client.copier import Copier
from ingot.client.moving import MovingCopier
from ingot.s3client.transfer import Transfers


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let something happen right before each call of a method.

    Or, if it returns what does the rest, after that has.
    """

    def arrange(owner: type, name: str, act: Callable[[], object], *, after: bool = False) -> None:
        real = getattr(owner, name)

        def interfered(*arguments: Any, **options: Any) -> Any:
            if not after:
                act()
            finish = real(*arguments, **options)

            def rest() -> Any:
                result = finish()
                act()
                return result

            return rest if after else finish

        monkeypatch.setattr(owner, name, interfered)

    return arrange


@pytest.mark.parametrize("verb", ["cp", "mv"])
def test_a_file_that_was_named_and_is_gone_is_a_failure(
    cli: Any, remote: Any, tmp_path: Path, before: Any, verb: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    before(Copier, "begin", lambda: (tmp_path / "a").unlink(missing_ok=True))
    both = cli(verb, "--max-workers", "1", "a", "b", f"{remote.address}/")
    assert both.code == 3, both.err
    assert "is gone" in both.err or "does not exist" in both.err
    assert remote.objects() == {"b": b"b"}
    (tmp_path / "a").write_text("a")
    assert cli(verb, "a", f"{remote.address}/").code == 5


@pytest.mark.parametrize("source", ["bucket", "folder"])
def test_a_target_that_is_gone_when_it_is_compared_is_copied_again(
    cli: Any, remote: Any, tmp_path: Path, before: Any, source: str
) -> None:
    target = tmp_path / "dst"
    target.mkdir()
    (target / "a").write_text("1")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("2")
    remote.put("a", b"2")
    before(Comparison, "is_same", lambda: (target / "a").unlink(missing_ok=True))
    origin = remote.address if source == "bucket" else "src"
    done = cli("mirror", "--overwrite", origin, "dst")
    assert done.code == 0, done.err
    assert (target / "a").read_text() == "2"


@pytest.mark.parametrize("target", ["dst", "{}/copy/"])
def test_an_object_that_goes_before_it_is_read_is_left_out(
    cli: Any, remote: Any, tmp_path: Path, before: Any, target: str
) -> None:
    remote.put_all({"src/a": b"1", "src/b": b"2"})
    before(Copier, "begin", lambda: remote.delete("src/a"))
    done = cli(
        "mirror", "--max-workers", "1", f"{remote.address}/src", target.format(remote.address)
    )
    assert done.code == 0, done.err
    assert "src/a vanished before it was read; left out" in done.err
    assert "copied 1 (1 B), left out 1" in done.err
    lost = cli("mirror", f"{remote.address}/src", "s3/there-is-none/x")
    assert lost.code == 5


def test_a_file_that_goes_once_it_is_stored_was_stored(
    cli: Any, remote: Any, tmp_path: Path, before: Any
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("1")
    before(Transfers, "begin_upload_file", (tmp_path / "src" / "a").unlink, after=True)
    done = cli("--json", "mirror", "src", remote.address)
    assert done.code == 0
    assert (done.documents()[-1]["copied"], done.documents()[-1]["skipped"]) == (1, 0)
    assert remote.objects() == {"a": b"1"}


def test_a_folder_that_becomes_a_file_takes_its_files_along(
    cli: Any, remote: Any, tmp_path: Path, before: Any
) -> None:
    folder = tmp_path / "src" / "d"
    folder.mkdir(parents=True)
    (folder / "a").write_text("1")

    def replace() -> None:
        if folder.is_dir():
            (folder / "a").unlink()
            folder.rmdir()
            folder.write_text("2")

    before(Copier, "begin", replace)
    done = cli("mirror", "src", remote.address)
    assert done.code == 0, done.err
    assert "vanished before it was read" in done.err
    assert remote.objects() == {}


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_takes_the_place_of_a_file_is_not_read(
    cli: Any, remote: Any, tmp_path: Path, before: Any, kind: str
) -> None:
    (tmp_path / "secret").write_text("s")
    path = tmp_path / "src" / "a"
    path.parent.mkdir()
    path.write_text("1")

    def replace() -> None:
        path.unlink()
        if kind == "link":
            path.symlink_to(tmp_path / "secret")
        else:
            os.mkfifo(path)

    before(Copier, "begin", replace)
    done = cli("mirror", "src", remote.address)
    assert done.code == 1, done.err
    assert remote.objects() == {}


def test_a_move_keeps_a_file_that_was_rewritten_and_looks_as_before(
    cli: Any, remote: Any, tmp_path: Path, before: Any
) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    looks = path.stat()

    def rewrite() -> None:
        while path.stat().st_ctime_ns == looks.st_ctime_ns:
            path.write_text("2")
        os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))

    before(Copier, "begin", rewrite, after=True)
    done = cli("mv", "a", f"{remote.address}/")
    assert (done.code, "it stays" in done.err) == (6, True)
    assert path.read_text() == "2"


def test_a_file_has_its_attributes_when_it_has_its_name(
    cli: Any, remote: Any, tmp_path: Path, before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("1")
    (tmp_path / "key").chmod(0o600)
    assert cli("cp", "--preserve", "key", f"{remote.address}/").code == 0
    (tmp_path / "dst").mkdir()
    modes: list[int] = []
    renamed = os.rename

    def rename(old: str, new: str) -> None:
        modes.append(os.stat(old).st_mode & 0o777)
        renamed(old, new)

    monkeypatch.setattr(os, "rename", rename)
    assert cli("cp", "--preserve", f"{remote.address}/key", "dst/").code == 0
    assert modes == [0o600]


@pytest.mark.parametrize("source", ["bucket", "folder"])
@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_file_that_was_not_listed_is_not_replaced(
    cli: Any, remote: Any, before: Any, source: str, options: tuple[str, ...]
) -> None:
    target, folder = Path("dst"), Path("src")
    target.mkdir()
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text("1")
        remote.put(name, b"1")
    # As where the file system takes `A`, which was copied, for `a`, which comes next.
    before(Copier, "begin", lambda: (target / "b").write_text("2"))
    origin = remote.address if source == "bucket" else "src"
    done = cli("mirror", *options, origin, "dst")
    assert done.code == 3
    assert "was not there when the target was listed" in done.err
    assert (target / "b").read_text() == "2"
    assert cli("mirror", "--overwrite", origin, "dst").code == 0
    assert (target / "b").read_text() == "1"
    # Who copies everything replaces what the target has.
    assert cli("cp", "-r", f"{origin}/", "dst").code == 0


@pytest.mark.parametrize("verb", ["cp", "mv"])
@pytest.mark.parametrize("place", [("bucket", ""), ("bucket", "d/"), ("folder", "d/")])
def test_two_names_that_are_one_to_the_file_system_are_told(
    cli: Any, remote: Any, before: Any, verb: str, place: tuple[str, str]
) -> None:
    source, folder = place
    target, origin = Path("dst"), Path("src")
    for name in ("A", "B", "a"):
        path = origin / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        remote.put(f"in/{folder}{name}", name.encode())
    (target / folder).mkdir(parents=True)
    (target / folder / "B").write_text("old")

    def alias() -> None:
        # As a file system does that takes `a` for `A`.
        written, other = target / folder / "A", target / folder / "a"
        if written.exists() and not other.exists():
            os.link(written, other)

    before(MovingCopier if verb == "mv" else Copier, "begin", alias)
    before(MovingCopier if verb == "mv" else Copier, "begin", alias, after=True)
    words = f"{remote.address}/in/" if source == "bucket" else "src/"
    done = cli(verb, "-r", "--max-workers", "1", words, "dst")
    assert done.code == 3
    assert "takes two names for one" in done.err
    kept = {name: (target / folder / name).read_text() for name in ("A", "B", "a")}
    assert kept == {"A": "A", "B": "B", "a": "A"}
    assert (origin / folder / "a").read_text() == "a"
    assert remote.objects("in/")[f"{folder}a"] == b"a"


def test_two_files_that_become_one_are_told(cli: Any, remote: Any, before: Any) -> None:
    target = Path("dst")
    target.mkdir()
    remote.put_all({"one/A": b"A", "two/a": b"a"})

    def alias() -> None:
        if (target / "A").exists() and not (target / "a").exists():
            os.link(target / "A", target / "a")

    before(Copier, "begin", alias, after=True)
    sources = (f"{remote.address}/one/A", f"{remote.address}/two/a")
    done = cli("cp", "--max-workers", "1", *sources, "dst/")
    assert (done.code, "takes two names for one" in done.err) == (3, True)
    assert (target / "a").read_text() == "A"


def test_folders_whose_names_are_one_do_not_mix(cli: Any, remote: Any, before: Any) -> None:
    target = Path("dst")
    remote.put_all({"in/D/x": b"D", "in/d/x": b"d", "in/d/y": b"d"})

    def alias() -> None:
        if (target / "D").exists() and not (target / "d").exists():
            (target / "d").mkdir()
            os.link(target / "D" / "x", target / "d" / "x")

    before(Copier, "begin", alias, after=True)
    done = cli("cp", "-r", "--max-workers", "1", f"{remote.address}/in/", "dst")
    assert (done.code, "takes two names for one" in done.err) == (3, True)
    assert (target / "d" / "x").read_text() == "D"
    assert (target / "d" / "y").read_text() == "d"


def test_a_target_that_is_unmounted_meanwhile_fails_the_run(
    cli: Any, remote: Any, tmp_path: Path, before: Any
) -> None:
    target = tmp_path / "dst"
    for name in ("a", "b", "c"):
        remote.put(name, b"1")

    def unmount() -> None:
        if target.exists() and not (tmp_path / "was").exists():
            target.rename(tmp_path / "was")

    before(Copier, "begin", unmount)
    done = cli("mirror", "--max-workers", "1", remote.address, "dst")
    assert done.code == 1
    assert "another folder took the place of dst meanwhile" in done.err
