"""The JSON Schema of appliance files, for editors: container keys from the table that reads them.

A schema knows shapes; `ingot validate` knows everything. Format: JSON Schema 2020-12.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from ingot.appliance.capabilities import KNOWN
from ingot.appliance.keys.basics import ID_MAX
from ingot.appliance.keys.containers import KEYS, PORT_MAX
from ingot.appliance.keys.files import METADATA
from ingot.appliance.keys.network import MTU_MAX, MTU_MIN
from ingot.appliance.keys.resources import RESOURCES
from ingot.appliance.keys.shapes import describe
from ingot.appliance.keys.volumes import FORMATS
from ingot.appliance.settings import NAMESPACE_KINDS, Settings
from ingot.appliance.spec import PLATFORMS

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_WORDS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_FLAG = {"type": "boolean"}
_NUMBER = {"type": "integer", "minimum": 0}
_MODE = {"type": ["string", "integer"], "description": "permission bits as octal digits"}
_ID = {"type": ["integer", "string"], "description": "a number or the name of a container"}
_NUMERIC_ID = {"type": "integer", "minimum": 0, "maximum": ID_MAX}
_DURATION = {"type": ["string", "integer"], "description": "such as 10s or 2m"}
_IMAGE = {
    "type": "string",
    "description": "component:NAME, NAME[:TAG][@DIGEST], oci:PATH, docker-archive:PATH, dir:PATH",
}


def _object(
    properties: Mapping[str, Any], required: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "additionalProperties": False}
    if required:
        made["required"] = list(required)
    return {**made, **more, "properties": dict(properties)}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}


def _entry(properties: Mapping[str, Any], required: tuple[str, ...], name: str) -> dict[str, Any]:
    """Return the schema of a list's entry, which may change or drop an earlier one instead."""
    changes = {"override": {"const": True}, "remove": {"const": True}}
    ways = [{"required": list(required)}, *({"required": [name, word]} for word in changes)]
    return _object({**properties, **changes}, anyOf=ways)


def _one_of(*keys: str) -> list[dict[str, list[str]]]:
    return [{"required": [key]} for key in keys]


_MOUNT = {"type": _TEXT, "source": _TEXT, "destination": _TEXT, "options": _TEXTS}
_MAPPINGS = _list(
    _object({"hostID": _NUMERIC_ID, "containerID": _NUMERIC_ID, "size": _NUMERIC_ID}, ("size",))
)

