"""The kinds of machine that QEMU is here, one for each architecture of builds. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Board(NamedTuple):
    """What is of an architecture.

    Attributes:
        program: its QEMU.
        package: the Debian package that has it.
        machine: QEMU's name of the machine.
        emulated: the processor without KVM.
        firmware: the UEFI firmware.
        variables: what its store of variables begins as.
        firmware_package: the Debian package of both.
        words: what its kernel's command line gets when it is emulated.
        console: the serial port, where it is not `ttyS0`.
    """

    program: str
    package: str
    machine: str
    emulated: str
    firmware: Path
    variables: Path
    firmware_package: str
    words: tuple[str, ...]
    console: str | None = None


PC = Board(
    program="qemu-system-x86_64",
    package="qemu-system-x86",
    machine="q35",
    # It has RDRAND, without which the guest waits seconds for randomness.
    emulated="max",
    firmware=Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
    variables=Path("/usr/share/OVMF/OVMF_VARS_4M.fd"),
    firmware_package="ovmf",
    # An emulated timer on a busy host may tick too late for the kernel's check at start, which
    # then panics ("IO-APIC + timer doesn't work"); seen once in some hundred boots.
    words=("no_timer_check",),
)
ARM = Board(
    program="qemu-system-aarch64",
    package="qemu-system-arm",
    machine="virt",
    # Signed pointers as the architecture has them would take half of the emulation's time.
    emulated="max,pauth-impdef=on",
    firmware=Path("/usr/share/AAVMF/AAVMF_CODE.fd"),
    variables=Path("/usr/share/AAVMF/AAVMF_VARS.fd"),
    firmware_package="qemu-efi-aarch64",
    words=(),
    console="ttyAMA0",
)
BOARDS = {"amd64": PC, "x86_64": PC, "arm64": ARM, "aarch64": ARM}


def board(arch: str) -> Board:
    """Return what is of an architecture; another than we have is refused before."""
    return BOARDS[arch]


def needs_uefi(arch: str) -> bool:
    """Tell whether its machines always have UEFI: on ARM the power button is ACPI's, and so its."""
    return BOARDS.get(arch) is ARM
