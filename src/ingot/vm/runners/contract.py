"""What a hypervisor must do to run our machines; one file in this folder for each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol, runtime_checkable

from ingot.vm.build import Medium
from ingot.vm.machine import Machine


class Runner(Protocol):
    """One way to run a machine.

    `command` is pure, so that a test can compare it with a snapshot; the other methods touch the
    host.
    """

    name: str
    media: tuple[Medium, ...]
    """What it boots, in its order of preference."""

    def available(self) -> None:
        """Make sure that the hypervisor is installed.

        Raises:
            MissingToolError: it is not; the hint names the Debian package.
        """
        ...

    def validate(self, machine: Machine) -> None:
        """Refuse what this hypervisor cannot do.

        Raises:
            UsageError: the machine asks for something it has not.
        """
        ...

    def command(self, machine: Machine) -> list[str]:
        """Return the command line that runs the machine, to be started in its folder."""
        ...

    def run(self, machine: Machine) -> subprocess.Popen[bytes]:
        """Start the machine in a session of its own and return once it accepts control.

        The process outlives this one. What it says goes to the machine's hypervisor log.

        Raises:
            Error: it ended at once, or does not answer; the message holds what it said.
        """
        ...

    def power_down(self, directory: Path) -> None:
        """Press the machine's power button; the guest decides what follows.

        Raises:
            Error: the machine in `directory` does not answer.
        """
        ...


@runtime_checkable
class StateRunner(Runner, Protocol):
    """A runner that can write a machine's memory and devices to a file, and go on from there."""

    def version(self) -> str:
        """Return the hypervisor's version: a state is only of the version that wrote it."""
        ...

    def save_state(self, directory: Path, state: Path) -> None:
        """Pause the machine, bring its disks up to date, and write its state to a new file.

        The machine stays paused, so that its disks can be copied.

        Raises:
            Error: it cannot; the machine may be paused or not.
        """
        ...

    def unpause(self, directory: Path) -> None:
        """Let a paused machine go on; of one that runs nothing changes.

        Raises:
            Error: it does not answer.
        """
        ...

    def restore(self, machine: Machine, state: Path) -> subprocess.Popen[bytes]:
        """Start the machine from a file's state, as `run` does from nothing; it runs at once.

        Raises:
            Error: the state does not fit; nothing runs then.
        """
        ...
