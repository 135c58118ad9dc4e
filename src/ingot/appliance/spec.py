"""The appliance file as a value: LinuxKit's YAML with our few additions, checked as a whole."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import yaml

from ingot.appliance.bundle import COMPONENT_PREFIX
from ingot.appliance.documents import (
    PACKAGE_TEMPLATE,
    Document,
    compose_all,
    render_json,
    render_yaml,
)
from ingot.appliance.keys.basics import known_fields
from ingot.appliance.keys.containers import container_fields, read_settings
from ingot.appliance.keys.datadisks import DataDisk, read_data_disks
from ingot.appliance.keys.files import FileEntry, hidden_files, read_files
from ingot.appliance.keys.network import Network, read_network, read_servers
from ingot.appliance.keys.outputs import read_outputs
from ingot.appliance.keys.volumes import Volume, read_volumes, volume_mistake, volume_sources
from ingot.appliance.settings import Settings
from ingot.base.document import Reader
from ingot.base.errors import UsageError
from ingot.oci.sources import split_source

CONTAINERS_MAX = 999
FIRST_ID = 100
"""LinuxKit numbers the names of containers from here on."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}", re.IGNORECASE)
_SECTIONS = (
    *("kernel", "init", "volumes", "onboot", "onshutdown", "services", "files", "trust"),
    *("data", "network", "ntp", "platform", "outputs"),
)
PLATFORMS = ("cloud", "generic")
_SERVICE_ONLY = frozenset({"restart", "depends", "ready", "stop-timeout", "kept"})


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel's image, its command line, and the names of files in the image.

    Attributes:
        binary: the kernel itself.
        tar: unpacked into the root file system; empty for none.
        ucode: a cpio archive with microcode of processors; empty for none.
    """

    image: str
    cmdline: str = "console=ttyS0"
    binary: str = "kernel"
    tar: str = "kernel.tar"
    ucode: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One entry of onboot, onshutdown or services."""

    name: str
    image: str
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Appliance:
    """A whole appliance file; services are in the order in which they start.

    Attributes:
        platform: the machines that the shipped kernel is for; None leaves it to the build.
        outputs: formats to build where nobody names others.
        ids: numbers of the containers' names, for `uid: NAME`.
        warnings: what is accepted and has no effect.
        yaml_text: the file itself, merged and with templates resolved.
        json_text: the same as JSON, if a file is to hold it.
    """

    name: str
    kernel: Kernel | None = None
    init: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    onboot: tuple[Container, ...] = ()
    onshutdown: tuple[Container, ...] = ()
    services: tuple[Container, ...] = ()
    files: tuple[FileEntry, ...] = ()
    data: tuple[DataDisk, ...] = ()
    network: Network | None = None
    ntp: tuple[str, ...] = ()
    platform: str | None = None
    outputs: tuple[str, ...] = ()
    ids: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    yaml_text: str = field(default="", compare=False, repr=False)
    json_text: str = field(default="", compare=False, repr=False)


def parse_appliance(documents: Sequence[Document], *, name: str) -> Appliance:
    """Read the documents of an appliance as one; raises DocumentError with all mistakes."""
    reader = Reader("appliance file", paths=True)
    root = compose_all(reader, documents)
    nodes = known_fields(reader, root, _SECTIONS)
    volumes = read_volumes(reader, nodes["volumes"], _image) if "volumes" in nodes else ()
    steps = {
        section: _containers(reader, nodes, section, volumes)
        for section in ("onboot", "onshutdown", "services")
    }
    names = dict.fromkeys(e.container.name for section in steps.values() for e in section)
    appliance = Appliance(
        name=name,
        kernel=_kernel(reader, nodes["kernel"]) if "kernel" in nodes else None,
        init=_images(reader, nodes["init"]) if "init" in nodes else (),
        volumes=volumes,
        onboot=tuple(entry.container for entry in steps["onboot"]),
        onshutdown=tuple(entry.container for entry in steps["onshutdown"]),
        services=_in_order(reader, nodes.get("services", root), steps["services"]),
        files=read_files(reader, nodes["files"]) if "files" in nodes else (),
        data=read_data_disks(reader, nodes["data"]) if "data" in nodes else (),
        network=read_network(reader, nodes["network"]) if "network" in nodes else None,
        ntp=read_servers(reader, nodes["ntp"]) if "ntp" in nodes else (),
        platform=reader.choice(nodes["platform"], PLATFORMS) if "platform" in nodes else None,
        outputs=read_outputs(reader, nodes["outputs"]) if "outputs" in nodes else (),
        ids={name: number for number, name in enumerate(names, FIRST_ID)},
        warnings=_trust(reader, nodes["trust"]) if "trust" in nodes else (),
    )
    reader.finish()
    wants_json = any(entry.metadata == "json" for entry in appliance.files)
    return replace(
        appliance,
        warnings=(*appliance.warnings, *hidden_files(appliance.files)),
        yaml_text=render_yaml(root),
        json_text=render_json(reader, root) if wants_json else "",
    )


