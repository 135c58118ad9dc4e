"""The settings of one container: LinuxKit's keys and ours, as YAML or an image's label gives them.

A key that is not given stays None, so that YAML, label and image can be laid over each other.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ingot.appliance import capabilities
from ingot.base.document import Reader
from ingot.base.errors import UsageError
from ingot.base.units import parse_duration

LINUXKIT_LABEL = "org.mobyproject.config"
INGOT_LABEL = "ingot.config"

ID_MAX = 2**32 - 2
PORT_MAX = 65535
RLIMIT_MAX = 2**63 - 1
MODE_MAX = 0o7777

# Known to LinuxKit; refused by name, because ignoring them would change what runs.
_NOT_BUILT = frozenset({"userns", "uidMappings", "gidMappings", "resources"})


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
    mkdir: tuple[str, ...] | None = None
    # Ours; docs/reference/appliance-yaml.md lists them on one page.
    seccomp: str | None = None
    restart: str | None = None
    depends: tuple[str, ...] | None = None
    ready: Ready | None = None
    stop_timeout_s: float | None = None

    def over(self, lower: Settings) -> Settings:
        """Lay these settings over `lower`: what is said here wins.

        The `.add` keys append to the lower list, unless the plain key is given here (LinuxKit).
        """
        merged = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        for plain, added in (("capabilities", self.capabilities_add), ("binds", self.binds_add)):
            below = getattr(lower, plain)
            if added and plain not in merged:
                merged[plain] = (below or ()) + tuple(a for a in added if a not in (below or ()))
        return dataclasses.replace(lower, **merged)


def read_settings(reader: Reader, nodes: Mapping[str, yaml.Node]) -> Settings:
    """Read the values of container keys; mistakes are noted in `reader`."""
    values: dict[str, Any] = {}
    for key, node in nodes.items():
        row = KEYS.get(key)
        if row is None or is_null(node):
            continue
        field, read = row
        values[field] = read(reader, node)
    return Settings(**values)


def known_fields(
    reader: Reader, node: yaml.Node, known: tuple[str, ...], refused: frozenset[str] = frozenset()
) -> dict[str, yaml.Node]:
    """Return a mapping's values; keys of LinuxKit in `refused` get a mistake that says why."""
    nodes = reader.mapping(node, (*known, *refused))
    for key in refused & nodes.keys():
        reader.problem(nodes.pop(key), f"the LinuxKit key {key!r} is not built yet")
    return {key: value for key, value in nodes.items() if not is_null(value)}


def container_fields(
    reader: Reader, node: yaml.Node, extra: tuple[str, ...] = ()
) -> dict[str, yaml.Node]:
    """Return the values of a container's mapping: every container key and those in `extra`."""
    return known_fields(reader, node, (*extra, *KEYS), _NOT_BUILT)


def is_null(node: yaml.Node) -> bool:
    """Say whether a value is YAML's null, which counts as a key that was not given."""
    return (
        isinstance(node, yaml.ScalarNode)
        and not node.style
        and node.value in {"", "~", "null", "Null", "NULL"}
    )


