"""The JSON documents of images: descriptors, manifests, indexes and configurations.

Format: OCI image-spec 1.1; Docker's "image manifest version 2, schema 2" has the same shape.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TypeVar

import msgspec

from ingot.base.errors import IntegrityError, NotFoundError
from ingot.base.units import MIB
from ingot.oci.image import ImageConfig

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
REF_NAME = "org.opencontainers.image.ref.name"

# distribution-spec, "Pushing Manifests": a registry takes at least this much.
DOCUMENT_BYTES_MAX = 4 * MIB
LAYERS_MAX = 512
INDEX_DEPTH_MAX = 3

# Debian's names of architectures where they differ from Go's.
_GO_NAMES = {
    "armel": ("arm", "v6"),
    "armhf": ("arm", "v7"),
    "i386": ("386", ""),
    "ppc64el": ("ppc64le", ""),
    "mips64el": ("mips64le", ""),
}
# What Go's names mean when the variant is left out.
_VARIANT_DEFAULTS = {"arm64": "v8", "arm": "v7"}

_Document = TypeVar("_Document")


class ManifestError(IntegrityError):
    """A document of an image is malformed or of a kind that is not read."""

    slug = "manifest"


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """The machine an image is for, in Go's names."""

    architecture: str = ""
    os: str = ""
    variant: str = ""

    def __str__(self) -> str:
        variant = f"/{self.variant}" if self.variant else ""
        return f"{self.os}/{self.architecture}{variant}"

    def matches(self, other: Platform) -> bool:
        """Say whether an image for `other` runs here."""
        usual = _VARIANT_DEFAULTS.get(self.architecture, "")
        return (
            (self.os, self.architecture) == (other.os, other.architecture)
            and (self.variant or usual) == (other.variant or usual)
        )  # fmt: skip


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What points to a blob."""

    digest: str
    size_bytes: int = msgspec.field(name="size")
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image: its configuration and its layers, lowest first."""

    config: Descriptor
    layers: list[Descriptor]
    schema_version: int = 2
    media_type: str = MANIFEST_TYPE


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """A list of images, one for each platform; also the root of a layout."""

    manifests: list[Descriptor]
    schema_version: int = 2
    media_type: str = INDEX_TYPE


class RunConfig(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """How the image is run; every field may be missing or null."""

    user: str | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None


class RootFs(msgspec.Struct, frozen=True):
    """The digests of the layers' uncompressed tars."""

    diff_ids: list[str]
    type: str = "layers"


class ConfigDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image's configuration."""

    rootfs: RootFs
    architecture: str = ""
    os: str = ""
    variant: str = ""
    config: RunConfig | None = None


def platform_for(architecture: str) -> Platform:
    """Return the platform of Debian's `architecture`."""
    name, variant = _GO_NAMES.get(architecture, (architecture, ""))
    return Platform(name, "linux", variant)


def decode_manifest(data: bytes, what: str) -> Manifest | Index:
    """Read a manifest or an index; which of both, its content says.

    Raises:
        ManifestError: it is neither, or could be taken for both (CVE-2021-41190).
    """
    keys = decode(data, dict[str, msgspec.Raw], what).keys()
    if "fsLayers" in keys:
        raise ManifestError(
            f"{what} is of Docker's schema 1, which is not read",
            hint="push the image anew with a tool of this decade",
        )
    if ("layers" in keys) == ("manifests" in keys):
        raise ManifestError(f"{what} is neither a manifest nor an index")
    if "manifests" in keys:
        return decode(data, Index, what)
    manifest = decode(data, Manifest, what)
    if len(manifest.layers) > LAYERS_MAX:
        raise ManifestError(f"{what} has more than {LAYERS_MAX} layers")
    return manifest


def decode(data: bytes, kind: type[_Document], what: str) -> _Document:
    """Read a JSON document.

    Raises:
        ManifestError: it is malformed.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{what} is malformed: {error}") from error


def select(manifests: list[Descriptor], platform: Platform, what: str) -> Descriptor:
    """Return the image for a platform; one that names no platform serves if nothing else does.

    Raises:
        NotFoundError: there is none; the hint lists what there is.
    """
    for found in manifests:
        if found.platform is not None and platform.matches(found.platform):
            return found
    for found in manifests:
        if found.platform is None or not found.platform.architecture:
            return found
    known = sorted(
        {str(m.platform) for m in manifests if m.platform and m.platform.os != "unknown"}
    )
    raise NotFoundError(
        f"{what} has no image for {platform}",
        hint=f"it is for {', '.join(known)}" if known else None,
    )


def image_config(document: ConfigDocument) -> ImageConfig:
    """Return how the image is run, nothing being null."""
    run = document.config or RunConfig()
    return ImageConfig(
        entrypoint=tuple(run.entrypoint or ()),
        cmd=tuple(run.cmd or ()),
        env=tuple(run.env or ()),
        working_dir=run.working_dir or "/",
        user=run.user or "",
        labels=MappingProxyType(dict(run.labels or {})),
    )
