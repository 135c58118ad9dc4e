"""libvirt: machines as its domains on this host, by `virsh`."""

from __future__ import annotations

import contextlib
import os
import time
from itertools import pairwise
from pathlib import Path

from ingot.base.atomic import write_atomically
from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.vm.build import Medium
from ingot.vm.machine import BridgeMeaning, Machine, MetadataWay, RunnerName
from ingot.vm.networks.forwards import Doors, opened
from ingot.vm.runners.contract import Launched, Plan
from ingot.vm.runners.foreign import refuse_shares
from ingot.vm.runners.libvirt_domain import domain_xml
from ingot.vm.runners.libvirt_room import agent_path, furnish, owner_of
from ingot.vm.runners.programs import (
    RefusedError,
    await_process,
    call,
    carry_out,
    find_process,
    require,
)
from ingot.vm.runners.qemu import QemuRunner, prepare_variables
from ingot.vm.runners.qemu_boards import PC, board
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process

DOMAIN = "domain.xml"
CONNECTION = "libvirt-uri"
"""The file in a machine's folder that says which libvirt has it."""

_PROGRAM = "virsh"
_GONE_TIMEOUT_S = 20.0
_POLL_S = 0.1
_SOCKET_PATH_BYTES_MAX = 107  # unix(7)
_SYSTEM = "qemu:///system"
_INSTALL = "install the Debian packages libvirt-clients and libvirt-daemon-driver-qemu"


class LibvirtRunner:
    """Machines as transient domains of the libvirt on this host: what ends is gone from it."""

    name: RunnerName = "libvirt"
    title = "libvirt"
    media: tuple[Medium, ...] = ("kernel", "qcow2", "raw", "vmdk", "vhd", "vdi", "iso")
    metadata_ways: tuple[MetadataWay, ...] = ("fw-cfg", "cd")
    uses_kvm = True
    bridge_meaning: BridgeMeaning = "bridge"
    has_channels = True

    def available(self) -> None:
        """Make sure that virsh is installed and that its libvirt runs QEMU on this host."""
        require(_PROGRAM, _INSTALL)
        uri = _default_uri()
        if not uri.startswith(("qemu:///", "qemu+unix:///")):
            raise UsageError(
                f"libvirt's connection {uri} does not run QEMU on this host",
                hint="use your own: LIBVIRT_DEFAULT_URI=qemu:///session",
            )

    def validate(self, machine: Machine) -> None:
        """Refuse what QEMU cannot do, and sockets whose paths are too long."""
        QemuRunner().validate(machine)
        refuse_shares(machine, self.title)
        if board(machine.arch) is not PC:
            raise UsageError(
                f"machine {machine.name!r}: libvirt runs builds for amd64 here, not {machine.arch}",
                hint="run it on qemu",
            )
        longest = agent_path(machine.directory)
        if len(os.fsencode(longest)) > _SOCKET_PATH_BYTES_MAX:
            raise UsageError(
                f"machine {machine.name!r}: libvirt cannot make a socket at so long a path:"
                f" {longest}",
                hint="set INGOT_STATE_DIR to a folder nearer to the root",
            )

    def plan(self, machine: Machine) -> Plan:
        """Return the domain, and the command that makes libvirt run it."""
        return Plan({DOMAIN: domain_xml(machine)}, ((_PROGRAM, "create", "--file", DOMAIN),))

    def run(self, machine: Machine) -> Launched:
        """Have libvirt start the domain; its daemon's process outlives this one."""
        if machine.uefi:
            prepare_variables(machine)
        with opened(machine.ports) as doors:
            return self._run(machine, doors)

    def _run(self, machine: Machine, doors: Doors) -> Launched:
        uri = _default_uri()
        write_atomically(machine.directory / CONNECTION, uri.encode(), mode=0o600)
        _await_gone(machine, uri)
        try:
            furnish(machine, _owner(machine, uri))
        except RefusedError as error:
            raise _explained(error, machine, uri) from error
        plan = self.plan(machine)
        commands = tuple((program, "-c", uri, *words) for program, *words in plan.commands)
        try:
            carry_out(plan._replace(commands=commands), machine)
        except RefusedError as error:
            raise _explained(error, machine, uri) from error
        folder = machine.directory
        try:
            pid = await_process(machine, lambda words: _is_domain(words, machine.uuid))
            log = MachineFolder(folder).hypervisor_log
            doors.pass_on(
                lambda: self._virsh(folder, "qemu-monitor-command", "--hmp", "info usernet"),
                pid,
                log,
            )
        except BaseException:
            self._virsh(folder, "destroy")
            raise
        return Launched(pid)

    def power_down(self, directory: Path) -> None:
        """Press the ACPI power button."""
        self._virsh(directory, "shutdown", "--mode", "acpi")

    def kill(self, directory: Path, process: Process) -> None:
        """Destroy the domain, which libvirt calls the pulling of its plug."""
        try:
            self._virsh(directory, "destroy")
        except RefusedError as error:
            # It may have ended by itself a moment before.
            if "domain is not running" not in error.said and "not found" not in error.said:
                raise

    def forget(self, directory: Path) -> None:
        """End the domain if it still is there, as after an `ingot` that was cut short."""
        with contextlib.suppress(NotFoundError):
            uuid = MachineFolder(directory).read_spec().uuid
            if find_process(lambda words: _is_domain(words, uuid)) is not None:
                self._virsh(directory, "destroy")

    @staticmethod
    def _virsh(directory: Path, verb: str, *options: str) -> str:
        uuid = MachineFolder(directory).read_spec().uuid
        try:
            uri = (directory / CONNECTION).read_text()
        except FileNotFoundError as error:
            raise Error(f"machine {directory.name!r} was not started by libvirt") from error
        return call([_PROGRAM, "-c", uri, verb, uuid, *options], directory)


def _default_uri() -> str:
    """Return where virsh goes by itself."""
    # As virsh has it: the user's own libvirt, and root's is the host's.
    own = _SYSTEM if os.geteuid() == 0 else "qemu:///session"
    return os.environ.get("LIBVIRT_DEFAULT_URI") or own


def _owner(machine: Machine, uri: str) -> tuple[int, int] | None:
    """Return whom libvirt runs QEMU as, if root can let them in."""
    if os.geteuid() != 0 or uri != _SYSTEM:
        return None
    return owner_of(call([_PROGRAM, "-c", uri, "capabilities"], machine.directory))


def _await_gone(machine: Machine, uri: str) -> None:
    """Wait until libvirt has noticed that the last run has ended."""
    deadline_s = time.monotonic() + _GONE_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            call([_PROGRAM, "-c", uri, "domstate", machine.uuid], machine.directory)
        except RefusedError:
            return
        time.sleep(_POLL_S)


def _is_domain(words: list[str], uuid: str) -> bool:
    return any(pair == ("-uuid", uuid) for pair in pairwise(words))


def _explained(error: RefusedError, machine: Machine, uri: str) -> Error:
    hint = f"libvirt's words are in {MachineFolder(machine.directory).hypervisor_log}"
    if "failed to connect" in error.said.lower():
        hint = "start libvirt's daemon: libvirtd --daemon, or systemctl --user start libvirtd"
        if uri == _SYSTEM:
            hint = "start libvirt's daemon: systemctl start libvirtd"
    elif "permission denied" in error.said.lower() and uri == _SYSTEM:
        hint = (
            f"the system's libvirt runs QEMU as a user of its own, who must be able to enter"
            f" {machine.directory}; or use your own: LIBVIRT_DEFAULT_URI=qemu:///session"
        )
    return Error(error.message, hint=hint)
