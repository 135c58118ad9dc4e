"""Both sides on this machine: mirror, cp, mv and diff, without any service."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
LONG_AGO = 1_500_000_000


@pytest.fixture
def src(tmp_path: Path, files: Any) -> Path:
    files.fill(tmp_path / "src", 60)
    return tmp_path / "src"


def age(root: Path) -> None:
    """Let files look as if they had been there for long; only their ctime cannot be set."""
    for path in root.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


class TestMirror:
    def test_a_folder_becomes_like_another_and_the_second_run_is_idle(
        self, cli: Any, src: Path, tmp_path: Path, files: Any
    ) -> None:
        dst = tmp_path / "dst"
        first = cli("--json", "mirror", src, dst).documents()[-1]
        assert (first["copied"], first["failed"]) == (60, 0)
        assert files.contents(dst) == files.contents(src)
        second = cli("--json", "mirror", src, dst).documents()[-1]
        assert (second["copied"], second["unchanged"]) == (0, 60)

    def test_what_differs_is_a_conflict_unless_it_may_be_overwritten(
        self, cli: Any, src: Path, tmp_path: Path, files: Any
    ) -> None:
        dst = tmp_path / "dst"
        assert cli("mirror", src, dst).code == 0
        changed = next(path for path in sorted(dst.rglob("*")) if path.stat().st_size == 5000)
        changed.write_bytes(b"x" * 5000)
        refused = cli("mirror", src, dst)
        assert refused.code == 3
        assert "add --overwrite" in refused.err
        assert cli("mirror", "--overwrite", src, dst).code == 0
        assert files.contents(dst) == files.contents(src)

    def test_removals_are_bounded_and_last(
        self, cli: Any, src: Path, tmp_path: Path, files: Any
    ) -> None:
        dst = tmp_path / "dst"
        files.fill(dst, 150, seed=2)
        limited = cli("mirror", "--remove", "--overwrite", "--max-remove", "10", src, dst)
        assert limited.code == 3
        assert "none was" in limited.err
        assert set(files.contents(src).items()) < set(files.contents(dst).items())
        assert cli("mirror", "--remove", "--max-remove", "100%", src, dst).code == 0
        assert files.contents(dst) == files.contents(src)
        (tmp_path / "empty").mkdir()
        assert cli("mirror", "--remove", tmp_path / "empty", dst).code == 2
        assert files.contents(dst) == files.contents(src)

    def test_a_file_in_the_way_of_a_folder_goes_last_and_within_the_limit(
        self, cli: Any, tmp_path: Path, files: Any
    ) -> None:
        src, dst = tmp_path / "src", tmp_path / "dst"
        files.fill(dst, 10)
        (dst / "thing").write_text("old")
        (src / "thing").mkdir(parents=True)
        (src / "thing" / "x").write_text("new")
        refused = cli("mirror", "--remove", "--max-remove", "5", src, dst)
        assert (refused.code, "none was" in refused.err) == (6, True)
        assert (dst / "thing").read_text() == "old"
        assert cli("mirror", "--remove", "--max-remove", "11", src, dst).code == 0
        assert files.contents(dst) == {"thing/x": b"new"}

    def test_a_new_folder_in_a_new_folder_is_not_taken_for_an_alias(
        self, cli: Any, src: Path, tmp_path: Path, files: Any
    ) -> None:
        refused = cli("mirror", src, "store/photos")
        assert refused.code == 2
        assert "there is no alias 'store'" in refused.err
        assert not (tmp_path / "store").exists()
        assert cli("mirror", src, "./store/photos").code == 0
        assert files.contents(tmp_path / "store" / "photos") == files.contents(src)

    @pytest.mark.parametrize("pair", [("src", "src/in"), ("src/in", "src"), ("src", "link/x")])
    def test_one_folder_inside_the_other_is_refused(
        self, cli: Any, src: Path, tmp_path: Path, pair: tuple[str, str], files: Any
    ) -> None:
        (src / "in").mkdir()
        (tmp_path / "link").symlink_to("src")
        before = files.contents(src)
        done = cli("mirror", *pair)
        assert done.code == 2
        assert "lies in the other" in done.err
        assert files.contents(src) == before

    def test_a_plan_changes_nothing(self, cli: Any, src: Path, tmp_path: Path) -> None:
        done = cli("--json", "mirror", "--dry-run", "--exclude", "d-*", src, tmp_path / "dst")
        copies = [line for line in done.documents() if line["type"] == "copy"]
        assert all(line["dryRun"] for line in copies)
        assert 0 < len(copies) < 60
        assert not (tmp_path / "dst").exists()

    def test_links_and_pipes_are_left_out_and_their_counterparts_stay(
        self, cli: Any, tmp_path: Path
    ) -> None:
        src, dst = tmp_path / "src", tmp_path / "dst"
        src.mkdir()
        dst.mkdir()
        (src / "file").write_text("file")
        (src / "link").symlink_to("file")
        os.mkfifo(src / "pipe")
        (dst / "link").write_text("kept")
        done = cli("mirror", "--remove", "--overwrite", src, dst)
        assert done.code == 0
        assert "symbolic link; left out" in done.err
        assert "named pipe; left out" in done.err
        assert (dst / "link").read_text() == "kept"
        assert cli("mirror", "--overwrite", "--follow-symlinks", src, dst).code == 0
        assert (dst / "link").read_text() == "file"

    def test_a_link_to_the_target_does_not_grow_it(self, cli: Any, tmp_path: Path) -> None:
        src, dst = tmp_path / "src", tmp_path / "dst"
        src.mkdir()
        (src / "file").write_text("file")
        (src / "link").symlink_to(dst)
        for _ in range(2):
            done = cli("mirror", "--follow-symlinks", src, dst)
            assert done.code == 0
        assert "is the folder that is written to; left out" in done.err
        assert [path.name for path in dst.rglob("*")] == ["file"]

    def test_attributes_are_kept_when_asked_for(self, cli: Any, tmp_path: Path) -> None:
        src = tmp_path / "src"
        src.mkdir()
        (src / "tool").write_text("#!/bin/sh\n")
        (src / "tool").chmod(0o750)
        age(src)
        assert cli("mirror", "-a", src, tmp_path / "kept").code == 0
        assert cli("mirror", src, tmp_path / "plain").code == 0
        kept, plain = ((tmp_path / name / "tool").stat() for name in ("kept", "plain"))
        assert (kept.st_mtime, stat.S_IMODE(kept.st_mode)) == (LONG_AGO, 0o750)
        assert plain.st_mtime > LONG_AGO

    def test_files_known_to_be_alike_are_not_read_again(
        self, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ingot.client import comparison, digests, filecopy

        # As if the run were long after the last change.
        monkeypatch.setattr(digests, "_SETTLED_NS", 0)
        src, dst = tmp_path / "src", tmp_path / "dst"
        src.mkdir()
        (src / "x").write_bytes(os.urandom(MIB))
        assert cli("mirror", src, dst).code == 0
        assert cli("mirror", src, dst).code == 0
        read: list[Path] = []
        compared = filecopy.same_bytes

        def note(first: Path, second: Path) -> str | None:
            read.append(first)
            return compared(first, second)

        monkeypatch.setattr(comparison, "same_bytes", note)
        assert cli("mirror", src, dst).code == 0
        assert read == []
        assert cli("mirror", "--reread", src, dst).code == 0
        assert read == [src / "x"]
        (dst / "x").write_bytes(os.urandom(MIB))
        assert cli("mirror", src, dst).code == 6
        assert read == [src / "x"] * 2

    def test_a_file_that_cannot_be_written_fails_and_the_rest_goes_on(
        self, cli: Any, src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Any
    ) -> None:
        written = os.pwrite

        def full(descriptor: int, data: memoryview, offset: int) -> int:
            if len(data) > MIB // 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return written(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", full)
        done = cli("mirror", src, tmp_path / "dst")
        assert done.code == 3
        assert "No space left on device" in done.err
        copied = files.contents(tmp_path / "dst")
        assert 0 < len(copied) < 60
        assert set(copied.items()) < set(files.contents(src).items())

    def test_changes_are_carried_over(self, start: Any, src: Path, tmp_path: Path) -> None:
        dst = tmp_path / "dst"
        watch = start("mirror", "--watch", "--overwrite", "--remove", src, dst)
        watch.wait_for_text("watching")
        (src / "new").write_text("1")
        watch.wait_for((dst / "new").exists, "a file is created")
        (src / "new").rename(src / "renamed")
        watch.wait_for(
            lambda: (dst / "renamed").exists() and not (dst / "new").exists(), "it is renamed"
        )
        (src / "renamed").write_text("2")
        watch.wait_for(lambda: (dst / "renamed").read_text() == "2", "it is rewritten")
        assert watch.stop() == 143


class TestCopyAndMove:
    def test_a_file_is_copied_with_its_permissions(self, cli: Any, tmp_path: Path) -> None:
        (tmp_path / "tool").write_text("#!/bin/sh\n")
        (tmp_path / "tool").chmod(0o755)
        assert cli("cp", "tool", "copy").code == 0
        assert (tmp_path / "copy").read_text() == "#!/bin/sh\n"
        assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o755

    def test_folders_are_copied_and_moved(
        self, cli: Any, src: Path, tmp_path: Path, files: Any
    ) -> None:
        wanted = files.contents(src)
        assert cli("cp", "-r", "src", "./copies/").code == 0
        assert files.contents(tmp_path / "copies" / "src") == wanted
        assert cli("mv", "-r", "copies/src/", "moved").code == 0
        assert files.contents(tmp_path / "moved") == wanted
        assert list((tmp_path / "copies" / "src").iterdir()) == []
        assert cli("diff", src, "moved").code == 0

    def test_a_move_to_another_file_system_is_a_copy(
        self, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        renamed = os.rename

        def refuse(old: str | Path, new: str | Path) -> None:
            if Path(old) == Path("x"):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            renamed(old, new)

        (tmp_path / "x").write_text("x")
        monkeypatch.setattr(os, "rename", refuse)
        assert cli("mv", "x", "y").code == 0
        assert (tmp_path / "y").read_text() == "x"
        assert not (tmp_path / "x").exists()

    @pytest.mark.parametrize("verb", ["cp", "mv"])
    def test_a_file_onto_itself_is_refused(self, cli: Any, tmp_path: Path, verb: str) -> None:
        (tmp_path / "x").write_text("x")
        (tmp_path / "link").symlink_to("x")
        os.link(tmp_path / "x", tmp_path / "hard")
        assert cli(verb, "x", "x").code == 2
        assert cli(verb, "x", "hard").code == 6
        assert cli(verb, "x", tmp_path / "x").code == 6
        assert (tmp_path / "x").read_text() == (tmp_path / "hard").read_text() == "x"

    @pytest.mark.parametrize("verb", ["cp", "mv"])
    def test_what_only_objects_have_is_refused(self, cli: Any, tmp_path: Path, verb: str) -> None:
        (tmp_path / "x").write_text("x")
        done = cli(verb, "--tags", "a=b", "x", "y")
        assert done.code == 2
        assert "it has no object's attributes" in done.err
        assert not (tmp_path / "y").exists()


class TestDiff:
    def test_two_folders_are_compared_by_content(self, cli: Any, tmp_path: Path) -> None:
        for name, text in {"a/same": "1", "b/same": "1", "a/x": "1", "b/x": "2"}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "a" / "only").write_text("1")
        done = cli("--json", "diff", "a", "b")
        assert done.code == 1
        assert [(line["first"], line["diff"]) for line in done.documents()] == [
            ("a/only", "only-in-first"),
            ("a/x", "content"),
        ]

    @pytest.mark.parametrize("sides", [("a", "b"), ("b", "a")])
    def test_what_cannot_be_compared_is_told_of_either_side(
        self, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sides: tuple[str, str]
    ) -> None:
        for name in ("a/x", "b/x", "b/closed/y"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("1")
        (tmp_path / "b" / "link").symlink_to("x")
        real = os.open

        def refuse(path: str, flags: int, **options: Any) -> int:
            if path == "closed":
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, flags, **options)

        monkeypatch.setattr(os, "open", refuse)
        done = cli("diff", *sides)
        assert done.code == 3
        assert "b/closed/: cannot be read: Permission denied" in done.err
        assert "b/link is a symbolic link; left out" in done.err
        for options, code in (([], 0), (["--remove"], 3)):
            mirrored = cli("mirror", *options, "a", "b")
            assert (mirrored.code, "closed" in mirrored.err) == (code, bool(code))
        monkeypatch.undo()
        assert (tmp_path / "b" / "closed" / "y").exists()