def _kernel(reader: Reader, node: yaml.Node) -> Kernel | None:
    nodes = known_fields(reader, node, ("image", "cmdline", "binary", "tar", "ucode"))
    if "image" not in nodes:
        reader.problem(node, "a kernel needs an image")
        return None
    values = {key: reader.string(value) or "" for key, value in nodes.items() if key != "image"}
    for key in ("binary", "tar", "ucode"):
        if "/" in values.get(key, ""):
            reader.problem(nodes[key], "the file stands at the root of the image: give its name")
    if values.get("tar") == "none":
        values["tar"] = ""
    return Kernel(image=_image(reader, nodes["image"]), **values)


def _trust(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Read LinuxKit's lists of what was to be signed; say that they have no effect."""
    nodes = known_fields(reader, node, ("image", "org"))
    named = [name for value in nodes.values() for name in reader.strings(value)]
    if not named:
        return ()
    mark = node.start_mark
    where = f"{mark.name}:{mark.line + 1}:{mark.column + 1}: trust"
    ended = "Docker Content Trust has ended. ingot.lock pins every image by its digest"
    return (f"{where}: signatures of {', '.join(named)} are not checked: {ended}",)


def _images(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    return tuple(_image(reader, item) for item in reader.items(node))


def _image(reader: Reader, node: yaml.Node) -> str:
    reference = reader.string(node) or ""
    name = reference.removeprefix(COMPONENT_PREFIX)
    if reference.startswith(PACKAGE_TEMPLATE):
        pass  # the template's own mistake is noted
    elif name == reference:
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
    reader: Reader,
    sections: Mapping[str, yaml.Node],
    section: str,
    volumes: tuple[Volume, ...],
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
        settings = read_settings(reader, nodes)
        _check_volumes(reader, nodes, settings, volumes)
        container = Container(name, _image(reader, nodes["image"]), settings)
        found.append(_Entry(container, nodes))
    if len(found) > CONTAINERS_MAX:
        reader.problem(sections[section], f"more than {CONTAINERS_MAX} containers")
    return tuple(found)


def _check_volumes(
    reader: Reader,
    nodes: Mapping[str, yaml.Node],
    settings: Settings,
    volumes: tuple[Volume, ...],
) -> None:
    """Note the uses of volumes that are not there, each at its place."""
    for key, binds in (("binds", settings.binds), ("binds.add", settings.binds_add)):
        items = reader.items(nodes[key]) if binds else ()
        for item, bind in zip(items, binds or (), strict=False):
            _check_uses(reader, item, volume_sources((bind,), ()), volumes)
    items = reader.items(nodes["mounts"]) if settings.mounts else ()
    for item, mount in zip(items, settings.mounts or (), strict=False):
        _check_uses(reader, item, volume_sources((), (mount,)), volumes)


def _check_uses(
    reader: Reader,
    node: yaml.Node,
    uses: Iterable[tuple[str, tuple[str, ...]]],
    volumes: tuple[Volume, ...],
) -> None:
    for name, options in uses:
        if (mistake := volume_mistake(name, options, volumes)) is not None:
            reader.problem(node, mistake)


def _in_order(
    reader: Reader, node: yaml.Node, entries: tuple[_Entry, ...]
) -> tuple[Container, ...]:
    """Return the services so that each comes after those it depends on, else as written."""
    indexes: dict[str, int] = {}
    for index, entry in enumerate(entries):
        name = entry.container.name
        if name in indexes:
            reader.problem(entry.nodes["name"], f"duplicate service name {name!r}")
        indexes.setdefault(name, index)
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for index, entry in enumerate(entries):
        sorter.add(index)
        for need in reader.items(entry.nodes["depends"]) if "depends" in entry.nodes else ():
            other = reader.string(need)
            if other in indexes:
                sorter.add(index, indexes[other])
            else:
                reader.problem(need, f"{other!r} is no service of this file")
    try:
        order = tuple(sorter.static_order())
    except graphlib.CycleError as error:
        circle = " → ".join(entries[index].container.name for index in reversed(error.args[1]))
        reader.problem(node, f"services depend on each other in a circle: {circle}")
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
