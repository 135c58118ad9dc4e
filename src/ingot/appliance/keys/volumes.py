"""The key `volumes`: files that several containers may bind by a name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.appliance.settings import Mount, Settings
from ingot.base.document import Reader
from ingot.base.errors import UsageError

FORMATS = ("filesystem", "oci")
FOLDER = "containers/volumes"

_NAME = re.compile(r"[a-z0-9_-]+")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_]+)?")


@dataclass(frozen=True, slots=True)
class Volume:
    """One entry of `volumes`.

    Attributes:
        image: whose files it begins with; empty for none.
        readonly: nothing can be written to it; else what is written is lost at the end.
        format: whether it holds the image's files, or the image itself as an OCI layout.
        platforms: of an OCI layout, such as `linux/arm64`; none means the appliance's own.
    """

    name: str
    image: str = ""
    readonly: bool = False
    format: Literal["filesystem", "oci"] = "filesystem"
    platforms: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Where it stands in the root file system."""
        return f"{FOLDER}/{self.name}"

    @property
    def path(self) -> str:
        """Where the machine has it once it is mounted."""
        return f"/{self.folder}/merged"


def read_volumes(
    reader: Reader, node: yaml.Node, read_image: Callable[[Reader, yaml.Node], str]
) -> tuple[Volume, ...]:
    """Read the list of volumes; `read_image` reads a reference of an image."""
    found: list[Volume] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("name", "image", "readonly", "format", "platforms"))
        name = reader.string(nodes["name"]) if "name" in nodes else None
        if name is None:
            reader.problem(item, "a name is needed here")
            continue
        if not _NAME.fullmatch(name):
            reader.problem(nodes["name"], f"{name!r} is no name: a-z, 0-9, _ and -")
        if name in {volume.name for volume in found}:
            reader.problem(nodes["name"], f"duplicate volume name {name!r}")
        kind = reader.choice(nodes["format"], FORMATS) if "format" in nodes else None
        image = ""
        if "image" in nodes and reader.string(nodes["image"]) != "":
            image = read_image(reader, nodes["image"])
        if kind == "oci" and not image:
            reader.problem(item, "an OCI layout needs an image")
        found.append(
            Volume(
                name=name,
                image=image,
                readonly="readonly" in nodes and bool(reader.boolean(nodes["readonly"])),
                format=cast("Literal['filesystem', 'oci']", kind or "filesystem"),
                platforms=_platforms(reader, nodes["platforms"]) if "platforms" in nodes else (),
            )
        )
    return tuple(found)


def with_volumes(settings: Settings, volumes: Sequence[Volume], owner: str) -> Settings:
    """Return a container's settings with the names of volumes replaced by their paths.

    Raises:
        UsageError: a volume does not exist, or a read-only one is bound to be written to.
    """
    paths = {volume.name: volume.path for volume in volumes}
    for name, options in volume_sources(settings.binds or (), settings.mounts or ()):
        if (mistake := volume_mistake(name, options, volumes)) is not None:
            raise UsageError(f"{owner}: {mistake}")
    binds = [_bound(text, paths) for text in settings.binds or ()]
    mounts = [
        dataclasses.replace(mount, source=paths[mount.source]) if _is_volume(mount) else mount
        for mount in settings.mounts or ()
    ]
    return dataclasses.replace(
        settings,
        binds=None if settings.binds is None else tuple(binds),
        mounts=None if settings.mounts is None else tuple(mounts),
    )


def volume_sources(
    binds: Iterable[str], mounts: Iterable[Mount]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of every volume that is used, with the options of its mount."""
    for text in binds:
        source, _, rest = text.partition(":")
        if not source.startswith("/"):
            yield source, tuple(rest.partition(":")[2].split(","))
    for mount in mounts:
        if _is_volume(mount):
            yield mount.source, mount.options


def volume_mistake(name: str, options: Sequence[str], volumes: Sequence[Volume]) -> str | None:
    """Say what is wrong with the use of a volume; None if nothing is."""
    found = next((volume for volume in volumes if volume.name == name), None)
    if found is None:
        return f"there is no volume {name!r}; the path of a folder starts with a slash"
    if found.readonly and "ro" not in options:
        return f"the volume {name!r} is read-only: bind it with the option ro"
    return None


def _bound(text: str, paths: dict[str, str]) -> str:
    source, _, rest = text.partition(":")
    return text if source.startswith("/") else f"{paths[source]}:{rest}"


def _is_volume(mount: Mount) -> bool:
    return mount.type == "bind" and not mount.source.startswith("/")


def _platforms(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    for item in reader.items(node):
        if not _PLATFORM.fullmatch(reader.string(item) or ""):
            reader.problem(item, "a platform is OS/ARCHITECTURE, such as linux/arm64")
    return reader.strings(node)