def _capabilities(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    words: list[str] = []
    for item in reader.items(node):
        word = reader.string(item)
        if word is None:
            continue
        if word not in capabilities.KNOWN | {"all", "none"}:
            near = difflib.get_close_matches(word.upper(), capabilities.KNOWN, n=1)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            reader.problem(item, f"unknown capability {word!r}{advice}")
        words.append(word)
    if len(words) > 1 and {"all", "none"} & set(words):
        reader.problem(node, "'all' and 'none' stand alone")
    return tuple(words)


def _binds(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    for item in reader.items(node):
        parts = (reader.string(item) or "").split(":")
        if len(parts) not in {2, 3} or not all(parts[:2]):
            reader.problem(item, "a bind is SOURCE:DESTINATION or SOURCE:DESTINATION:OPTIONS")
        elif not parts[0].startswith("/"):
            reader.problem(item, f"{parts[0]!r} names a volume; volumes are not built yet")
        elif not parts[1].startswith("/"):
            reader.problem(item, f"the destination {parts[1]!r} must start with a slash")
    return reader.strings(node)


def _tmpfs(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    for item in reader.items(node):
        if not (reader.string(item) or "").startswith("/"):
            reader.problem(item, "a tmpfs is DESTINATION or DESTINATION:OPTIONS")
    return reader.strings(node)


def _mounts(reader: Reader, node: yaml.Node) -> tuple[Mount, ...]:
    mounts: list[Mount] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("type", "source", "destination", "options"))
        text = {k: reader.string(v) or "" for k, v in nodes.items() if k != "options"}
        kind = text.get("type", "")
        destination = text.get("destination") or _USUAL_PLACES.get(kind, "")
        if not kind or not destination:
            reader.problem(item, "a mount needs a type and a destination")
            continue
        options = reader.strings(nodes["options"]) if "options" in nodes else ()
        mounts.append(Mount(destination, kind, text.get("source") or kind, options))
    return tuple(mounts)


_USUAL_PLACES = {
    "mqueue": "/dev/mqueue",
    "devpts": "/dev/pts",
    "proc": "/proc",
    "sysfs": "/sys",
    "cgroup": "/sys/fs/cgroup",
}


def _devices(reader: Reader, node: yaml.Node) -> tuple[Device, ...]:
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


def read_mode(reader: Reader, node: yaml.Node) -> int:
    """Read permission bits written as octal digits, with or without quotes and `0o`."""
    text = reader.string(node) or ""
    digits = text.removeprefix("0o")
    if digits and not digits.strip("01234567") and int(digits, 8) <= MODE_MAX:
        return int(digits, 8)
    reader.problem(node, f'{text!r} is not an octal mode such as "0644"')
    return 0


def _namespace(reader: Reader, node: yaml.Node) -> str | None:
    word = reader.string(node)
    if word in {None, "host", "root", "new", "none"} or (word or "").startswith("/"):
        return word
    reader.problem(node, f"{word!r} is none of host, new, none and the path of a namespace")
    return None


def read_id(reader: Reader, node: yaml.Node) -> int | str | None:
    """Read a user or group: a number, `root`, or the name of a container of this file."""
    value = reader.plain(node)
    if isinstance(value, str):
        return value
    return reader.integer(node, high=ID_MAX)


def _ids(reader: Reader, node: yaml.Node) -> tuple[int | str, ...]:
    found = [read_id(reader, item) for item in reader.items(node)]
    return tuple(value for value in found if value is not None)


def _texts(reader: Reader, node: yaml.Node) -> dict[str, str]:
    return {key: reader.string(value) or "" for key, value in reader.mapping(node).items()}


def _rlimits(reader: Reader, node: yaml.Node) -> tuple[Rlimit, ...]:
    limits: list[Rlimit] = []
    for item in reader.items(node):
        parts = [part.strip() for part in (reader.string(item) or "").split(",")]
        if len(parts) != 3 or not all(p.isdigit() or p == "unlimited" for p in parts[1:]):
            reader.problem(item, "a limit is NAME,SOFT,HARD with numbers or 'unlimited'")
            continue
        soft, hard = (int(part) if part.isdigit() else None for part in parts[1:])
        limits.append(Rlimit(parts[0].upper().removeprefix("RLIMIT_"), soft, hard))
    return tuple(limits)


def _oom_score(reader: Reader, node: yaml.Node) -> int | None:
    return reader.integer(node, low=-1000, high=1000)


def _propagation(reader: Reader, node: yaml.Node) -> str | None:
    return reader.choice(node, ("shared", "slave", "private", "rshared", "rslave", "rprivate"))


def _runtime(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    refused = frozenset({"mounts", "cgroups", "interfaces", "bindNS", "namespace"})
    nodes = known_fields(reader, node, ("mkdir",), refused)
    return reader.strings(nodes["mkdir"]) if "mkdir" in nodes else ()


def _ready(reader: Reader, node: yaml.Node) -> Ready | None:
    nodes = known_fields(reader, node, ("url", "port", "file", "command", "timeout"))
    if len(nodes.keys() - {"timeout"}) != 1:
        reader.problem(node, "give exactly one of url, port, file and command")
        return None
    url = reader.string(nodes["url"]) if "url" in nodes else None
    if url is not None and not url.startswith("http://"):
        reader.problem(nodes["url"], "the URL must start with http:// (it is asked from inside)")
    return Ready(
        url=url,
        port=reader.integer(nodes["port"], low=1, high=PORT_MAX) if "port" in nodes else None,
        file=reader.string(nodes["file"]) if "file" in nodes else None,
        command=reader.strings(nodes["command"]) if "command" in nodes else None,
        timeout_s=(_duration(reader, nodes["timeout"]) or 60.0) if "timeout" in nodes else 60.0,
    )


def _duration(reader: Reader, node: yaml.Node) -> float | None:
    try:
        return parse_duration(reader.string(node) or "")
    except UsageError as error:
        reader.problem(node, f"{error.message}; {error.hint}")
        return None


def _restart(reader: Reader, node: yaml.Node) -> str | None:
    return reader.choice(node, ("always", "on-failure", "never"))


def _seccomp(reader: Reader, node: yaml.Node) -> str | None:
    return reader.choice(node, ("default", "unconfined"))


KEYS: Mapping[str, tuple[str, Callable[[Reader, yaml.Node], object]]] = {
    "command": ("command", Reader.strings),
    "env": ("env", Reader.strings),
    "env.add": ("env_add", Reader.strings),
    "cwd": ("cwd", Reader.string),
    "capabilities": ("capabilities", _capabilities),
    "capabilities.add": ("capabilities_add", _capabilities),
    "ambient": ("ambient", _capabilities),
    "mounts": ("mounts", _mounts),
    "binds": ("binds", _binds),
    "binds.add": ("binds_add", _binds),
    "tmpfs": ("tmpfs", _tmpfs),
    "devices": ("devices", _devices),
    "net": ("net", _namespace),
    "ipc": ("ipc", _namespace),
    "uts": ("uts", _namespace),
    "pid": ("pid", _namespace),
    "hostname": ("hostname", Reader.string),
    "annotations": ("annotations", _texts),
    "sysctl": ("sysctl", _texts),
    "cgroupsPath": ("cgroups_path", Reader.string),
    "readonly": ("readonly", Reader.boolean),
    "maskedPaths": ("masked_paths", Reader.strings),
    "readonlyPaths": ("readonly_paths", Reader.strings),
    "uid": ("uid", read_id),
    "gid": ("gid", read_id),
    "additionalGids": ("additional_gids", _ids),
    "noNewPrivileges": ("no_new_privileges", Reader.boolean),
    "oomScoreAdj": ("oom_score_adj", _oom_score),
    "rootfsPropagation": ("rootfs_propagation", _propagation),
    "rlimits": ("rlimits", _rlimits),
    "runtime": ("mkdir", _runtime),
    "seccomp": ("seccomp", _seccomp),
    "restart": ("restart", _restart),
    "depends": ("depends", Reader.strings),
    "ready": ("ready", _ready),
    "stop-timeout": ("stop_timeout_s", _duration),
}
