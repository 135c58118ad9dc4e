"""The key `outputs` of LinuxKit's first year: formats to build where the command names none."""

from __future__ import annotations

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.base.document import Reader

# What formats were called then.
_OLD_NAMES = {"gcp-img": "gcp", "qcow": "qcow2-bios", "qcow2": "qcow2-bios"}


def read_outputs(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Return the names of formats; whether there are such formats, the build says."""
    found: list[str] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("format",))
        if "format" not in nodes:
            reader.problem(item, "a format is needed here")
            continue
        name = reader.string(nodes["format"]) or ""
        found.append(_OLD_NAMES.get(name, name))
    return tuple(found)
