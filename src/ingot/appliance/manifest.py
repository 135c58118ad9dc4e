"""NAME.manifest.json: what a build wrote, with digests, and what a machine needs to boot it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from ingot.appliance.outputs import Firmware, OutputFile, Role
from ingot.appliance.plan import Plan

CONSOLE = "ttyS0"
MANIFEST_SUFFIX = ".manifest.json"

_MEMORY_MIB_MIN = 128


class BuiltFile(msgspec.Struct, frozen=True):
    """One file of a build; `path` is relative to the manifest, `firmware` starts it by itself."""

    role: Role
    path: str
    size_bytes: int
    sha256: str
    firmware: tuple[Firmware, ...] = ()


class Service(msgspec.Struct, frozen=True):
    """A service of the appliance, in the order of start."""

    name: str


class Manifest(msgspec.Struct, frozen=True):
    """The document; `format` names the formats, joined by commas.

    A machine with `memory_mib` of RAM boots each of the files.
    """

    name: str
    format: str
    arch: str
    files: list[BuiltFile]
    memory_mib: int
    services: list[Service]
    schema: Literal[1] = 1
    console: str = CONSOLE


def make_manifest(
    plan: Plan, name: str, formats: list[str], files: list[OutputFile], folder: Path
) -> Manifest:
    """Describe the files that the formats wrote into `folder`."""
    built = [_built(file, folder) for file in files]
    return Manifest(
        name=name,
        format=",".join(formats),
        arch=plan.arch,
        files=built,
        memory_mib=max([_MEMORY_MIB_MIN, *(file.memory_mib for file in files)]),
        services=[Service(service) for service in plan.services],
    )


def render(manifest: Manifest) -> bytes:
    """Return the manifest's bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def _built(file: OutputFile, folder: Path) -> BuiltFile:
    path = folder / file.file_name
    with path.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return BuiltFile(file.role, file.file_name, path.stat().st_size, digest, file.firmware)
