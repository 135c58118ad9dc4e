"""Writes what the machine does for a container before its program starts: `runtime`, volumes. Pure.

Mounts, folders and control groups are commands of the start script. Interfaces and namespaces
need the container's process, so a hook, which the container runtime starts, sees to them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ingot.appliance.bundle import Bundle, machine_place
from ingot.appliance.keys.volumes import Volume
from ingot.appliance.settings import Interface, Mount

HOOKS_FOLDER = "etc/ingot/hooks"
VOLUMES_STEP = "00-volumes"
"""Sorted before every step of the appliance file, whose names begin with three digits."""

# Kernel modules of interfaces whose type has another name.
_INTERFACE_MODULES = {"vlan": "8021q", "bond": "bonding", "gre": "ip_gre", "gretap": "ip_gre"}
_PROPAGATION = frozenset(
    prefix + kind for prefix in ("", "r") for kind in ("private", "shared", "slave", "unbindable")
)
_SHEBANG = "#!/bin/busybox sh"


def action_lines(bundle: Bundle, container: str) -> list[str]:
    """Return the commands of a start script for `runtime`; a restart repeats no mount."""
    actions = bundle.actions
    lines = [
        line
        for number, mount in enumerate(actions.mounts or ())
        for line in _mount_lines(bundle, mount, f"/run/ingot/mounted.{container}.{number}")
    ]
    if actions.mkdir:
        places = [f"/{place.lstrip('/')}" for place in actions.mkdir]
        lines.append(f"mkdir -p {shlex.join(places)} || exit 1")
    if actions.cgroups:
        groups = [f"/sys/fs/cgroup/{name.strip('/')}" for name in actions.cgroups]
        lines.append(f"mkdir -p {shlex.join(groups)} || exit 1")
    return lines


def needs_hook(bundle: Bundle) -> bool:
    """Say whether something is to be done when the container's namespaces are there."""
    actions = bundle.actions
    return bool(actions.interfaces) or any((actions.bind_namespaces or {}).values())


def hook_script(bundle: Bundle) -> str:
    """Return the hook; the container does not start if it fails."""
    actions = bundle.actions
    lines = [
        _SHEBANG,
        f"# Interfaces and namespaces of {bundle.name}. Written by `ingot build`.",
        "set -e",
        """pid=$(sed -n 's/.*"pid": *\\([0-9][0-9]*\\).*/\\1/p')""",
    ]
    for interface in actions.interfaces or ():
        lines += _interface_lines(interface)
    for kind, place in sorted((actions.bind_namespaces or {}).items()):
        if place:
            path = shlex.quote(place)
            lines += [
                f"mkdir -p {shlex.quote(place.rpartition('/')[0] or '/')}",
                f"! mountpoint -q {path} || umount -l {path}",
                f": > {path}",
                f'mount -o bind "/proc/$pid/ns/{kind}" {path}',
            ]
    return "\n".join(lines) + "\n"


def interface_modules(bundle: Bundle) -> Iterator[str]:
    """Yield the kernel modules that make the container's interfaces."""
    for interface in bundle.actions.interfaces or ():
        if interface.kind:
            yield _INTERFACE_MODULES.get(interface.kind, interface.kind)


def volumes_script(volumes: Sequence[Volume]) -> str:
    """Return the script that mounts all volumes: as they are, or under a layer in memory."""
    lines = [_SHEBANG, "# The volumes. Written by `ingot build`.", "set -e"]
    for volume in volumes:
        folder = f"/{volume.folder}"
        lower, scratch, merged = (f"{folder}/{part}" for part in ("lower", "tmp", "merged"))
        if volume.readonly:
            lines += [
                f"mount -o bind {lower} {merged}",
                f"mount -o remount,bind,ro {merged}",
            ]
        else:
            layers = f"lowerdir={lower},upperdir={scratch}/upper,workdir={scratch}/work"
            lines += [
                f"mount -t tmpfs tmpfs {scratch}",
                f"mkdir {scratch}/upper {scratch}/work",
                f"mount -t overlay -o {layers} overlay {merged}",
            ]
    return "\n".join(lines) + "\n"


def _mount_lines(bundle: Bundle, mount: Mount, mark: str) -> Iterator[str]:
    place = shlex.quote(machine_place(bundle, mount.destination))
    layers = [
        option.partition("=")[2]
        for option in mount.options
        if option.startswith(("upperdir=", "workdir="))
    ]
    spread = [option for option in mount.options if option in _PROPAGATION]
    options = [option for option in mount.options if option not in _PROPAGATION]
    kind = f"-t {shlex.quote(mount.type)} " if mount.type not in {"", "bind", "none"} else ""
    if mount.type == "bind" and not {"bind", "rbind"} & set(options):
        options.insert(0, "bind")
    flags = f"-o {shlex.quote(','.join(options))} " if options else ""
    source = shlex.quote(mount.source or mount.type or "none")
    commands = [f"mount --make-{option} {place}" for option in spread]
    # LinuxKit's builder writes `remount, private` for what the kernel does without a remount.
    if not spread or set(options) - {"remount"} or mount.type not in {"", "none"}:
        commands.insert(0, f"mount {kind}{flags}{source} {place}")
    yield f"[ -e {shlex.quote(mark)} ] || {{"
    yield f"  mkdir -p {place} {shlex.join(layers)}".rstrip() + " &&"
    yield f"    {' && '.join(commands)} && : > {shlex.quote(mark)}"
    yield "} || exit 1"


def _interface_lines(interface: Interface) -> list[str]:
    name = shlex.quote(interface.name)
    move = f'ip link set dev {name} netns "$pid"'
    if interface.peer:
        peer = shlex.quote(interface.peer)
        # Busybox cannot name the other end of a pair when it makes one.
        return [
            f"ip link add {name} type veth",
            f"read -r other < /sys/class/net/{name}/iflink",
            "for card in /sys/class/net/*; do",
            '  read -r index < "$card/ifindex"',
            f'  [ "$index" != "$other" ] || ip link set dev "${{card##*/}}" name {peer}',
            "done",
            move,
        ]
    if not interface.kind:
        return [move]
    made = f"ip link add {name} type {shlex.quote(interface.kind)}"
    if interface.in_root:
        return [made, move]
    return [f'nsenter --net="/proc/$pid/ns/net" {made}']
