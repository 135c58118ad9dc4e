"""What a hypervisor must do to run our machines; one file in this folder for each."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from ingot.vm.build import Medium
from ingot.vm.machine import BridgeMeaning, Machine, MetadataWay, RunnerName
from ingot.vm.state.processes import Process


class Plan(NamedTuple):
    """What a runner does to start a machine.

    Attributes:
        files: what it writes into the machine's folder first, by name.
        commands: what it then runs there, in order; the last is the one that starts the machine.
    """

    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]


class Launched(NamedTuple):
    """A machine that runs.

    Attributes:
        pid: the process on this host in which its guest runs.
        child: that process as a child of this one; None if it is a daemon's.
    """

    pid: int
    child: subprocess.Popen[bytes] | None = None


class Runner(Protocol):
    """One way to run a machine.

    `plan` is pure, so that a test can compare it with a snapshot; the other methods touch the
    host.
    """

    name: RunnerName
    title: str
    """Its name for people."""
    media: tuple[Medium, ...]
    """What it boots, in its order of preference."""
    metadata_ways: tuple[MetadataWay, ...]
    """How metadata can reach its guests, in its order of preference."""
    uses_kvm: bool
    """Whether the machine's accelerator is ours to choose, KVM or TCG."""
    bridge_meaning: BridgeMeaning
    """What `--network bridge=` names."""
    has_channels: bool
    """Whether the guest has ports to the host: a console that takes keys, its status, its agent."""

    def available(self) -> None:
        """Make sure that the hypervisor is installed.

        Raises:
            MissingToolError: it is not; the hint says what to install.
        """
        ...

    def validate(self, machine: Machine) -> None:
        """Refuse what this hypervisor cannot do.

        Raises:
            UsageError: the machine asks for something it has not.
        """
        ...

    def plan(self, machine: Machine) -> Plan:
        """Return what starts the machine."""
        ...

    def run(self, machine: Machine) -> Launched:
        """Start the machine and return once it accepts control; it outlives this process.

        What the hypervisor says goes to the machine's hypervisor log.

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

    def kill(self, directory: Path, process: Process) -> None:
        """End the machine at once, as a power cut would; nothing happens if it has ended already.

        Raises:
            Error: the hypervisor refuses.
        """
        ...

    def forget(self, directory: Path) -> None:
        """Take away what the hypervisor itself keeps of a stopped machine; its disks stay.

        Raises:
            Error: the hypervisor refuses.
        """
        ...


@runtime_checkable
class StateRunner(Runner, Protocol):
    """A runner that can write a machine's memory and devices to a file, and go on from there."""

    def command(self, machine: Machine) -> list[str]:
        """Return the one command line that is the machine: a state is only of the same one."""
        ...

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

    def restore(self, machine: Machine, state: Path) -> Launched:
        """Start the machine from a file's state, as `run` does from nothing; it runs at once.

        Raises:
            Error: the state does not fit; nothing runs then.
        """
        ...
