"""The keys of a container: the table that reads them, LinuxKit's and ours."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from ingot.appliance import capabilities
from ingot.appliance.keys.actions import read_actions
from ingot.appliance.keys.basics import (
    ID_MAX,
    is_null,
    known_fields,
    read_duration,
    read_id,
    read_ids,
    read_kept,
    read_namespace,
    read_texts,
)
from ingot.appliance.keys.mounts import read_binds, read_devices, read_mounts, read_tmpfs
from ingot.appliance.keys.resources import read_resources
from ingot.appliance.settings import IdMapping, Ready, Rlimit, Settings
from ingot.base.document import Reader

PORT_MAX = 65535


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


def container_fields(
    reader: Reader, node: yaml.Node, extra: tuple[str, ...] = ()
) -> dict[str, yaml.Node]:
    """Return the values of a container's mapping: every container key and those in `extra`."""
    return known_fields(reader, node, (*extra, *KEYS))


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


def _id_mappings(reader: Reader, node: yaml.Node) -> tuple[IdMapping, ...]:
    keys = ("hostID", "containerID", "size")
    found: list[IdMapping] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, keys)
        numbers = {key: reader.integer(value, high=ID_MAX) or 0 for key, value in nodes.items()}
        if "size" not in numbers:
            reader.problem(item, "a mapping needs a size")
        found.append(IdMapping(*(numbers.get(key, 0) for key in keys)))
    return tuple(found)


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
        timeout_s=(read_duration(reader, nodes["timeout"]) or 60.0) if "timeout" in nodes else 60.0,
    )


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
    "mounts": ("mounts", read_mounts),
    "binds": ("binds", read_binds),
    "binds.add": ("binds_add", read_binds),
    "tmpfs": ("tmpfs", read_tmpfs),
    "devices": ("devices", read_devices),
    "net": ("net", read_namespace),
    "ipc": ("ipc", read_namespace),
    "uts": ("uts", read_namespace),
    "pid": ("pid", read_namespace),
    "hostname": ("hostname", Reader.string),
    "annotations": ("annotations", read_texts),
    "sysctl": ("sysctl", read_texts),
    "cgroupsPath": ("cgroups_path", Reader.string),
    "readonly": ("readonly", Reader.boolean),
    "maskedPaths": ("masked_paths", Reader.strings),
    "readonlyPaths": ("readonly_paths", Reader.strings),
    "uid": ("uid", read_id),
    "gid": ("gid", read_id),
    "additionalGids": ("additional_gids", read_ids),
    "noNewPrivileges": ("no_new_privileges", Reader.boolean),
    "oomScoreAdj": ("oom_score_adj", _oom_score),
    "rootfsPropagation": ("rootfs_propagation", _propagation),
    "rlimits": ("rlimits", _rlimits),
    "resources": ("resources", read_resources),
    "userns": ("userns", read_namespace),
    "uidMappings": ("uid_mappings", _id_mappings),
    "gidMappings": ("gid_mappings", _id_mappings),
    "runtime": ("actions", read_actions),
    "seccomp": ("seccomp", _seccomp),
    "restart": ("restart", _restart),
    "depends": ("depends", Reader.strings),
    "ready": ("ready", _ready),
    "stop-timeout": ("stop_timeout_s", read_duration),
    "kept": ("kept", read_kept),
}
