import os
import socket
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError
from ingot.vm.guest.console import LogFollower, Terminal, attached, follow, tail
from ingot.vm.state.folders import MachineFolder


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (b"", 3, b""),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\nb\n", 9, b"a\nb\n"),
        (b"a\nb\n", 0, b""),
        (b"x" * 200_000 + b"\nlast\n", 1, b"last\n"),
        (b"x" * 200_000 + b"\nlast\n", 2, b"x" * 200_000 + b"\nlast\n"),
    ],
)
def test_tail_gives_the_last_lines(
    tmp_path: Path, text: bytes, count: int, expected: bytes
) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(text)
    assert tail(path, count) == expected


def test_tail_of_no_log_is_nothing(tmp_path: Path) -> None:
    assert tail(tmp_path / "console.log", 5) == b""


def test_a_follower_gives_each_byte_once(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    follower = LogFollower(path, offset=2)
    assert follower.read() == b""
    path.write_bytes(b"0123")
    assert follower.read() == b"23"
    with path.open("ab") as file:
        file.write(b"45")
    assert follower.read() == b"45"
    assert follower.read() == b""
    follower.close()


def test_following_reads_all_that_was_written_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"boot\n")
    waits: list[float] = []

    def wait(time_s: float) -> None:
        waits.append(time_s)
        with path.open("ab") as file:
            file.write(b"more\n")

    got = b"".join(follow(path, offset=0, ended=lambda: bool(waits), wait=wait))
    assert got == b"boot\nmore\n"
    assert len(waits) == 1


def test_one_terminal_at_a_time(tmp_path: Path) -> None:
    folder = MachineFolder(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console.sock"))
        listener.listen(2)
        with (
            attached(folder),
            pytest.raises(ConflictError, match="another terminal is attached"),
            attached(folder),
        ):
            pass
        with attached(folder):
            pass


def test_a_machine_without_a_console_cannot_be_attached_to(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="nothing answers"), attached(MachineFolder(tmp_path)):
        pass


class Rig:
    """A `Terminal` between a pipe for a keyboard, a pipe for a screen and a socket pair."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "console.log"
        self.log.touch()
        self.keyboard, self.fingers = os.pipe()
        self.eyes, self.screen = os.pipe()
        self.ours, self.machine = socket.socketpair()
        self.terminal = Terminal(self.ours, self.keyboard, self.screen, self.log, 0)

    def say(self, data: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(data)
        self.machine.sendall(data)

    def close(self) -> None:
        self.terminal.close()
        self.ours.close()
        self.machine.close()
        for descriptor in (self.keyboard, self.eyes, self.screen):
            os.close(descriptor)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_keys_go_to_the_machine_and_the_log_to_the_screen(rig: Rig) -> None:
    os.write(rig.fingers, b"ls\r\x03")
    rig.say(b"login: ")
    assert not rig.terminal.step()
    assert rig.machine.recv(100) == b"ls\r\x03"
    assert os.read(rig.eyes, 100) == b"login: "
    os.close(rig.fingers)
    rig.close()


def test_the_escape_key_stays_here_and_what_came_before_it_does_not(rig: Rig) -> None:
    os.write(rig.fingers, b"ab\x1dcd")
    assert rig.terminal.step()
    assert rig.machine.recv(100) == b"ab"
    os.close(rig.fingers)
    rig.close()


def test_a_keyboard_or_machine_that_goes_away_ends_nothing(rig: Rig) -> None:
    os.close(rig.fingers)
    rig.machine.close()
    assert not rig.terminal.step()
    assert not rig.terminal.step(0)
    rig.log.write_bytes(b"last words")
    rig.close()
