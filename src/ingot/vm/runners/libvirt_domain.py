"""The libvirt domain of a machine, as XML. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from ingot.vm.disks.config_drive import CONFIG_DRIVE
from ingot.vm.guest.console import SOCKET_NAME as CONSOLE_SOCKET
from ingot.vm.machine import Disk, ImageBoot, KernelBoot, Machine, Network, on_config_drive
from ingot.vm.runners.libvirt_room import agent_path, metadata_path
from ingot.vm.runners.qemu_boards import PC
from ingot.vm.runners.qemu_command import (
    DRIVERS,
    UEFI_VARIABLES,
    kernel_command_line,
    user_network,
)

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
register_namespace("qemu", _QEMU)
# Cards sit on the root bus from here on, so that the guest counts them in the order of the flags,
# whoever makes them: libvirt has no published ports on a user network, QEMU has.
_FIRST_SLOT = 0x10


def domain_xml(machine: Machine) -> str:
    """Return the machine as a libvirt domain that is gone when the machine has ended."""
    domain = Element("domain", {"type": "kvm" if machine.accelerator == "kvm" else "qemu"})
    _add(domain, "name", text=machine.name)
    _add(domain, "uuid", text=machine.uuid)
    _add(domain, "memory", text=str(machine.memory_mib), unit="MiB")
    _add(domain, "vcpu", text=str(machine.cpus))
    if machine.has_metadata and not on_config_drive(machine):
        firmware = _add(domain, "sysinfo", type="fwcfg")
        file = str(metadata_path(machine.directory))
        _add(firmware, "entry", name="opt/ingot/data", file=file)
    _system(domain, machine)
    features = _add(domain, "features")
    _add(features, "acpi")
    _add(features, "apic")
    _add(domain, "cpu", mode="host-passthrough" if machine.accelerator == "kvm" else "maximum")
    _add(domain, "clock", offset="utc")
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        _add(domain, event, text="destroy")
    devices = _add(domain, "devices")
    _add(devices, "controller", type="usb", model="none")
    for index, disk in enumerate(machine.disks):
        _disk(devices, index, disk)
    _medium(devices, machine)
    _channels(devices, machine)
    _add(_add(devices, "rng", model="virtio"), "backend", text="/dev/urandom", model="random")
    _add(devices, "memballoon", model="none")
    for index, network in enumerate(machine.networks):
        _network(devices, index, network)
    arguments = _add(domain, f"{{{_QEMU}}}commandline")
    for word in (*_agent(machine), *_user_network(machine)):
        _add(arguments, f"{{{_QEMU}}}arg", value=word)
    indent(domain)
    return tostring(domain, encoding="unicode") + "\n"


def _add(parent: Element, tag: str, *, text: str | None = None, **attributes: str) -> Element:
    element = SubElement(parent, tag, attributes)
    element.text = text
    return element


def _system(domain: Element, machine: Machine) -> None:
    system = _add(domain, "os")
    _add(system, "type", text="hvm", arch="x86_64", machine="q35")
    if machine.uefi:
        _add(system, "loader", text=str(PC.firmware), readonly="yes", type="pflash")
        _add(system, "nvram", text=str(machine.directory / UEFI_VARIABLES))
    if isinstance(machine.boot, KernelBoot):
        _add(system, "kernel", text=str(machine.boot.kernel))
        _add(system, "initrd", text=str(machine.boot.initrd))
        _add(system, "cmdline", text=kernel_command_line(machine, machine.boot))


def _disk(devices: Element, index: int, disk: Disk) -> None:
    is_device = disk.path.startswith("/dev/")
    element = _add(devices, "disk", type="block" if is_device else "file", device="disk")
    _add(element, "driver", name="qemu", type=disk.format, discard="unmap")
    _add(element, "source", **{"dev" if is_device else "file": disk.path})
    _add(element, "target", dev=f"vd{chr(ord('a') + index)}", bus="virtio")
    _add(element, "serial", text=f"ingot-{index}")


def _medium(devices: Element, machine: Machine) -> None:
    """Add the disk or CD of the build, which comes after the user's disks, and the metadata's."""
    boot = machine.boot
    if on_config_drive(machine):
        drive = _add(devices, "disk", type="file", device="cdrom")
        _add(drive, "driver", name="qemu", type="raw")
        _add(drive, "source", file=str(machine.directory / CONFIG_DRIVE))
        _add(drive, "target", dev="sdb", bus="scsi")
        _add(drive, "readonly")
    is_cd = isinstance(boot, ImageBoot) and boot.format == "iso"
    if is_cd or on_config_drive(machine):
        _add(devices, "controller", type="scsi", model="virtio-scsi")
    if isinstance(boot, KernelBoot):
        if boot.root is None:
            return
        path, kind = boot.root, "raw"
    else:
        path, kind = boot.path, DRIVERS.get(boot.format, boot.format)
    element = _add(devices, "disk", type="file", device="cdrom" if is_cd else "disk")
    _add(element, "driver", name="qemu", type=kind)
    _add(element, "source", file=str(path))
    target = ("sda", "scsi") if is_cd else ("vdz", "virtio")
    _add(element, "target", dev=target[0], bus=target[1])
    _add(element, "readonly")
    if isinstance(boot, ImageBoot):
        _add(element, "boot", order="1")
    if not is_cd:
        _add(element, "serial", text="ingot-boot")


def _channels(devices: Element, machine: Machine) -> None:
    """Add the console and the status port, where `ingot` looks for them."""
    folder = machine.directory
    serial = _add(devices, "serial", type="unix")
    _add(serial, "source", mode="bind", path=str(folder / CONSOLE_SOCKET))
    _add(serial, "log", file=str(folder / "console.log"), append="on")
    status = _add(devices, "channel", type="file")
    _add(status, "source", path=str(folder / "status.jsonl"), append="on")
    _add(status, "target", type="virtio", name="ingot.status")


def _network(devices: Element, index: int, network: Network) -> None:
    if network.kind == "user":
        return
    assert network.interface is not None
    if network.kind == "bridge":
        interface = _add(devices, "interface", type="bridge")
        _add(interface, "source", bridge=network.interface)
    else:
        interface = _add(devices, "interface", type="ethernet")
        _add(interface, "target", dev=network.interface, managed="no")
    _add(interface, "mac", address=network.mac)
    _add(interface, "model", type="virtio")
    _add(interface, "rom", enabled="no")
    place: Mapping[str, str] = {"domain": "0", "bus": "0", "function": "0"}
    _add(interface, "address", type="pci", slot=hex(_FIRST_SLOT + index), **place)


def _agent(machine: Machine) -> list[str]:
    # Of a channel that libvirt knows it would take the host's end, which holds one client only.
    path = str(agent_path(machine.directory)).replace(",", ",,")
    port = {
        "driver": "virtserialport",
        "bus": "virtio-serial0.0",
        "chardev": "ingot-agent",
        "name": "org.qemu.guest_agent.0",
    }
    return [
        *("-chardev", f"socket,id=ingot-agent,path={path},server=on,wait=off"),
        *("-device", json.dumps(port)),
    ]


def _user_network(machine: Machine) -> list[str]:
    for index, network in enumerate(machine.networks):
        if network.kind == "user":
            words = user_network(machine, first=index == 0)
            words.insert(1, f"id=ingot{index}")
            # As JSON: devices given so are made after the buses, which libvirt gives so.
            card = {
                "driver": "virtio-net-pci",
                "netdev": f"ingot{index}",
                "mac": network.mac,
                "romfile": "",
                "bus": "pcie.0",
                "addr": hex(_FIRST_SLOT + index),
            }
            return ["-netdev", ",".join(words), "-device", json.dumps(card)]
    return []
