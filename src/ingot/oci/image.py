"""What a container image is to the builder: a tree, how to run it, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ingot.oci.tree import Tree


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How the image wants to be run (OCI image-spec, "config" object).

    Attributes:
        env: `NAME=value` strings, in order.
        user: `name`, `uid`, `name:group` or `uid:gid`; empty means root.
        labels: `org.mobyproject.config` holds LinuxKit's per-image settings as JSON or YAML text.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = "/"
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ImagePackage:
    """A piece of software inside an image, for manifests and bills of materials.

    Attributes:
        kind: where it came from.
        sha256: hex digest of the archive it was unpacked from; empty for our own files.
        source: of a deb: the source package it was built from.
        source_version: of a deb: that package's version.
        release: of a deb: the code name of the distribution's release, such as `bookworm`.
    """

    kind: Literal["deb", "wheel", "distribution", "apk"]
    name: str
    version: str
    architecture: str = ""
    sha256: str = ""
    source: str = ""
    source_version: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image ready to be placed in an appliance.

    Attributes:
        reference: how the appliance's YAML named it, such as `component:store`.
        packages: ordered by kind and name.
        digest: of its manifest or index, or of a folder's tree; empty for a component.
    """

    reference: str
    config: ImageConfig
    tree: Tree
    packages: tuple[ImagePackage, ...] = ()
    digest: str = ""
