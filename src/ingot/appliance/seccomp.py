"""Turns the containers' default seccomp profile into the form an OCI runtime reads. Pure.

Source: containers/common, pkg/seccomp: rules that hold for some architectures, capabilities or
kernels only are kept or dropped here, at build time, because all three are known.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from ingot.base.errors import IntegrityError

# Debian's architecture names, the profile's, and libseccomp's (with its narrower ABIs).
_ARCHITECTURES: Mapping[str, tuple[str, str]] = {
    "amd64": ("amd64", "SCMP_ARCH_X86_64"),
    "arm64": ("arm64", "SCMP_ARCH_AARCH64"),
}


def convert_profile(
    profile: bytes, *, arch: str, capabilities: Collection[str]
) -> dict[str, object]:
    """Return the `linux.seccomp` object of a container with these capabilities.

    Args:
        profile: the text of a `seccomp.json` of containers/common.
        arch: Debian's name of the architecture.
        capabilities: those in the container's bounding set.

    Raises:
        IntegrityError: the profile is not of the form we know.
    """
    try:
        document: dict[str, Any] = json.loads(profile)
        name, native = _ARCHITECTURES[arch]
        row = next(row for row in document["archMap"] if row["architecture"] == native)
        rules = [
            _rule(rule)
            for rule in document["syscalls"]
            if _applies(rule, arch=name, capabilities=capabilities)
        ]
        return {
            "defaultAction": document["defaultAction"],
            "defaultErrnoRet": document["defaultErrnoRet"],
            "architectures": [native, *row["subArchitectures"]],
            "syscalls": rules,
        }
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise IntegrityError(
            f"the seccomp profile for {arch} cannot be read: {error!r}",
            hint="give the container `seccomp: unconfined`, or another version of the profile",
        ) from error


def _applies(rule: Mapping[str, Any], *, arch: str, capabilities: Collection[str]) -> bool:
    includes = rule.get("includes") or {}
    excludes = rule.get("excludes") or {}
    if arch in (excludes.get("arches") or ()):
        return False
    if any(capability in capabilities for capability in excludes.get("caps") or ()):
        return False
    arches = includes.get("arches") or ()
    if arches and arch not in arches:
        return False
    return all(capability in capabilities for capability in includes.get("caps") or ())


def _rule(rule: Mapping[str, Any]) -> dict[str, object]:
    converted: dict[str, object] = {"names": sorted(rule["names"]), "action": rule["action"]}
    if rule.get("args"):
        converted["args"] = rule["args"]
    if "errnoRet" in rule:
        converted["errnoRet"] = rule["errnoRet"]
    return converted
