"""The machine architectures images are built for, as Debian, the linker and wheels name them."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from ingot.base.errors import UsageError


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture.

    Attributes:
        architecture: Debian's name.
        triplet: the folder of its libraries.
        kernel: what `uname -m` and wheel tags say.
        linker: the dynamic linker's file name.
    """

    architecture: str
    triplet: str
    kernel: str
    linker: str


_MACHINES = (
    Machine("amd64", "x86_64-linux-gnu", "x86_64", "ld-linux-x86-64.so.2"),
    Machine("arm64", "aarch64-linux-gnu", "aarch64", "ld-linux-aarch64.so.1"),
)
ARCHITECTURES = tuple(each.architecture for each in _MACHINES)


def machine(architecture: str) -> Machine:
    """Return the machine with Debian's name `architecture`.

    Raises:
        UsageError: there is none.
    """
    for candidate in _MACHINES:
        if candidate.architecture == architecture:
            return candidate
    known = ", ".join(ARCHITECTURES)
    raise UsageError(f"{architecture!r} is no architecture we build for", hint=f"known: {known}")


def host_machine() -> Machine:
    """Return the machine this process runs on.

    Raises:
        UsageError: it is none we know.
    """
    kernel = platform.machine()
    for candidate in _MACHINES:
        if candidate.kernel == kernel:
            return candidate
    raise UsageError(f"this machine is a {kernel}, which the builder does not know")
