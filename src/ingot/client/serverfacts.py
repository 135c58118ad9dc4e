"""What a service says of itself, as facts for people; pure.

Services say more or less of it, so everything may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ingot.base.units import format_duration, format_size


class Facts(NamedTuple):
    """What is told of one server, or of the whole service: a title, then names and values."""

    title: str
    rows: list[tuple[str, str]]


def facts_of(info: Mapping[str, Any]) -> list[Facts]:
    """Return what is told of each server, and of all together."""
    told = [_server(server) for server in _objects(info, "servers")]
    together = [
        ("buckets", str(_number(info, "buckets", "count"))),
        ("objects", str(_number(info, "objects", "count"))),
        ("versions", str(_number(info, "versions", "count"))),
        ("delete markers", str(_number(info, "deletemarkers", "count"))),
        ("used", format_size(_number(info, "usage", "size"))),
    ]
    region = info.get("region")
    if isinstance(region, str) and region:
        together.insert(0, ("region", region))
    return [*told, Facts("together", together)]


def _server(server: Mapping[str, Any]) -> Facts:
    rows = [("state", _text(server, "state") or "unknown")]
    for name, field in (("version", "version"), ("runs on", "runtime_version")):
        if text := _text(server, field):
            rows.append((name, text))
    uptime_s = server.get("uptime")
    if isinstance(uptime_s, int) and uptime_s >= 0:
        rows.append(("up for", format_duration(uptime_s)))
    network = server.get("network")
    if isinstance(network, dict) and network:
        online = sum(state == "online" for state in network.values())
        rows.append(("network", f"{online} of {len(network)} online"))
    rows += [("drive", text) for text in map(_drive, _objects(server, "drives"))]
    return Facts(_text(server, "endpoint") or "a server", rows)


def _drive(drive: Mapping[str, Any]) -> str:
    path = _text(drive, "path") or _text(drive, "endpoint")
    state = _text(drive, "state") or "unknown"
    total, free = (_number(drive, field) for field in ("totalspace", "availspace"))
    space = f", {format_size(free)} of {format_size(total)} free" if total else ""
    return f"{path} {state}{space}".lstrip()


def _objects(info: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    found = info.get(field)
    return (one for one in found if isinstance(one, dict)) if isinstance(found, list) else iter(())


def _text(info: Mapping[str, Any], field: str) -> str:
    found = info.get(field)
    return found if isinstance(found, str) else ""


def _number(info: Mapping[str, Any], *fields: str) -> int:
    found: Any = info
    for field in fields:
        found = found.get(field) if isinstance(found, dict) else None
    return found if isinstance(found, int) else 0
