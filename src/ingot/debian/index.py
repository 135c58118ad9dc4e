"""Package indexes: the Packages file of an archive as values, and a compact form to keep."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from ingot.base.errors import Error
from ingot.debian.relations import parse_relations

# Counts up when `Package` or the stored form changes, so that old caches are not misread.
INDEX_SCHEMA = 2

_FIELD = re.compile(
    r"^(Package|Version|Architecture|Depends|Pre-Depends|Provides|Filename|Size|SHA256|Source):"
    r"[ \t]*(.*(?:\n[ \t].*)*)",
    re.MULTILINE,
)
_REQUIRED = frozenset({"Package", "Version", "Architecture", "Filename", "Size", "SHA256"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


class IndexFormatError(Error):
    """A Packages file is not one."""

    slug = "index"


class Package(msgspec.Struct, frozen=True, array_like=True):
    """One package as an archive offers it.

    Attributes:
        suite: the suite whose index listed it; tells which archive has the file.
        path: the .deb's path below the archive's base URI.
        depends: Pre-Depends and Depends in one field.
        source: the field Source, `NAME` or `NAME (VERSION)`; empty if both are the package's own.
    """

    name: str
    version: str
    architecture: str
    suite: str
    path: str
    size_bytes: int
    sha256: str
    depends: str = ""
    provides: str = ""
    source: str = ""

    @property
    def source_name(self) -> str:
        """The source package it was built from."""
        return self.source.partition(" ")[0] or self.name

    @property
    def source_version(self) -> str:
        """The version of the source package."""
        return self.source.partition(" ")[2].strip("()") or self.version


class PackageIndex:
    """All packages of one Packages file, decoded one name at a time."""

    def __init__(self, rows: dict[str, msgspec.Raw], providers: dict[str, list[str]]) -> None:
        self._rows = rows
        self._providers = providers

    def versions(self, name: str) -> list[Package]:
        """Return the packages called `name`, in the index's order."""
        row = self._rows.get(name)
        return _PACKAGES.decode(row) if row is not None else []

    def providers(self, name: str) -> list[str]:
        """Return the names of packages that provide `name`, sorted."""
        return self._providers.get(name, [])

    def __len__(self) -> int:
        return len(self._rows)


_PACKAGES = msgspec.msgpack.Decoder(list[Package])
_STORED = msgspec.msgpack.Decoder(tuple[int, dict[str, msgspec.Raw], dict[str, list[str]]])


def parse_packages(text: str, suite: str) -> Iterator[Package]:
    """Yield the stanzas of a Packages file.

    Raises:
        IndexFormatError: a stanza lacks a field, or its size, digest or path is malformed.
    """
    for stanza in text.split("\n\n"):
        if not stanza.strip():
            continue
        fields = dict(_FIELD.findall(stanza))
        if not fields.keys() >= _REQUIRED:
            missing = ", ".join(sorted(_REQUIRED - fields.keys()))
            raise IndexFormatError(f"a package of {suite} lacks {missing}: {stanza[:80]!r}")
        depends = [fields[key] for key in ("Pre-Depends", "Depends") if fields.get(key)]
        path = fields["Filename"]
        plain = fields["Size"].isdecimal() and _SHA256.fullmatch(fields["SHA256"])
        if not plain or path.startswith("/") or ".." in path.split("/"):
            raise IndexFormatError(f"package {fields['Package']} of {suite} is malformed")
        yield Package(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            suite=suite,
            path=path,
            size_bytes=int(fields["Size"]),
            sha256=fields["SHA256"],
            depends=", ".join(depends),
            provides=fields.get("Provides", ""),
            source=fields.get("Source", ""),
        )


def encode_index(text: str, suite: str) -> bytes:
    """Parse a Packages file into the form `decode_index` reads; raises as `parse_packages` does."""
    rows: dict[str, list[Package]] = {}
    providers: dict[str, set[str]] = {}
    for package in parse_packages(text, suite):
        rows.setdefault(package.name, []).append(package)
        if package.provides:
            for alternatives in parse_relations(package.provides):
                providers.setdefault(alternatives[0].name, set()).add(package.name)
    ordered = {name: sorted(names) for name, names in providers.items()}
    return msgspec.msgpack.encode((INDEX_SCHEMA, rows, ordered))


def decode_index(data: bytes) -> PackageIndex | None:
    """Read what `encode_index` wrote; None when it is damaged or of another schema."""
    try:
        schema, rows, providers = _STORED.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return PackageIndex(rows, providers) if schema == INDEX_SCHEMA else None
