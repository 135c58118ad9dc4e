"""The settings of one container: LinuxKit's keys and ours, as YAML or an image's label gives them.

A key that is not given stays None, so that YAML, label and image can be laid over each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINUXKIT_LABEL = "org.mobyproject.config"
INGOT_LABEL = "ingot.config"

NAMESPACE_KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
"""As `runtime: bindNS` and /proc/PID/ns call them."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount of an OCI runtime configuration."""

    destination: str
    type: str
    source: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """A device node; the path `all` allows every device of the type instead (`a` both types)."""

    path: str
    type: str
    major: int
    minor: int
    mode: int


@dataclass(frozen=True, slots=True)
class Rlimit:
    """A resource limit by its setrlimit(2) name without prefix; None is unlimited."""

    name: str
    soft: int | None
    hard: int | None


@dataclass(frozen=True, slots=True)
class Ready:
    """How to tell that a service is ready: exactly one of url, port, file and command is given.

    Attributes:
        url: an http:// URL that answers 2xx, asked from the machine's network.
        port: a TCP port of the machine that accepts connections.
        file: a path of the machine, outside the container, that exists.
        command: a program inside the container that exits with 0.
        timeout_s: after this many seconds the console says that the service is late.
    """

    url: str | None = None
    port: int | None = None
    file: str | None = None
    command: tuple[str, ...] | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class IdMapping:
    """A range of users or groups of a user namespace, and of the machine."""

    host: int
    container: int
    size: int


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that a container gets.

    Attributes:
        kind: of the interface to make, such as `veth`; empty moves one that there is.
        peer: the name of a veth's other end, which stays with the machine.
        in_root: make it among the machine's interfaces and move it then, as wireguard needs.
    """

    name: str
    kind: str = ""
    peer: str = ""
    in_root: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What the machine does before a container's program starts (`runtime`); None is not said.

    Attributes:
        mounts: of the machine; a destination without leading slash lies in the container's root.
        bind_namespaces: where namespaces of the container are kept, by `NAMESPACE_KINDS`.
        namespace: of containerd, for LinuxKit's init.
    """

    cgroups: tuple[str, ...] | None = None
    mounts: tuple[Mount, ...] | None = None
    mkdir: tuple[str, ...] | None = None
    interfaces: tuple[Interface, ...] | None = None
    bind_namespaces: Mapping[str, str] | None = None
    namespace: str | None = None

    def over(self, lower: Actions) -> Actions:
        """Lay these actions over `lower`, key by key."""
        merged = _said(self)
        if self.bind_namespaces and lower.bind_namespaces:
            merged["bind_namespaces"] = {**lower.bind_namespaces, **self.bind_namespaces}
        return dataclasses.replace(lower, **merged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What YAML or a label says about a container; None is not said."""

    command: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    env_add: tuple[str, ...] | None = None
    cwd: str | None = None
    capabilities: tuple[str, ...] | None = None
    capabilities_add: tuple[str, ...] | None = None
    ambient: tuple[str, ...] | None = None
    mounts: tuple[Mount, ...] | None = None
    binds: tuple[str, ...] | None = None
    binds_add: tuple[str, ...] | None = None
    tmpfs: tuple[str, ...] | None = None
    devices: tuple[Device, ...] | None = None
    net: str | None = None
    ipc: str | None = None
    uts: str | None = None
    pid: str | None = None
    userns: str | None = None
    uid_mappings: tuple[IdMapping, ...] | None = None
    gid_mappings: tuple[IdMapping, ...] | None = None
    hostname: str | None = None
    annotations: Mapping[str, str] | None = None
    sysctl: Mapping[str, str] | None = None
    cgroups_path: str | None = None
    readonly: bool | None = None
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    uid: int | str | None = None
    gid: int | str | None = None
    additional_gids: tuple[int | str, ...] | None = None
    no_new_privileges: bool | None = None
    oom_score_adj: int | None = None
    rootfs_propagation: str | None = None
    rlimits: tuple[Rlimit, ...] | None = None
    resources: Mapping[str, Any] | None = None
    actions: Actions | None = None
    # Ours; docs/reference/appliance-yaml.md lists them on one page.
    seccomp: str | None = None
    restart: str | None = None
    depends: tuple[str, ...] | None = None
    ready: Ready | None = None
    stop_timeout_s: float | None = None
    kept: tuple[str, ...] | None = None

    def over(self, lower: Settings) -> Settings:
        """Lay these settings over `lower`: what is said here wins.

        The `.add` keys append to the lower list, unless the plain key is given here (LinuxKit).
        """
        merged = _said(self)
        for plain, added in (("capabilities", self.capabilities_add), ("binds", self.binds_add)):
            below = getattr(lower, plain)
            if added and plain not in merged:
                merged[plain] = (below or ()) + tuple(a for a in added if a not in (below or ()))
        if self.actions and lower.actions:
            merged["actions"] = self.actions.over(lower.actions)
        return dataclasses.replace(lower, **merged)


def _said(values: Settings | Actions) -> dict[str, Any]:
    return {
        field.name: value
        for field in dataclasses.fields(values)
        if (value := getattr(values, field.name)) is not None
    }
