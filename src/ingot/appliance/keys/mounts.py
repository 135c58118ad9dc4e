"""The keys that give a container files and devices: binds, tmpfs, mounts, devices."""

from __future__ import annotations

import yaml

from ingot.appliance.keys.basics import known_fields, read_mode
from ingot.appliance.settings import Device, Mount
from ingot.base.document import Reader

_USUAL_PLACES = {
    "mqueue": "/dev/mqueue",
    "devpts": "/dev/pts",
    "proc": "/proc",
    "sysfs": "/sys",
    "cgroup": "/sys/fs/cgroup",
}
_USUAL_TYPES = {place: kind for kind, place in _USUAL_PLACES.items()}


def read_binds(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Read `SOURCE:DESTINATION[:OPTIONS]`; a source without leading slash names a volume."""
    for item in reader.items(node):
        parts = (reader.string(item) or "").split(":")
        if len(parts) not in {2, 3} or not all(parts[:2]):
            reader.problem(item, "a bind is SOURCE:DESTINATION or SOURCE:DESTINATION:OPTIONS")
        elif not parts[1].startswith("/"):
            reader.problem(item, f"the destination {parts[1]!r} must start with a slash")
    return reader.strings(node)


def read_tmpfs(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Read `DESTINATION[:OPTIONS]`."""
    for item in reader.items(node):
        if not (reader.string(item) or "").startswith("/"):
            reader.problem(item, "a tmpfs is DESTINATION or DESTINATION:OPTIONS")
    return reader.strings(node)


def read_mounts(reader: Reader, node: yaml.Node) -> tuple[Mount, ...]:
    """Read the mounts of a container; type and destination follow from each other."""
    mounts: list[Mount] = []
    for item in reader.items(node):
        mount = _mount(reader, item)
        kind = mount.type or _USUAL_TYPES.get(mount.destination, "")
        destination = mount.destination or _USUAL_PLACES.get(mount.type, "")
        if not kind and {"bind", "rbind"} & set(mount.options):
            kind = "bind"
        if not kind or not destination:
            reader.problem(item, "a mount needs a type and a destination")
            continue
        if not destination.startswith("/"):
            reader.problem(item, f"the destination {destination!r} must start with a slash")
        mounts.append(Mount(destination, kind, mount.source or kind, mount.options))
    return tuple(mounts)


def read_machine_mounts(reader: Reader, node: yaml.Node) -> tuple[Mount, ...]:
    """Read mounts of the machine; a destination without slash lies in the container's root."""
    mounts: list[Mount] = []
    for item in reader.items(node):
        mount = _mount(reader, item)
        if not mount.destination:
            reader.problem(item, "a mount needs a destination")
        elif ".." in mount.destination.split("/"):
            reader.problem(item, "a destination must not climb out with '..'")
        mounts.append(mount)
    return tuple(mounts)


def read_devices(reader: Reader, node: yaml.Node) -> tuple[Device, ...]:
    """Read device nodes."""
    devices: list[Device] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("path", "type", "major", "minor", "mode"))
        if "path" not in nodes or "type" not in nodes:
            reader.problem(item, "a device needs a path and a type")
            continue
        number = {
            key: reader.integer(nodes[key], high=2**20) or 0
            for key in ("major", "minor")
            if key in nodes
        }
        devices.append(
            Device(
                path=reader.string(nodes["path"]) or "",
                type=reader.choice(nodes["type"], ("a", "b", "c")) or "a",
                major=number.get("major", 0),
                minor=number.get("minor", 0),
                mode=read_mode(reader, nodes["mode"]) if "mode" in nodes else 0o600,
            )
        )
    return tuple(devices)


def _mount(reader: Reader, node: yaml.Node) -> Mount:
    nodes = known_fields(reader, node, ("type", "source", "destination", "options"))
    text = {k: reader.string(v) or "" for k, v in nodes.items() if k != "options"}
    options = reader.strings(nodes["options"]) if "options" in nodes else ()
    return Mount(text.get("destination", ""), text.get("type", ""), text.get("source", ""), options)
