"""The appliance file as a value: LinuxKit's YAML with our few additions, checked as a whole."""

from __future__ import annotations

import graphlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.settings import (
    Settings,
    container_fields,
    known_fields,
    read_id,
    read_mode,
    read_settings,
)
from ingot.base.document import DocumentError, Reader
from ingot.base.errors import NotFoundError, UsageError
from ingot.oci.sources import split_source

SOURCE_BYTES_MAX = 1 << 20
CONTAINERS_MAX = 999

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}", re.IGNORECASE)
_DATA_PATH = re.compile(r"/var(/(?!\.\.?(/|$))[^/]+)+")
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,16}")
_SECTIONS = (
    "kernel",
    "init",
    "onboot",
    "onshutdown",
    "services",
    "files",
    "data",
    "network",
    "platform",
)
PLATFORMS = ("cloud", "generic")
_SERVICE_ONLY = frozenset({"restart", "depends", "ready", "stop-timeout"})


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel's image, its command line, and the names of binary and modules in the image."""

    image: str
    cmdline: str = "console=ttyS0"
    binary: str = "kernel"
    tar: str = "kernel.tar"


@dataclass(frozen=True, slots=True)
class Container:
    """One entry of onboot, onshutdown or services."""

    name: str
    image: str
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of `files`; exactly one of contents, source, symlink and directory is given."""

    path: str
    contents: str | None = None
    source: Path | None = None
    symlink: str | None = None
    directory: bool = False
    optional: bool = False
    mode: int | None = None
    uid: int | str = 0
    gid: int | str = 0


@dataclass(frozen=True, slots=True)
class DataDisk:
    """The disk that survives: recognised by its label, formatted only when blank.

    Attributes:
        path: where it is mounted, before any other step of the boot.
        owner: user and group of the mounted root directory.
        logs: whether the machine's logs are kept on it.
    """

    label: str = "INGOT-DATA"
    path: str = "/var/data"
    owner: tuple[int, int] = (0, 0)
    logs: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """A fixed address of the first network card, and name servers."""

    address: str
    gateway: str | None = None
    dns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appliance:
    """A whole appliance file; services are in the order in which they start.

    Attributes:
        platform: the machines that the shipped kernel is for; None leaves it to the build.
    """

    name: str
    kernel: Kernel | None = None
    init: tuple[str, ...] = ()
    onboot: tuple[Container, ...] = ()
    onshutdown: tuple[Container, ...] = ()
    services: tuple[Container, ...] = ()
    files: tuple[FileEntry, ...] = ()
    data: tuple[DataDisk, ...] = ()
    network: Network | None = None
    platform: str | None = None


def read_appliance(path: Path) -> Appliance:
    """Read the appliance file at `path`; its stem is the appliance's name.

    Raises:
        NotFoundError: there is no such file.
        DocumentError: it has mistakes; the message lists all of them with their places.
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SOURCE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise NotFoundError(
            f"{path} does not exist", hint="name an appliance file: ingot build FILE.yml"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > SOURCE_BYTES_MAX:
        raise DocumentError(f"{path} is larger than {SOURCE_BYTES_MAX} bytes")
    text = data.decode("utf-8", errors="replace")
    return parse_appliance(text, file=str(path), name=path.stem)


def parse_appliance(text: str, *, file: str, name: str) -> Appliance:
    """Read the text of an appliance file, called `file` in mistakes. Raises DocumentError."""
    reader = Reader(file, paths=True)
    root = reader.compose(text)
    if root is None:
        raise DocumentError(f"{file}:1:1: the file is empty")
    nodes = known_fields(reader, root, _SECTIONS, frozenset({"volumes", "trust"}))
    appliance = Appliance(
        name=name,
        kernel=_kernel(reader, nodes["kernel"]) if "kernel" in nodes else None,
        init=_images(reader, nodes["init"]) if "init" in nodes else (),
        onboot=_steps(reader, nodes, "onboot"),
        onshutdown=_steps(reader, nodes, "onshutdown"),
        services=_services(reader, nodes),
        files=_files(reader, nodes["files"]) if "files" in nodes else (),
        data=_data_disks(reader, nodes["data"]) if "data" in nodes else (),
        network=_network(reader, nodes["network"]) if "network" in nodes else None,
        platform=reader.choice(nodes["platform"], PLATFORMS) if "platform" in nodes else None,
    )
    reader.finish()
    return appliance


def _kernel(reader: Reader, node: yaml.Node) -> Kernel | None:
    nodes = known_fields(reader, node, ("image", "cmdline", "binary", "tar"), frozenset({"ucode"}))
    if "image" not in nodes:
        reader.problem(node, "a kernel needs an image")
        return None
    values = {key: reader.string(value) or "" for key, value in nodes.items() if key != "image"}
    return Kernel(image=_image(reader, nodes["image"]), **values)


def _images(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    return tuple(_image(reader, item) for item in reader.items(node))


def _image(reader: Reader, node: yaml.Node) -> str:
    reference = reader.string(node) or ""
    name = reference.removeprefix(COMPONENT_PREFIX)
    if name == reference:
        try:
            split_source(reference)
        except UsageError as error:
            reader.problem(node, error.message)
    elif not _NAME.fullmatch(name):
        reader.problem(node, f"{name!r} is no name of a component")
    return reference


class _Entry(NamedTuple):
    """A container and the YAML nodes of its keys, for mistakes found later."""

    container: Container
    nodes: Mapping[str, yaml.Node]


def _containers(
    reader: Reader, sections: Mapping[str, yaml.Node], section: str
) -> tuple[_Entry, ...]:
    if section not in sections:
        return ()
    found: list[_Entry] = []
    for node in reader.items(sections[section]):
        nodes = container_fields(reader, node, ("name", "image"))
        name = reader.string(nodes["name"]) if "name" in nodes else None
        if name is None or "image" not in nodes:
            reader.problem(node, "name and image are needed here")
            continue
        if not _NAME.fullmatch(name):
            reader.problem(nodes["name"], f"{name!r} is no name: letters, digits and . _ -")
        if section != "services":
            for key in sorted(_SERVICE_ONLY & nodes.keys()):
                reader.problem(nodes[key], f"{key!r} is for services, which are supervised")
        container = Container(name, _image(reader, nodes["image"]), read_settings(reader, nodes))
        found.append(_Entry(container, nodes))
    if len(found) > CONTAINERS_MAX:
        reader.problem(sections[section], f"more than {CONTAINERS_MAX} containers")
    return tuple(found)


def _steps(
    reader: Reader, sections: Mapping[str, yaml.Node], section: str
) -> tuple[Container, ...]:
    return tuple(entry.container for entry in _containers(reader, sections, section))


def _services(reader: Reader, sections: Mapping[str, yaml.Node]) -> tuple[Container, ...]:
    """Return the services so that each comes after those it depends on, else as written."""
    entries = _containers(reader, sections, "services")
    indexes: dict[str, int] = {}
    for index, entry in enumerate(entries):
        name = entry.container.name
        if name in indexes:
            reader.problem(entry.nodes["name"], f"duplicate service name {name!r}")
        indexes.setdefault(name, index)
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for index, entry in enumerate(entries):
        sorter.add(index)
        for node in reader.items(entry.nodes["depends"]) if "depends" in entry.nodes else ():
            other = reader.string(node)
            if other in indexes:
                sorter.add(index, indexes[other])
            else:
                reader.problem(node, f"{other!r} is no service of this file")
    try:
        order = tuple(sorter.static_order())
    except graphlib.CycleError as error:
        circle = " → ".join(entries[index].container.name for index in reversed(error.args[1]))
        reader.problem(sections["services"], f"services depend on each other in a circle: {circle}")
        return ()
    return tuple(entries[index].container for index in _stable(order, entries, indexes))


def _stable(
    order: tuple[int, ...], entries: tuple[_Entry, ...], indexes: Mapping[str, int]
) -> list[int]:
    """Turn any topological order into the one that keeps the file's order where it can.

    A service moves only behind what it depends on: its rank is the highest index among these.
    """
    rank: dict[int, tuple[int, int]] = {}
    for index in order:
        needs = entries[index].container.settings.depends or ()
        below = [rank[indexes[name]] for name in needs if name in indexes]
        highest = max((place for place, _ in below), default=-1)
        depth = max((depth for _, depth in below), default=-1) + 1
        rank[index] = (max(index, highest), depth)
    return sorted(rank, key=lambda index: (*rank[index], index))


def _files(reader: Reader, node: yaml.Node) -> tuple[FileEntry, ...]:
    kinds = ("contents", "source", "symlink", "directory")
    known = ("path", *kinds, "optional", "mode", "uid", "gid")
    found: list[FileEntry] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, known, frozenset({"metadata"}))
        given = [kind for kind in kinds if kind in nodes]
        path = (reader.string(nodes["path"]) or "").strip("/") if "path" in nodes else ""
        if not path or len(given) != 1:
            reader.problem(item, f"a file needs a path and one of {', '.join(kinds)}")
            continue
        if ".." in path.split("/"):
            reader.problem(nodes["path"], "a path must not climb out with '..'")
        text = {kind: reader.string(nodes[kind]) for kind in given if kind != "directory"}
        source = text.get("source")
        found.append(
            FileEntry(
                path=path,
                contents=text.get("contents"),
                source=Path(source).expanduser() if source else None,
                symlink=text.get("symlink"),
                directory="directory" in nodes and bool(reader.boolean(nodes["directory"])),
                optional="optional" in nodes and bool(reader.boolean(nodes["optional"])),
                mode=read_mode(reader, nodes["mode"]) if "mode" in nodes else None,
                uid=_owner(reader, nodes, "uid"),
                gid=_owner(reader, nodes, "gid"),
            )
        )
    return tuple(found)


def _owner(reader: Reader, nodes: Mapping[str, yaml.Node], key: str) -> int | str:
    return (read_id(reader, nodes[key]) or 0) if key in nodes else 0


def _data_disks(reader: Reader, node: yaml.Node) -> tuple[DataDisk, ...]:
    """Read one disk or a list of them; the logs are kept on the first unless it says otherwise."""
    items = list(reader.items(node)) if isinstance(node, yaml.SequenceNode) else [node]
    disks: list[DataDisk] = []
    for item in items:
        disk = _data(reader, item, logs=not disks)
        if disk.label in {other.label for other in disks}:
            reader.problem(item, f"two disks have the label {disk.label!r}")
        if any(_overlap(disk.path, other.path) for other in disks):
            reader.problem(item, f"two disks have places at {disk.path!r}")
        if disk.logs and any(other.logs for other in disks):
            reader.problem(item, "the logs are kept on one disk only")
        disks.append(disk)
    return tuple(disks)


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _data(reader: Reader, node: yaml.Node, *, logs: bool) -> DataDisk:
    nodes = known_fields(reader, node, ("label", "path", "uid", "gid", "logs"))
    label = reader.string(nodes["label"]) if "label" in nodes else None
    if label is not None and not _LABEL.fullmatch(label):
        reader.problem(nodes["label"], "a label has 1 to 16 letters, digits and . _ -")
    path = reader.string(nodes["path"]) if "path" in nodes else None
    if path is not None and not _DATA_PATH.fullmatch(path):
        reader.problem(nodes["path"], "the data disk is mounted below /var")
    elif path is not None and _overlap(path, "/var/log"):
        reader.problem(nodes["path"], "a disk keeps /var/log by `logs: true`")
    owner = [
        (reader.integer(nodes[key], high=2**32 - 2) or 0) if key in nodes else 0
        for key in ("uid", "gid")
    ]
    return DataDisk(
        label=label or DataDisk().label,
        path=path or DataDisk().path,
        owner=(owner[0], owner[1]),
        logs=bool(reader.boolean(nodes["logs"])) if "logs" in nodes else logs,
    )


def _network(reader: Reader, node: yaml.Node) -> Network | None:
    nodes = known_fields(reader, node, ("address", "gateway", "dns"))
    if "address" not in nodes:
        reader.problem(node, "an address is needed here; leave `network` out for DHCP")
        return None
    for server in reader.items(nodes["dns"]) if "dns" in nodes else ():
        _check_address(reader, server, ipaddress.ip_address)
    if "gateway" in nodes:
        _check_address(reader, nodes["gateway"], ipaddress.ip_address)
    _check_address(reader, nodes["address"], ipaddress.ip_interface)
    address = reader.string(nodes["address"]) or ""
    if "/" not in address:
        reader.problem(nodes["address"], "an address has its prefix length: 192.168.1.5/24")
    return Network(
        address=address,
        gateway=reader.string(nodes["gateway"]) if "gateway" in nodes else None,
        dns=reader.strings(nodes["dns"]) if "dns" in nodes else (),
    )


def _check_address(reader: Reader, node: yaml.Node, parse: Callable[[str], object]) -> None:
    try:
        parse(reader.string(node) or "")
    except ValueError as error:
        reader.problem(node, str(error))
