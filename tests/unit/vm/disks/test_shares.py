import os
import socket
import subprocess
from pathlib import Path

import pytest

from ingot.base.errors import Error, MissingToolError, NotFoundError, UsageError
from ingot.vm.disks import shares
from ingot.vm.disks.shares import announcement, check_shares, daemon_command, parse_shares
from ingot.vm.machine import Share


def test_shares_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_shares([".:code", "/srv/a:b:data:ro", "/srv/c d:ro:ro"]) == (
        Share(str(tmp_path), "code"),
        Share("/srv/a:b", "data", read_only=True),
        Share("/srv/c d", "ro", read_only=True),
    )
    assert announcement(parse_shares(["/a:one", "/b:two:ro"])) == "one two:ro"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/srv", "DIR:NAME is missing"),
        (":name", "DIR:NAME is missing"),
        ("/srv:", "cannot name a share"),
        ("/srv:a/b", "cannot name a share"),
        ("/srv:.hidden", "cannot name a share"),
        (f"/srv:{'x' * 32}", "cannot name a share"),
        ("/a,b:name", "has a comma"),
        ("/srv:ro", "DIR:NAME is missing"),
    ],
)
def test_what_is_no_share_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_shares([text])


def test_shares_stand_beside_each_other() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_shares(["/a:name", "/b:name:ro"])
    with pytest.raises(UsageError, match="at most 8"):
        parse_shares(f"/a:name{number}" for number in range(9))


def test_what_is_not_there_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Share(str(tmp_path), "here")
    check_shares([here])
    with pytest.raises(NotFoundError, match="there is no folder /absent"):
        check_shares([Share("/absent", "absent")])
    monkeypatch.setattr(shares, "PROGRAM", tmp_path / "virtiofsd")
    with pytest.raises(MissingToolError, match="not installed") as caught:
        check_shares([here])
    assert "qemu-system-common" in str(caught.value.hint)


def test_the_daemon_is_locked_in_as_far_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert daemon_command(Share("/tmp", "t"), 3) == [
        *("/usr/lib/qemu/virtiofsd", "--fd=3", "-o", "source=/tmp"),
        *("-o", "modcaps=-mknod:-setfcap"),
    ]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert daemon_command(Share("/tmp", "t"), 3)[:3] == ["unshare", "--user", "--map-root-user"]
    locked = daemon_command(Share("/tmp", "t", read_only=True), 3)
    assert locked[:4] == ["unshare", "--user", "--map-root-user", "--mount"]
    assert locked[locked.index("-c") + 2].startswith("bind,ro,nosuid,nodev")


@pytest.mark.parametrize("mapped", [(), ("--map-user=1000", "--map-group=1000")])
def test_a_read_only_share_is_so_to_its_daemon(mapped: tuple[str, ...], tmp_path: Path) -> None:
    """What stands before the daemon makes the folder read-only, and that one alone."""
    command = daemon_command(Share(str(tmp_path), "t", read_only=True), 3)
    lock = command[: command.index(str(shares.PROGRAM))]
    (tmp_path / "file").write_text("content")
    script = f"cat {tmp_path}/file; touch {tmp_path}/new 2> /dev/null; echo $?"
    entering = ["unshare", "--user", *mapped] if mapped else []
    if mapped and "--user" not in lock:
        lock = ["unshare", "--user", "--map-root-user", *lock[1:]]
    result = subprocess.run(
        [*entering, *lock, "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "content1\n"
    (tmp_path / "new").touch()


def test_daemons_of_a_start_that_fails_are_ended(tmp_path: Path) -> None:
    share = Share(str(tmp_path), "t")

    def start_and_fail() -> None:
        with (
            (tmp_path / "log").open("wb") as log,
            shares.served((share,), tmp_path, log.fileno()),
            socket.socket(socket.AF_UNIX) as client,
        ):
            client.connect(str(tmp_path / shares.socket_name(0)))
            raise Error("the hypervisor did not start")

    with pytest.raises(Error, match="did not start"):
        start_and_fail()
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(tmp_path / shares.socket_name(0)))
