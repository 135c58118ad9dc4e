"""cp and mirror in both directions, byte by byte, and what they refuse."""

from __future__ import annotations

import io
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


class TestCopySingle:
    @pytest.mark.parametrize(
        ("target", "key"), [("", "cat.txt"), ("/", "cat.txt"), ("/p/", "p/cat.txt"), ("/p", "p")]
    )
    def test_a_file_goes_into_a_folder_or_becomes_the_key(
        self, cli: Any, remote: Any, tmp_path: Path, target: str, key: str
    ) -> None:
        (tmp_path / "cat.txt").write_text("meow")
        result = cli("cp", "cat.txt", remote.address + target)
        assert (0, f"cat.txt -> {remote.address}/{key}\n", "") == (
            result.code,
            result.out,
            result.err,
        )
        assert {key: b"meow"} == remote.objects()
        assert remote.head(key)["ContentType"] == "text/plain"

    def test_a_large_file_goes_up_and_down_in_parts(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        data = os.urandom(70 * MIB + 1)
        (tmp_path / "big").write_bytes(data)
        assert cli("cp", "big", f"{remote.address}/big").code == 0
        assert "-5" in remote.head("big")["ETag"]
        assert cli("cp", f"{remote.address}/big", "down").code == 0
        assert data == (tmp_path / "down").read_bytes()
        (tmp_path / "tree").mkdir()
        (tmp_path / "big").rename(tmp_path / "tree" / "big")
        result = cli("mirror", "tree", remote.address)
        assert (result.code, result.out) == (0, "")

    def test_an_object_comes_down_with_the_mode_of_the_umask(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        remote.put_all({"a/b": b"1"})
        assert cli("cp", f"{remote.address}/a/b", "new/folder/").code == 0
        path = tmp_path / "new" / "folder" / "b"
        assert path.read_bytes() == b"1"
        umask = os.umask(0o022)
        os.umask(umask)
        assert 0o666 & ~umask == stat.S_IMODE(path.stat().st_mode)

    def test_an_object_is_copied_within_the_service_with_its_metadata(
        self, cli: Any, remote: Any
    ) -> None:
        remote.put("a", b"1", Metadata={"k": "v"})
        assert cli("cp", f"{remote.address}/a", f"{remote.address}/b").code == 0
        assert remote.head("b")["Metadata"] == {"k": "v"}
        assert cli("cp", f"{remote.address}/a", f"{remote.address}/a").code == 2

    def test_an_object_is_streamed_between_services(
        self, cli: Any, remote: Any, server: Any, monkeypatch: Any
    ) -> None:
        # Another name of the same endpoint is another service as far as the client knows.
        monkeypatch.setenv(
            "MC_HOST_other",
            f"http://{server.access_key}:{server.secret_key}@localhost:{server.port}",
        )
        data = os.urandom(3 * MIB)
        remote.put("a", data, Metadata={"k": "v"})
        assert cli("cp", f"{remote.address}/a", f"other/{remote.bucket}/b").code == 0
        copy = remote.s3.get_object(Bucket=remote.bucket, Key="b")
        assert (data, {"k": "v"}) == (copy["Body"].read(), copy["Metadata"])

    def test_a_stream_goes_in_and_out(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for size in (0, 5, 33 * MIB + 1):
            data = os.urandom(size)
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            assert cli("cp", "-", f"{remote.address}/stream").code == 0
            result = cli("cp", f"{remote.address}/stream", "-")
            assert (0, data) == (result.code, result.raw)

    @pytest.mark.parametrize(
        "words",
        [
            ("--older-than", "900d", "{}/a", "-"),
            ("--newer-than", "1d", "-", "{}/b"),
            ("--tags", "a=b", "{}/a", "-"),
            ("--rewind", "0s", "--tags", "a=b", "{}/a", "down"),
        ],
    )
    def test_what_a_stream_or_file_cannot_have_is_refused(
        self, cli: Any, remote: Any, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        remote.put("a", b"1")
        result = cli("cp", *(word.format(remote.address) for word in words))
        assert (result.code, result.out) == (2, "")
        assert remote.objects() == {"a": b"1"}
        assert not (tmp_path / "down").exists()

    def test_attributes_are_kept_on_demand(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("1")
        (tmp_path / "a").chmod(0o640)
        os.utime(tmp_path / "a", ns=(0, 1_600_000_000_123_456_789))
        assert cli("cp", "-a", "a", f"{remote.address}/a").code == 0
        uid, gid = os.geteuid(), (tmp_path / "a").stat().st_gid
        assert remote.head("a")["Metadata"] == {
            "mtime": "1600000000.123456789",
            "mc-attrs": f"gid:{gid}/mode:33184/mtime:1600000000#123456789/uid:{uid}",
        }
        assert cli("cp", "-a", f"{remote.address}/a", "b").code == 0
        status = (tmp_path / "b").stat()
        assert status.st_mtime_ns == 1_600_000_000_123_456_789
        assert stat.S_IMODE(status.st_mode) == 0o640
        assert (status.st_uid, status.st_gid) == (uid, gid)

    def test_attributes_that_others_wrote_are_taken_with_care(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        attributes = "atime:1#0/gname:x/mode:36333/mtime:1600000000#5/uname:x"
        remote.put("a", b"1", Metadata={"mc-attrs": attributes})
        remote.put("b", b"1", Metadata={"mtime": "99999999999999999999", "mc-attrs": "mode:x"})
        assert cli("mirror", "-a", remote.address, "dst").code == 0
        status = (tmp_path / "dst" / "a").stat()
        assert status.st_mtime_ns == 1_600_000_000_000_000_005
        # Mode 0106755 of an object makes no set-uid file.
        assert stat.S_IMODE(status.st_mode) == 0o755
        assert (tmp_path / "dst" / "b").read_bytes() == b"1"

    def test_only_what_is_included_takes_part(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        for name in ("a.jpg", "a.txt", "d/b.jpg", "d/b.txt", "old/c.jpg", "raw/e/f"):
            (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "src" / name).write_text(name)
        remote.put_all({"extra.jpg": b"", "extra.txt": b""})
        filters = ("--include", "*.jpg", "--include", "raw", "--exclude", "old")
        assert cli("mirror", "--remove", *filters, "src", remote.address).code == 0
        wanted = {"a.jpg", "d/b.jpg", "raw/e/f"}
        assert remote.objects().keys() == wanted | {"extra.txt"}
        assert cli("mirror", *filters, remote.address, "down").code == 0
        assert files.contents(tmp_path / "down").keys() == wanted

    def test_one_failure_has_its_own_exit_code_and_is_told_once(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_text("1")
        result = cli("cp", "a", "s3/no-such-bucket/a")
        assert (result.code, result.out) == (5, "")
        assert result.err.splitlines() == [
            "error: no-such-bucket/a: The specified bucket does not exist (NoSuchBucket)",
            "hint: make it with 'ingot mb'",
        ]

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["missing", "{}/"], 5),
            (["{}/missing", "x"], 5),
            (["folder", "{}/"], 2),
            (["a", "s3"], 2),
            (["a", "a"], 2),
            (["a", "new/folder/b"], 2),
            (["a", "folder/a", "{}/"], 2),
            (["a", "S3/typo"], 2),
            (["pipe", "{}/"], 2),
            (["-", "a"], 2),
            (["a", "-"], 2),
            (["-", "a", "{}/x"], 2),
            (["-", "{}/"], 2),
        ],
    )
    def test_what_cannot_be_copied_is_an_error(
        self, cli: Any, remote: Any, tmp_path: Path, arguments: list[str], code: int
    ) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "a").write_text("")
        (tmp_path / "folder" / "a").write_text("")
        os.mkfifo(tmp_path / "pipe")
        result = cli("cp", *(argument.format(remote.address) for argument in arguments))
        assert (code, "") == (result.code, result.out)
        assert result.err.startswith("error: ")

    def test_a_name_of_255_bytes_comes_down(self, cli: Any, remote: Any, tmp_path: Path) -> None:
        name = "n" * 255
        remote.put(name, b"1")
        assert cli("cp", f"{remote.address}/{name}", "./").code == 0
        assert (tmp_path / name).read_bytes() == b"1"


class TestCopyFolders:
    def test_a_folder_goes_up_within_and_down_again(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        files.fill(tmp_path / "src", 40)
        assert cli("cp", "--recursive", "src", f"{remote.address}/up").code == 0
        assert (
            cli("cp", "--recursive", f"{remote.address}/up/src/", f"{remote.address}/within").code
            == 0
        )
        assert cli("cp", "--recursive", f"{remote.address}/within/", "down").code == 0
        assert files.contents(tmp_path / "src") == files.contents(tmp_path / "down")

    def test_a_slash_means_what_is_in_the_folder(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "f").mkdir()
        (tmp_path / "f" / "x").write_text("")
        (tmp_path / "single").write_text("")
        assert cli("cp", "-r", "f", "f/", "single", remote.address).code == 0
        assert {"f/x", "x", "single"} == remote.objects().keys()

    def test_a_dry_run_says_everything_and_does_nothing(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        files.fill(tmp_path / "src", 5)
        result = cli("cp", "-r", "--dry-run", "--json", "src/", remote.address)
        assert result.code == 0
        *copies, summary = result.documents()
        assert [document["dryRun"] for document in copies] == [True] * 5
        assert (summary["copied"], summary["transferred"]) == (5, 0)
        assert remote.objects() == {}

    def test_an_object_of_the_name_of_a_folder_goes_along(self, cli: Any, remote: Any) -> None:
        remote.put_all({"p": b"1", "p/a": b"2", "p-not": b"3"})
        assert cli("cp", "-r", f"{remote.address}/p", f"{remote.address}/to").code == 0
        assert remote.objects("to/") == {"p": b"1", "p/a": b"2"}
        assert cli("mv", "-r", f"{remote.address}/p", f"{remote.address}/then/").code == 0
        assert remote.objects("then/") == {"p": b"1", "p/a": b"2"}
        assert sorted(remote.objects()) == ["p-not", "then/p", "then/p/a", "to/p", "to/p/a"]
        # A file and a folder cannot have one name.
        down = cli("mv", "-r", f"{remote.address}/then/p", "down")
        assert (down.code, "is an object beside the folder" in down.err) == (0, True)
        assert "then/p" in remote.objects()

    def test_a_folder_is_not_copied_into_itself(self, cli: Any, remote: Any) -> None:
        result = cli("cp", "-r", remote.address, f"{remote.address}/inside")
        assert result.code == 2


class TestMirror:
    def test_a_tree_goes_up_and_down_and_second_runs_change_nothing(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        files.fill(tmp_path / "src", 300)
        wanted = files.contents(tmp_path / "src")
        up = cli("mirror", "--json", "src", f"{remote.address}/m")
        assert up.code == 0
        assert wanted == remote.objects("m/")
        assert len(wanted) + 1 == len(up.documents())
        down = cli("mirror", f"{remote.address}/m", "dst")
        assert down.code == 0
        assert wanted == files.contents(tmp_path / "dst")
        for arguments in (["src", f"{remote.address}/m"], [f"{remote.address}/m", "dst"]):
            again = cli("mirror", "--overwrite", "--remove", *arguments)
            assert (again.code, again.out) == (0, "")
            assert f"unchanged {len(wanted)}" in again.err

    def test_only_what_differs_is_copied_and_only_with_overwrite(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        root = tmp_path / "src"
        root.mkdir()
        for name in ("same", "changed", "longer"):
            (root / name).write_text("1111")
        assert cli("mirror", "src", remote.address).code == 0
        # Same size and same time: only the content tells.
        before = (root / "changed").stat()
        (root / "changed").write_text("2222")
        os.utime(root / "changed", ns=(before.st_atime_ns, before.st_mtime_ns))
        (root / "longer").write_text("11111")
        os.utime(root / "same")
        refused = cli("mirror", "src", remote.address)
        assert (refused.code, refused.out) == (3, "")
        assert "exists and differs" in refused.err
        assert "hint: add --overwrite" in refused.err
        done = cli("mirror", "--overwrite", "src", remote.address)
        assert done.code == 0
        assert {f"src/{name} -> {remote.address}/{name}" for name in ("changed", "longer")} == set(
            done.out.splitlines()
        )
        assert remote.objects() == {"same": b"1111", "changed": b"2222", "longer": b"11111"}

    def test_extra_names_stay_unless_removing_is_asked_for(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "keep").write_text("1")
        remote.put_all({"extra": b"", "deep/er/extra": b"", "keep": b"1"})
        assert cli("mirror", "src", remote.address).code == 0
        assert len(remote.objects()) == 3
        planned = cli("mirror", "--remove", "--dry-run", "src", remote.address)
        assert (
            f"would remove {remote.address}/deep/er/extra\nwould remove {remote.address}/extra\n"
            == planned.out
        )
        assert len(remote.objects()) == 3
        assert cli("mirror", "--remove", "src", remote.address).code == 0
        assert remote.objects() == {"keep": b"1"}
        (tmp_path / "src" / "deep" / "er").mkdir(parents=True)
        (tmp_path / "src" / "deep" / "er" / "extra").write_text("")
        assert cli("mirror", "--remove", remote.address, "src").code == 0
        assert files.contents(tmp_path / "src") == {"keep": b"1"}
        assert os.listdir(tmp_path / "src") == ["keep"]

    def test_an_empty_source_does_not_empty_the_target_unless_it_may(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "src").mkdir()
        remote.put_all({"a": b""})
        refused = cli("mirror", "--remove", "src", remote.address)
        assert refused.code == 2
        assert "is empty" in refused.err
        assert remote.objects() == {"a": b""}
        assert cli("mirror", "--remove", "--allow-empty-source", "src", remote.address).code == 0
        assert remote.objects() == {}

    @pytest.mark.parametrize("options", [[], ["--remove"], ["--watch"], ["--dry-run"]])
    def test_a_missing_source_is_never_a_success(
        self, cli: Any, remote: Any, options: list[str]
    ) -> None:
        remote.put_all({"a": b""})
        assert cli("mirror", *options, "missing", remote.address).code == 5
        assert cli("mirror", *options, f"{remote.address}/missing", "dst").code == 5
        assert cli("mirror", *options, "s3/no-such-bucket", "dst").code == 5
        assert remote.objects() == {"a": b""}

    def test_a_missing_bucket_as_target_is_not_found(self, cli: Any, tmp_path: Path) -> None:
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "a").write_text("")
        assert cli("mirror", "src", "s3/no-such-bucket").code == 5

    def test_excluded_names_are_neither_copied_nor_removed(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "src" / "cache").mkdir(parents=True)
        for name in ("a", "b.tmp", "cache/c"):
            (tmp_path / "src" / name).write_text("")
        remote.put_all({"old.tmp": b"", "cache/old": b"", "old": b""})
        result = cli(
            "mirror", "--remove", "--exclude", "*.tmp", "--exclude", "cache/", "src", remote.address
        )
        assert result.code == 0
        assert {"a", "old.tmp", "cache/old"} == remote.objects().keys()

    def test_links_are_left_out_with_a_warning_and_their_counterparts_stay(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").write_text("secret")
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "a").write_text("")
        (tmp_path / "src" / "link").symlink_to(tmp_path / "outside")
        remote.put_all({"link/old": b""})
        result = cli("mirror", "--remove", "src", remote.address)
        assert result.code == 0
        assert "warning: src/link is a symbolic link; left out" in result.err
        assert {"a", "link/old"} == remote.objects().keys()
        followed = cli("mirror", "--remove", "--follow-symlinks", "src", remote.address)
        assert followed.code == 0
        assert {"a", "link/secret"} == remote.objects().keys()

    def test_names_that_no_key_can_have_fail_and_the_rest_is_copied(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        root = tmp_path / "src"
        root.joinpath(*(["d" * 200] * 6)).mkdir(parents=True)
        root.joinpath(*(["d" * 200] * 6), "long").write_text("")
        (root / "fine").write_text("")
        with open(os.fsencode(root) + b"/bad\xff", "w"):
            pass
        result = cli("mirror", "src", remote.address)
        assert result.code == 3
        assert "bad\\xff: its name is not UTF-8" in result.err
        assert "S3 allows 1024" in result.err
        assert list(remote.objects()) == ["fine"]

    def test_hostile_keys_never_leave_the_target_and_each_is_told(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        hostile = [
            "../evil",
            "a/../../evil",
            "/evil",
            "x//y",
            "./x",
            "folder/",
            "f",
            "f/x",
            "f/y/z",
        ]
        for key in hostile:
            remote.put(key, b"evil")
        remote.put_all({"good": b"1", "marker/": b""})
        target = tmp_path / "deep" / "dst"
        for options in ([], ["--overwrite", "--remove"]):
            result = cli("mirror", *options, remote.address, target)
            assert result.code == 3
            assert files.contents(target) == {"good": b"1", "f": b"evil"}
            assert {"deep", "home"} == set(os.listdir(tmp_path))
            told = [line for line in result.err.splitlines() if line.startswith("error: ")]
            # All but "f" itself, and the last line that sums up.
            assert len(hostile) == len(told)
        copied = cli("cp", "-r", f"{remote.address}/", "copy")
        assert copied.code == 3
        assert files.contents(tmp_path / "copy") == {"good": b"1", "f": b"evil"}

    def test_a_link_in_the_target_does_not_let_objects_out(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        remote.put_all({"link/x": b"1", "plain": b"2", "file": b"3"})
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "victim").write_text("precious")
        target = tmp_path / "dst"
        target.mkdir()
        (target / "link").symlink_to(tmp_path / "outside")
        (target / "file").symlink_to(tmp_path / "outside" / "victim")
        result = cli("mirror", "--overwrite", "--remove", remote.address, "dst")
        assert result.code == 3
        assert (tmp_path / "outside" / "victim").read_text() == "precious"
        assert os.listdir(tmp_path / "outside") == ["victim"]
        assert (target / "plain").read_text() == "2"

    def test_a_file_and_a_folder_of_one_name_trade_places(
        self, cli: Any, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        remote.put_all({"a/b": b"1"})
        (tmp_path / "dst").mkdir()
        (tmp_path / "dst" / "a").write_text("file")
        refused = cli("mirror", "--overwrite", remote.address, "dst")
        assert refused.code == 6
        assert cli("mirror", "--overwrite", "--remove", remote.address, "dst").code == 0
        assert files.contents(tmp_path / "dst") == {"a/b": b"1"}

    def test_buckets_are_mirrored_within_a_service(self, cli: Any, remote: Any) -> None:
        remote.put_all({"src/a": b"1", "src/b/../c": b"2", "dst/old": b"3"})
        remote.put("src/folder/", b"")
        result = cli("mirror", "--remove", f"{remote.address}/src", f"{remote.address}/dst")
        assert result.code == 0
        assert remote.objects("src/") == remote.objects("dst/")
        again = cli("mirror", "--remove", f"{remote.address}/src", f"{remote.address}/dst")
        assert (again.code, again.out) == (0, "")

    def test_objects_cut_into_other_parts_are_the_same_and_changed_ones_are_not(
        self, cli: Any, remote: Any
    ) -> None:
        data = os.urandom(11 * MIB)
        changed = data[:-1] + bytes([data[-1] ^ 1])
        cuts = {"CRC32": 5 * MIB, "CRC64NVME": 6 * MIB, "CRC32C": 11 * MIB, "SHA256": 7 * MIB}
        for algorithm, part_bytes in cuts.items():
            remote.put_parts(f"src/{algorithm}", data, part_bytes, algorithm)
            remote.put(f"dst/{algorithm}", data)
            remote.put_parts(f"src/changed-{algorithm}", data, part_bytes, algorithm)
            remote.put(f"dst/changed-{algorithm}", changed)
        # Two composite checksums of one algorithm, of other cuts.
        remote.put_parts("src/both", data, 5 * MIB, "SHA256")
        remote.put_parts("dst/both", data, 6 * MIB, "SHA256")
        source, target = f"{remote.address}/src", f"{remote.address}/dst"
        planned = cli("mirror", "--overwrite", "--dry-run", source, target)
        copied = {line.split(" -> ")[0].removeprefix(source) for line in planned.out.splitlines()}
        # Where neither side keeps a checksum of all bytes, nobody can tell: it is copied once.
        assert copied == {f"/changed-{algorithm}" for algorithm in cuts} | {"/both"}
        assert cli("mirror", "--overwrite", source, target).code == 0
        again = cli("mirror", "--overwrite", source, target)
        assert (again.code, again.out) == (0, "")

    def test_contents_are_compared_whatever_the_etags_say(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        """An object uploaded in odd parts by another client, without our checksum."""
        data = os.urandom(6 * MIB)
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "odd").write_bytes(data)
        remote.put_parts("odd", data, 5 * MIB + 7, "CRC32")
        # Nothing the service says can be compared with the file, so it is copied once …
        first = cli("mirror", "--overwrite", "src", remote.address)
        assert (0, f"src/odd -> {remote.address}/odd\n") == (first.code, first.out)
        # … and since our upload keeps a checksum of all bytes, never again.
        second = cli("mirror", "--overwrite", "src", remote.address)
        assert (second.code, second.out) == (0, "")


class TestFailures:
    def test_wrong_keys_are_denied(
        self, cli: Any, remote: Any, wrong_keys: str, tmp_path: Path
    ) -> None:
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "a").write_text("")
        commands = [
            ["ls", wrong_keys],
            ["ls", f"{wrong_keys}/{remote.bucket}"],
            ["cp", "src/a", f"{wrong_keys}/{remote.bucket}/"],
            ["cp", "-r", "src", f"{wrong_keys}/{remote.bucket}/"],
            ["mirror", "src", f"{wrong_keys}/{remote.bucket}"],
            ["mirror", f"{wrong_keys}/{remote.bucket}", "dst"],
            ["cat", f"{wrong_keys}/{remote.bucket}/a"],
            ["rm", f"{wrong_keys}/{remote.bucket}/a"],
            ["mb", f"{wrong_keys}/{remote.bucket}"],
        ]
        assert {4} == {cli(*command).code for command in commands}

    @pytest.mark.parametrize("target", ["-", "down"])
    def test_a_line_that_breaks_is_picked_up_where_it_broke(
        self, cli: Any, remote: Any, bad_line: Any, tmp_path: Path, target: str
    ) -> None:
        line = bad_line(cut_after_bytes=3_000_000)
        data = os.urandom(10 * MIB)
        remote.put("big", data)
        result = cli("cp", f"bad-line/{remote.bucket}/big", target)
        assert result.code == 0
        assert data == (result.raw if target == "-" else (tmp_path / "down").read_bytes())
        assert line.cuts >= 3

    def test_no_network_is_told_apart(
        self, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        monkeypatch.setenv("MC_HOST_away", f"http://a:b@127.0.0.1:{port}")
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "a").write_text("")
        result = cli("mirror", "--json", "src", "away/bucket")
        assert (result.code, result.out, result.error()["slug"]) == (7, "", "network")

    def test_a_file_that_cannot_be_read_fails_and_the_rest_is_copied(
        self, cli: Any, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "src").mkdir()
        for name in ("a", "closed", "z"):
            (tmp_path / "src" / name).write_text(name)
        real = os.open

        def refuse(path: Any, *arguments: Any, **options: Any) -> int:
            if str(path).endswith("closed"):
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **options)

        monkeypatch.setattr(os, "open", refuse)
        result = cli("mirror", "src", remote.address)
        assert result.code == 3
        assert "cannot read src/closed: Permission denied" in result.err
        assert {"a", "z"} == remote.objects().keys()

    def test_a_full_disk_fails_that_object_and_leaves_no_half_of_it(
        self, cli: Any, remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remote.put_all({"a": b"1", "b": b"2"})
        real = os.pwrite
        calls = []

        def fail_first(descriptor: int, data: Any, offset: int) -> int:
            calls.append(descriptor)
            if len(calls) == 1:
                raise OSError(28, "No space left on device")
            return real(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", fail_first)
        result = cli("mirror", remote.address, "dst")
        assert result.code == 3
        assert "No space left on device" in result.err
        assert len(os.listdir(tmp_path / "dst")) == 1

    def test_a_device_that_fails_at_the_end_fails_the_run(
        self, cli: Any, remote: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(path: Path) -> None:
            raise OSError(5, "Input/output error")

        remote.put_all({"a": b"1"})
        monkeypatch.setattr("ingot.client.localtree.sync_file_system", fail)
        result = cli("mirror", remote.address, "dst")
        assert result.code == 1
        assert "Input/output error" in result.err

    def test_files_that_may_not_grow_so_long_fail_and_the_rest_comes(
        self, remote: Any, tmp_path: Path, files: Any
    ) -> None:
        remote.put_all({"a": b"1", "long": bytes(3_000_000), "z": b"2"})
        code = (
            "import os, resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
            "from ingot.cli.main import run\n"
            "sys.exit(run(sys.argv[1:]))"
        )
        command = [sys.executable, "-c", code, "mirror", remote.address, "dst"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3
        assert "File too large" in done.stderr
        assert files.contents(tmp_path / "dst") == {"a": b"1", "z": b"2"}


def test_sources_with_a_name_in_common_are_refused_before_anything_is_copied(
    cli: Any, remote: Any, tmp_path: Path
) -> None:
    for name in ("one/x/a", "one/x/f", "two/x/f", "two/x/g", "single/f"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    remote.put_all({"in/1/f": b"1", "in/2/f": b"2"})
    pairs = [("one/x", "two/x"), ("one/x/", "two/x/"), ("one/x/", "single/f")]
    pairs.append((f"{remote.address}/in/1/", f"{remote.address}/in/2/"))
    pairs.append((f"{remote.address}/in/1/", "single/f"))
    for target in (f"{remote.address}/out", "there"):
        for first, second in pairs:
            for dry in ((), ("--dry-run",)):
                result = cli("cp", "--recursive", *dry, first, second, f"{target}/")
                assert (result.code, result.out) == (2, "")
                assert "/f would both become" in result.err
                assert result.err.index(first.rstrip("/")) < result.err.index(second.rstrip("/"))
    assert remote.objects("out/") == {}
    assert not (tmp_path / "there").exists()
    # What is left out is in nobody's way.
    assert cli("cp", "-r", "--exclude", "f", "one/x/", "two/x/", "there").code == 0
    os.utime(tmp_path / "two/x/f", (0, 0))
    assert cli("cp", "-r", "--newer-than", "1d", "one/x/", "two/x/", "there").code == 0
    assert (tmp_path / "there" / "f").read_text() == "one/x/f"
