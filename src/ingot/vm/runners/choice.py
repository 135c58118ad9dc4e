"""The runners by their names; each is imported when it is asked for."""

from __future__ import annotations

from typing import assert_never

from ingot.vm.machine import RunnerName
from ingot.vm.runners.contract import Runner


def runner_named(name: RunnerName) -> Runner:
    """Return the runner of a name; it need not be installed."""
    match name:
        case "qemu":
            from ingot.vm.runners.qemu import QemuRunner

            return QemuRunner()
        case "libvirt":
            from ingot.vm.runners.libvirt import LibvirtRunner

            return LibvirtRunner()
        case "virtualbox":
            from ingot.vm.runners.virtualbox import VirtualBoxRunner

            return VirtualBoxRunner()
        case "vmware":
            from ingot.vm.runners.vmware import VmwareRunner

            return VmwareRunner()
        case _:
            assert_never(name)