# Of a field whose YAML has another shape than its value.
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "capabilities": _list({"enum": ["all", "none", *sorted(KNOWN)]}),
    "capabilities_add": _list({"enum": ["all", "none", *sorted(KNOWN)]}),
    "ambient": _list({"enum": ["all", "none", *sorted(KNOWN)]}),
    "mounts": _list(_object(_MOUNT)),
    "devices": _list(
        _object(
            {
                "path": _TEXT,
                "type": {"enum": ["a", "b", "c"]},
                "major": _NUMBER,
                "minor": _NUMBER,
                "mode": _MODE,
            },
            ("path", "type"),
        )
    ),
    "uid": _ID,
    "gid": _ID,
    "additional_gids": _list(_ID),
    "oom_score_adj": {"type": "integer", "minimum": -1000, "maximum": 1000},
    "rootfs_propagation": {"enum": ["shared", "slave", "private", "rshared", "rslave", "rprivate"]},
    "rlimits": _list({"type": "string", "description": "NAME,SOFT,HARD"}),
    "resources": describe(RESOURCES),
    "uid_mappings": _MAPPINGS,
    "gid_mappings": _MAPPINGS,
    "actions": _object(
        {
            "cgroups": _TEXTS,
            "mounts": _list(_object(_MOUNT, ("destination",))),
            "mkdir": _TEXTS,
            "interfaces": _list(
                _object(
                    {"name": _TEXT, "add": _TEXT, "peer": _TEXT, "createInRoot": _FLAG}, ("name",)
                )
            ),
            "bindNS": _object(dict.fromkeys(NAMESPACE_KINDS, _TEXT)),
            "namespace": _TEXT,
        }
    ),
    "seccomp": {"enum": ["default", "unconfined"]},
    "restart": {"enum": ["always", "on-failure", "never"]},
    "ready": _object(
        {
            "url": {"type": "string", "pattern": "^http://"},
            "port": {"type": "integer", "minimum": 1, "maximum": PORT_MAX},
            "file": _TEXT,
            "command": _TEXTS,
            "timeout": _DURATION,
        },
        oneOf=_one_of("url", "port", "file", "command"),
    ),
    "stop_timeout_s": _DURATION,
}
_TYPES: Mapping[Any, Mapping[str, Any]] = {
    bool | None: _FLAG,
    str | None: _TEXT,
    tuple[str, ...] | None: _TEXTS,
    Mapping[str, str] | None: _WORDS,
}
_FILE = _entry(
    {
        "path": _TEXT,
        "contents": _TEXT,
        "source": _TEXT,
        "symlink": _TEXT,
        "metadata": {"enum": list(METADATA)},
        "directory": _FLAG,
        "optional": _FLAG,
        "mode": _MODE,
        "uid": _ID,
        "gid": _ID,
    },
    ("path",),
    "path",
)
# A file that is merged over another need not name the image again.
_KERNEL = _object(
    {"image": _IMAGE, "cmdline": _TEXT, "binary": _TEXT, "tar": _TEXT, "ucode": _TEXT}
)
_VOLUME = _entry(
    {
        "name": {"type": "string", "pattern": "^[a-z0-9_-]+$"},
        "image": _TEXT,
        "readonly": _FLAG,
        "format": {"enum": list(FORMATS)},
        "platforms": _TEXTS,
    },
    ("name",),
    "name",
)
_TRUST = _object({"image": _TEXTS, "org": _TEXTS})
_DISK = _object(
    {
        "label": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,16}$"},
        "path": {"type": "string", "pattern": "^/var/"},
        "uid": _NUMERIC_ID,
        "gid": _NUMERIC_ID,
        "logs": _FLAG,
        "key": {"type": "string", "pattern": "^/run/"},
    }
)
_ONE_OR_MORE = {"anyOf": [_TEXT, _TEXTS]}
_CARD = {
    "address": _ONE_OR_MORE,
    "gateway": _ONE_OR_MORE,
    "dhcp": _FLAG,
    "dhcp6": _FLAG,
    "ipv6": {"enum": ["auto", "manual", "off"]},
    "mtu": {"type": "integer", "minimum": MTU_MIN, "maximum": MTU_MAX},
}
_NETWORK = _object(
    {
        **_CARD,
        "dns": _TEXTS,
        "search": _TEXTS,
        "hostname": _TEXT,
        "interfaces": _list(_object({"name": _TEXT, **_CARD}, ("name",))),
    }
)


def appliance_schema() -> dict[str, Any]:
    """Return the schema as plain values."""
    containers = _list({"$ref": "#/$defs/container"})
    disk = {"$ref": "#/$defs/disk"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ingot appliance file",
        **_object(
            {
                "kernel": _KERNEL,
                "init": _list(_IMAGE),
                "volumes": _list(_VOLUME),
                "trust": _TRUST,
                "onboot": containers,
                "onshutdown": containers,
                "services": containers,
                "files": _list(_FILE),
                "data": {"anyOf": [disk, _list(disk)]},
                "network": _NETWORK,
                "outputs": _list(_object({"format": _TEXT}, ("format",))),
                "ntp": _TEXTS,
                "platform": {"enum": list(PLATFORMS)},
            }
        ),
        "$defs": {"container": _container(), "disk": _DISK},
    }


def render_schema() -> bytes:
    """Return the schema as the text that is published."""
    return msgspec.json.format(msgspec.json.encode(appliance_schema()), indent=2) + b"\n"


def _container() -> dict[str, Any]:
    hints = typing.get_type_hints(Settings)
    keys = {key: _FIELDS.get(field) or _TYPES[hints[field]] for key, (field, _) in KEYS.items()}
    return _entry({"name": _TEXT, "image": _IMAGE, **keys}, ("name", "image"), "name")
