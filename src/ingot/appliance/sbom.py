"""The bill of materials of an appliance: images and their packages as SPDX 2.3 JSON. Pure.

Format: spdx.github.io/spdx-spec/v2.3; package URLs: github.com/package-url/purl-spec. The date of
creation is a fixed one: equal appliances have equal documents.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from ingot import __version__
from ingot.base.errors import UsageError
from ingot.oci.image import Image, ImagePackage

SBOM_PATH = "sbom.spdx.json"
"""Where it stands in the root file system."""

_CREATED = "1970-01-01T00:00:00Z"
_ROOT_ID = "SPDXRef-appliance"
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_OS_ID = re.compile(r"^ID=\"?([a-z0-9._-]+)", re.MULTILINE)
_PURL_TYPES = {"deb": "deb", "apk": "apk", "wheel": "pypi", "distribution": "generic"}
_KINDS = {purl: kind for kind, purl in _PURL_TYPES.items()}
_ORIGIN = "built from the source package "
_USUAL_DISTRIBUTIONS = {"deb": "debian", "apk": "alpine"}


class BilledPackage(msgspec.Struct, frozen=True, order=True):
    """A package, as a document tells of it; `image` is the reference of one that contains it.

    Attributes:
        distribution: of a deb or apk: whose package it is, such as `debian`.
        release: of a deb: the code name of the distribution's release.
        source: of a deb: name and version of the source package it was built from.
    """

    image: str
    kind: str
    name: str
    version: str
    architecture: str = ""
    distribution: str = ""
    release: str = ""
    source: tuple[str, str] = ("", "")


class Bill(msgspec.Struct, frozen=True):
    """What a document tells: images by reference with their digest, and their packages, sorted."""

    images: dict[str, str]
    packages: list[BilledPackage]


def render_sbom(name: str, arch: str, images: Sequence[Image]) -> bytes:
    """Return the document of an appliance; equal arguments give equal bytes.

    Args:
        name: the appliance's.
        arch: Debian's name of the architecture.
        images: all that are in it, each once.
    """
    purpose = {"primaryPackagePurpose": "OPERATING-SYSTEM"}
    # A package that several images hold is listed once, and contained by each of them.
    listed = {_ROOT_ID: _listed(_ROOT_ID, name, arch, **purpose)}
    relations = {("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT_ID)}
    for image in images:
        image_id = _identifier("image", image.reference)
        listed[image_id] = _image(image, image_id)
        relations.add((_ROOT_ID, "CONTAINS", image_id))
        distribution = _distribution(image)
        for package in image.packages:
            url = _package_url(package, distribution)
            package_id = _identifier(package.kind, package.name, url)
            listed[package_id] = _package(package, package_id, url)
            relations.add((image_id, "CONTAINS", package_id))
    body = {
        "packages": [listed[key] for key in sorted(listed)],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in sorted(relations)
        ],
    }
    digest = hashlib.sha256(msgspec.json.encode(body)).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:ingot:sbom:{quote(name)}:{digest}",
        "creationInfo": {"created": _CREATED, "creators": [f"Tool: ingot-{__version__}"]},
        **body,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


class _Reference(msgspec.Struct, rename="camel"):
    reference_locator: str


class _Listed(msgspec.Struct):
    id: str = msgspec.field(name="SPDXID")
    name: str = ""
    version: str = msgspec.field(name="versionInfo", default="")
    purpose: str = msgspec.field(name="primaryPackagePurpose", default="")
    references: list[_Reference] = msgspec.field(name="externalRefs", default_factory=list)
    origin: str = msgspec.field(name="sourceInfo", default="")


class _Relation(msgspec.Struct, rename="camel"):
    spdx_element_id: str
    relationship_type: str
    related_spdx_element: str


class _Document(msgspec.Struct):
    packages: list[_Listed]
    relationships: list[_Relation]


def read_sbom(data: bytes, what: str) -> Bill:
    """Read a document that `render_sbom` wrote.

    Raises:
        UsageError: it is none.
    """
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} is no bill of materials of ours: {error}") from error
    listed = {package.id: package for package in document.packages}
    images = {key: row for key, row in listed.items() if row.purpose == "CONTAINER"}
    packages = [
        _billed(listed[row.related_spdx_element], images[row.spdx_element_id].name)
        for row in document.relationships
        if row.spdx_element_id in images and row.related_spdx_element in listed
    ]
    return Bill({row.name: row.version for row in images.values()}, sorted(packages))


def _billed(package: _Listed, image: str) -> BilledPackage:
    url = package.references[0].reference_locator if package.references else ""
    path, _, query = url.removeprefix("pkg:").partition("?")
    purl_type, *spaces, _ = path.split("/") if path else ("", "")
    qualifiers = dict(parse_qsl(query))
    source = package.origin.removeprefix(_ORIGIN).partition(" ")
    return BilledPackage(
        image,
        _KINDS.get(purl_type, purl_type),
        package.name,
        package.version,
        qualifiers.get("arch", ""),
        spaces[0] if spaces else "",
        qualifiers.get("distro", ""),
        (source[0], source[2]),
    )


def _listed(identifier: str, name: str, version: str, **more: Any) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        **({"versionInfo": version} if version else {}),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        **more,
    }


def _image(image: Image, identifier: str) -> dict[str, Any]:
    return _listed(identifier, image.reference, image.digest, primaryPackagePurpose="CONTAINER")


def _package(package: ImagePackage, identifier: str, url: str) -> dict[str, Any]:
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": url,
    }
    more: dict[str, Any] = {"externalRefs": [reference]}
    if package.source:
        more["sourceInfo"] = f"{_ORIGIN}{package.source} {package.source_version}"
    if package.sha256:
        more["checksums"] = [{"algorithm": "SHA256", "checksumValue": package.sha256}]
    return _listed(identifier, package.name, package.version, **more)


def _package_url(package: ImagePackage, distribution: str) -> str:
    name, version = quote(package.name, safe=""), quote(package.version, safe="")
    space = ""
    if usual := _USUAL_DISTRIBUTIONS.get(package.kind):
        space = f"{distribution or usual}/"
    qualifiers = {"arch": package.architecture, "distro": package.release}
    given = urlencode({key: value for key, value in qualifiers.items() if value})
    query = f"?{given}" if given else ""
    return f"pkg:{_PURL_TYPES[package.kind]}/{space}{name}@{version}{query}"


def _distribution(image: Image) -> str:
    """Return the name an image gives its distribution (os-release(5)); empty where it has none."""
    entry = image.tree.resolve("etc/os-release")
    if entry is None or entry.content is None:
        return ""
    found = _OS_ID.search(entry.content.slice(0, 4096).decode("utf-8", "replace"))
    return found[1] if found else ""


def _identifier(kind: str, name: str, *parts: str) -> str:
    """Return an SPDX identifier: readable, and unique by a digest of what names the thing."""
    digest = hashlib.sha256("\0".join((kind, name, *parts)).encode()).hexdigest()[:12]
    return f"SPDXRef-{kind}-{_UNSAFE.sub('-', name)}-{digest}"
