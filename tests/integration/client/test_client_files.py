"""Files that are not plain, and names that are not usual: what the reference says of them holds."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

MIB = 1 << 20

NAMES = [
    "-rf",
    " leading and trailing ",
    "new\nline",
    "tab\tand \x1b[31mcolour",
    "nfc-\u00e9",
    "nfd-e\u0301",
    "emoji-\U0001f680",
    "percent%2Fslash",
    "plus+and&amp;",
    "quote'\"`$(x)",
    "back\\slash",
    "x" * 255,
    "é" * 127,
]


class TestFiles:
    def test_a_sparse_file_has_the_same_bytes_up_and_down(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "sparse"
        with path.open("wb") as file:
            file.write(b"begin")
            file.seek(70 * MIB)
            file.write(b"end")
        assert cli("cp", path, f"{remote.address}/sparse").code == 0
        assert remote.head("sparse")["ContentLength"] == path.stat().st_size
        assert cli("get", f"{remote.address}/sparse", "down").code == 0
        assert (tmp_path / "down").read_bytes() == path.read_bytes()

    def test_a_link_that_is_named_is_followed_and_one_that_is_found_is_not(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "file").write_bytes(b"1")
        (folder / "link").symlink_to("file")
        (folder / "dangling").symlink_to("nowhere")
        assert cli("cp", folder / "link", f"{remote.address}/named").code == 0
        assert cli("put", folder / "link", f"{remote.address}/put").code == 0
        assert cli("cp", folder / "dangling", f"{remote.address}/none").code == 5
        done = cli("cp", "-r", f"{folder}/", f"{remote.address}/found/")
        assert done.code == 0
        assert done.err.count("is a symbolic link; left out") == 2
        assert remote.objects() == {"named": b"1", "put": b"1", "found/file": b"1"}

    def test_what_is_no_file_is_left_out_of_folders_and_refused_by_name(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "file").write_bytes(b"1")
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(folder)
            listener.bind("socket")
        os.chdir(tmp_path)
        done = cli("cp", "-r", f"{folder}/", remote.address)
        assert (done.code, done.err.count("left out")) == (0, 2 + 1)
        assert remote.objects() == {"file": b"1"}
        for name in ("pipe", "socket"):
            refused = cli("cp", folder / name, remote.address)
            assert (refused.code, "hint: pipe it in" in refused.err) == (2, True)
        assert cli("cp", "/dev/zero", remote.address).code == 2

    def test_odd_names_go_up_and_down_unchanged(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "odd"
        folder.mkdir()
        for index, name in enumerate(NAMES):
            (folder / name).write_bytes(str(index).encode())
        done = cli("cp", "-r", f"{folder}/", remote.address)
        assert done.code == 0
        # Nothing that a name brings along reaches the terminal.
        assert "\x1b" not in done.out + done.err
        assert sorted(remote.objects()) == sorted(NAMES)
        assert cli("cp", "-r", f"{remote.address}/", "down").code == 0
        found = {path.name: path.read_bytes() for path in (tmp_path / "down").iterdir()}
        assert found == {name: str(index).encode() for index, name in enumerate(NAMES)}
        for name in ("-rf", "new\nline"):
            assert cli("rm", f"{remote.address}/{name}").code == 0
            assert cli("put", "--", folder / name, f"{remote.address}/").code == 0

    def test_a_full_name_has_room_for_the_download_beside_it(
        self, cli: Any, remote: Any, tmp_path: Path
    ) -> None:
        remote.put("n" * 255, b"1")
        assert cli("get", f"{remote.address}/{'n' * 255}", tmp_path).code == 0
        assert (tmp_path / ("n" * 255)).read_bytes() == b"1"
        too_long = cli("get", f"{remote.address}/{'n' * 255}", "m" * 256)
        assert too_long.code == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "n" * 255]
