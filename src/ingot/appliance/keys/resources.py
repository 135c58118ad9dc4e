"""The key `resources`: limits of a container's control group, as the OCI specification has them.

Source: runtime-spec, config-linux.md. LinuxKit spells `blockIO` as `blockio`; both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ingot.appliance.keys.shapes import Fields, Items, Shape, Values, read_shape
from ingot.base.document import Reader

_THROTTLE = Items(
    Fields({"major": "integer", "minor": "integer", "rate": "integer"}, ("major", "minor", "rate"))
)
_BLOCK_IO = Fields(
    {
        "weight": "integer",
        "leafWeight": "integer",
        "weightDevice": Items(
            Fields(
                {
                    "major": "integer",
                    "minor": "integer",
                    "weight": "integer",
                    "leafWeight": "integer",
                },
                ("major", "minor"),
            )
        ),
        "throttleReadBpsDevice": _THROTTLE,
        "throttleWriteBpsDevice": _THROTTLE,
        "throttleReadIOPSDevice": _THROTTLE,
        "throttleWriteIOPSDevice": _THROTTLE,
    }
)
_CPU: dict[str, Shape] = dict.fromkeys(
    ("shares", "quota", "burst", "period", "realtimeRuntime", "realtimePeriod", "idle"), "integer"
)
_MEMORY: dict[str, Shape] = dict.fromkeys(
    ("limit", "reservation", "swap", "kernel", "kernelTCP", "swappiness"), "integer"
)
_DEVICE: dict[str, Shape] = {
    "allow": "boolean",
    "type": "text",
    "major": "integer",
    "minor": "integer",
    "access": "text",
}
RESOURCES = Fields(
    {
        "blockIO": _BLOCK_IO,
        "blockio": _BLOCK_IO,
        "cpu": Fields({**_CPU, "cpus": "text", "mems": "text"}),
        "devices": Items(Fields(_DEVICE, ("allow",))),
        "hugepageLimits": Items(
            Fields({"pageSize": "text", "limit": "integer"}, ("pageSize", "limit"))
        ),
        "memory": Fields(
            {
                **_MEMORY,
                "disableOOMKiller": "boolean",
                "useHierarchy": "boolean",
                "checkBeforeUpdate": "boolean",
            }
        ),
        "network": Fields(
            {
                "classID": "integer",
                "priorities": Items(
                    Fields({"name": "text", "priority": "integer"}, ("name", "priority"))
                ),
            }
        ),
        "pids": Fields({"limit": "integer"}, ("limit",)),
        "rdma": Values(Fields({"hcaHandles": "integer", "hcaObjects": "integer"})),
        "unified": Values("text"),
    }
)
"""What `resources` may hold; `unified` (keys of version 2 of control groups) is ours."""


def read_resources(reader: Reader, node: yaml.Node) -> Mapping[str, Any]:
    """Read the value of `resources`, spelled as the runtime wants it."""
    found: dict[str, Any] = read_shape(reader, node, RESOURCES)
    if "blockio" in found:
        if "blockIO" in found:
            reader.problem(node, "'blockio' and 'blockIO' are the same; give one")
        found["blockIO"] = found.pop("blockio")
    return found
