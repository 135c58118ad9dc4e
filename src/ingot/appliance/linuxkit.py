"""Reads containers that a tree brings in LinuxKit's layout, so that our boot runs them. Pure.

`/containers/{onboot,onshutdown}/NNN-NAME` and `/containers/services/NAME` hold a `config.json` (OCI
runtime) and mostly a `runtime.json`: what LinuxKit's init does before it starts the container.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from ingot.appliance.bundle import Bundle
from ingot.appliance.settings import Actions, Interface, Mount, Settings
from ingot.base.errors import UsageError
from ingot.oci.image import Image, ImageConfig
from ingot.oci.tree import Tree

SECTIONS = ("onboot", "onshutdown", "services")

_CONFIG = re.compile(rf"containers/({'|'.join(SECTIONS)})/([^/]+)/config\.json")
_Document = TypeVar("_Document", bound=msgspec.Struct)


class _User(msgspec.Struct, frozen=True):
    uid: int = 0
    gid: int = 0
    more: tuple[int, ...] = msgspec.field(default=(), name="additionalGids")


class _Process(msgspec.Struct, frozen=True):
    args: tuple[str, ...]
    user: _User = _User()
    no_new_privileges: bool = msgspec.field(default=False, name="noNewPrivileges")


class _Linux(msgspec.Struct, frozen=True):
    cgroup: str = msgspec.field(default="", name="cgroupsPath")


class _Config(msgspec.Struct, frozen=True):
    process: _Process
    linux: _Linux = _Linux()


class _Mount(msgspec.Struct, frozen=True):
    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] | None = None


class _Interface(msgspec.Struct, frozen=True):
    name: str
    add: str = ""
    peer: str = ""
    in_root: bool = msgspec.field(default=False, name="createInRoot")


class _Runtime(msgspec.Struct, frozen=True):
    cgroups: tuple[str, ...] | None = None
    mounts: tuple[_Mount, ...] | None = None
    mkdir: tuple[str, ...] | None = None
    interfaces: tuple[_Interface, ...] | None = None
    places: dict[str, str] | None = msgspec.field(default=None, name="bindNS")
    namespace: str | None = None


def found_containers(root: Tree) -> dict[str, list[Bundle]]:
    """Return the containers of a tree by section, each section in the order of its folders' names.

    Raises:
        UsageError: a config.json or runtime.json is not what it should be.
    """
    found: dict[str, list[Bundle]] = {section: [] for section in SECTIONS}
    for entry in root:
        if match := _CONFIG.fullmatch(entry.path):
            found[match[1]].append(_bundle(root, *match.groups()))
    return found


def _bundle(root: Tree, section: str, folder: str) -> Bundle:
    place = f"containers/{section}/{folder}"
    config = _read(root, f"{place}/config.json", _Config)
    runtime = (
        _read(root, f"{place}/runtime.json", _Runtime)
        if f"{place}/runtime.json" in root
        else _Runtime()
    )
    settings = Settings(
        command=config.process.args,
        # What makes its root is among the mounts of runtime.json.
        readonly=True,
        no_new_privileges=config.process.no_new_privileges,
        cgroups_path=config.linux.cgroup or f"/{section}/{folder}",
        actions=_actions(runtime),
    )
    user = config.process.user
    return Bundle(
        name=folder if section == "services" else folder.partition("-")[2] or folder,
        folder=place,
        image=Image(f"/{place}", ImageConfig(), Tree()),
        settings=settings,
        user=(user.uid, user.gid, user.more),
    )


def _actions(runtime: _Runtime) -> Actions:
    return Actions(
        cgroups=runtime.cgroups,
        mounts=tuple(
            Mount(mount.destination, mount.type, mount.source, mount.options or ())
            for mount in runtime.mounts or ()
        ),
        mkdir=runtime.mkdir,
        interfaces=tuple(
            Interface(interface.name, interface.add, interface.peer, interface.in_root)
            for interface in runtime.interfaces or ()
        ),
        bind_namespaces=runtime.places,
        namespace=runtime.namespace,
    )


def _read(root: Tree, path: str, kind: type[_Document]) -> _Document:
    entry = root.get(path)
    if entry is None or entry.content is None:
        raise UsageError(f"/{path} is no file")
    try:
        return msgspec.json.decode(entry.content.read(), type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"/{path} of an init image: {error}",
            hint="folders below /containers are in LinuxKit's layout",
        ) from error
