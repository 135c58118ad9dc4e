"""Names of images in registries: `name[:tag][@digest]`, normalised as Docker does it.

Grammar: github.com/distribution/reference (`reference.go`, `normalize.go`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingot.base.errors import UsageError
from ingot.oci.digest import check_digest

REGISTRY_DEFAULT = "docker.io"
TAG_DEFAULT = "latest"
REPOSITORY_LENGTH_MAX = 255

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_BARE_HASH = re.compile(r"[0-9a-f]{64}")
# Docker's library goes by several names.
_ALIASES = {"index.docker.io": REGISTRY_DEFAULT, "registry-1.docker.io": REGISTRY_DEFAULT}


@dataclass(frozen=True, slots=True)
class Reference:
    """The full name of an image.

    Attributes:
        registry: host name or address with an optional port.
        repository: the path inside the registry.
        tag: None only when there is a digest.
        digest: what the image must be, whatever the tag says.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """The image without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """What to ask the registry for: the digest, else the tag."""
        return self.digest or self.tag or TAG_DEFAULT

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference and complete it: `alpine` is `docker.io/library/alpine:latest`.

    Raises:
        UsageError: it is none.
    """
    rest, at, digest = text.partition("@")
    if at:
        check_digest(digest)
    registry, rest = _split_registry(rest)
    repository, colon, tag = rest.partition(":")
    if registry == REGISTRY_DEFAULT and "/" not in repository:
        repository = f"library/{repository}"
    if colon and not _TAG.fullmatch(tag):
        raise UsageError(f"{text!r} has no valid tag", hint="letters, digits and . _ - make a tag")
    if _BARE_HASH.fullmatch(rest):
        raise UsageError(f"{text!r} is a hash, not a name", hint="write NAME@sha256:HASH")
    if not _REGISTRY.fullmatch(registry):
        raise UsageError(f"{text!r}: {registry!r} is no name of a registry")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > REPOSITORY_LENGTH_MAX:
        advice = "names are lower-case" if repository != repository.lower() else None
        raise UsageError(f"{text!r} is no name of an image", hint=advice)
    return Reference(
        registry=registry,
        repository=repository,
        tag=tag or (None if at else TAG_DEFAULT),
        digest=digest or None,
    )


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    # Only what cannot be a user's name on the default registry is a host.
    if slash and (first == "localhost" or set(first) & set(".:") or first != first.lower()):
        return _ALIASES.get(first, first), rest
    return REGISTRY_DEFAULT, text
