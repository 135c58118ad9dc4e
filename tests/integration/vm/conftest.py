"""Real machines in a blink: QEMU boots a hand-made kernel of 173 bytes that needs no image.

It says a line on the serial port, echoes what is typed, and powers off when the ACPI power button
is pressed, unless it is made deaf. So life cycle, console and power button are tested with real
processes and sockets, in a fraction of a second each.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Real-mode code, entered with CS = 0x1020 and IP = 0 at byte 0x200 of the kernel file:
#   print "tiny kernel up"; PM1_EN (port 0x602) |= power button; then forever: wait for a timer
#   tick, echo what the serial port (0x3f8) received, and if the power button's bit is set in
#   PM1_STS (0x600) and the last byte is 0, print "powering off" and enter S5 (PM1_CNT, 0x604).
_JUMP = bytes.fromhex("eb3e")
_CODE = bytes.fromhex(
    "8cc88ed8be8c00e83600ba0206b80001effbf4bafd03eca8017407baf803eceeebf1803eac000174e8ba0006"
    "edf6c40174dfbe9d00e80800ba0406b80020eff4ac84c07406baf803eeebf5c374696e79206b65726e656c20"
    "75700d0a00706f776572696e67206f66660d0a0000"
)
_TIMEOUT_S = 60


def tiny_kernel(*, deaf: bool) -> bytes:
    """Wrap the code as the Linux x86 boot protocol wants it (Documentation/x86/boot.rst)."""
    boot_sector = bytearray(0x200)
    boot_sector[0x1F1] = 1  # setup_sects
    boot_sector[0x1FE:0x200] = b"\x55\xaa"  # boot_flag
    setup = bytearray(0x200)
    setup[0:2] = _JUMP
    setup[2:6] = b"HdrS"
    setup[6:8] = b"\x02\x02"  # protocol 2.02
    setup[0x11] = 1  # loadflags: the kernel proper lies high
    setup[0x40 : 0x40 + len(_CODE)] = _CODE[:-1] + bytes([deaf])
    return bytes(boot_sector + setup + bytes(0x200))


def tiny_disk() -> bytes:
    """Wrap the code as a disk whose first sector the BIOS starts."""
    sector = bytearray(0x200)
    sector[0:5] = bytes.fromhex("ea4000c107")  # jmp 0x07c1:0x40, which is byte 0x50
    sector[0x50 : 0x50 + len(_CODE)] = _CODE
    sector[0x1FE:0x200] = b"\x55\xaa"
    return bytes(sector).ljust(1 << 20, b"\0")


class Host:
    """A user of the `ingot` command with machines, cache and builds of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.entering: list[str] = []  # a command that runs every other, as ip(8) can
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("INGOT_")},
            "INGOT_STATE_DIR": str(home / "state"),
            "INGOT_CACHE_DIR": str(home / "cache"),
        }

    def build(self, name: str, *, deaf: bool = False) -> Path:
        """Write a build that boots the tiny kernel; returns its prefix."""
        (self.home / f"{name}-kernel").write_bytes(tiny_kernel(deaf=deaf))
        (self.home / f"{name}-initrd.img").write_bytes(b"none")
        (self.home / f"{name}-cmdline").write_text("console=ttyS0\n")
        return self.home / name

    def disk(self, name: str, form: str) -> Path:
        """Write a disk image that boots as the tiny kernel does; `form` is a format of qemu-img."""
        raw = self.home / f"{name}.img"
        raw.write_bytes(tiny_disk())
        if form == "raw":
            return raw
        path = raw.with_suffix(f".{'vhd' if form == 'vpc' else form}")
        convert = ["qemu-img", "convert", "-f", "raw", "-O", form, raw, path]
        subprocess.run(convert, check=True, timeout=_TIMEOUT_S)
        return path

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.entering, sys.executable, "-m", "ingot", *map(str, arguments)]

    def ingot(self, *arguments: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end and check its exit code."""
        result = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert result.returncode == code, f"{arguments}\n{result.stdout}\n{result.stderr}"
        return result

    def machines(self) -> dict[str, Any]:
        """Return what `ps --all` knows, by name."""
        lines = self.ingot("ps", "--all", "--json").stdout.splitlines()
        return {row["name"]: row for row in map(json.loads, lines)}

    def folder(self, name: str) -> Path:
        return Path(self.environment["INGOT_STATE_DIR"]) / "machines" / name

    def await_console(self, name: str, text: str) -> None:
        """Wait until the console log of a machine holds `text`."""
        log = self.folder(name) / "console.log"
        eventually(lambda: log.is_file() and text in log.read_text(), f"{text!r} on the console")

    def end(self) -> None:
        for row in self.machines().values():
            if row["running"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(row["pid"], signal.SIGKILL)


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not in time: {what}"
        time.sleep(0.02)


@pytest.fixture
def host() -> Iterator[Host]:
    home = Path(tempfile.mkdtemp(prefix="ingot-vm-"))
    user = Host(home)
    yield user
    user.end()
    shutil.rmtree(home)


@pytest.fixture(name="eventually")
def _eventually() -> Callable[[Callable[[], object], str], None]:
    return eventually
