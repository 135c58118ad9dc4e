"""The key `runtime`: what the machine does before a container's program starts."""

from __future__ import annotations

import re

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.appliance.keys.mounts import read_machine_mounts
from ingot.appliance.settings import NAMESPACE_KINDS, Actions, Interface
from ingot.base.document import Reader

_INTERFACE = re.compile(r"[^\s/:]{1,15}")
_KIND = re.compile(r"[a-z0-9_]{1,16}")
_CGROUP = re.compile(r"/?[A-Za-z0-9_.@:-]+(/[A-Za-z0-9_.@:-]+)*")


def read_actions(reader: Reader, node: yaml.Node) -> Actions:
    """Read the value of `runtime`."""
    known = ("cgroups", "mounts", "mkdir", "interfaces", "bindNS", "namespace")
    nodes = known_fields(reader, node, known)
    return Actions(
        cgroups=_cgroups(reader, nodes["cgroups"]) if "cgroups" in nodes else None,
        mounts=read_machine_mounts(reader, nodes["mounts"]) if "mounts" in nodes else None,
        mkdir=reader.strings(nodes["mkdir"]) if "mkdir" in nodes else None,
        interfaces=_interfaces(reader, nodes["interfaces"]) if "interfaces" in nodes else None,
        bind_namespaces=_places(reader, nodes["bindNS"]) if "bindNS" in nodes else None,
        namespace=reader.string(nodes["namespace"]) if "namespace" in nodes else None,
    )


def _cgroups(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    for item in reader.items(node):
        name = reader.string(item) or ""
        if not _CGROUP.fullmatch(name) or ".." in name.split("/"):
            reader.problem(item, f"{name!r} is no name of a control group")
    return reader.strings(node)


def _interfaces(reader: Reader, node: yaml.Node) -> tuple[Interface, ...]:
    found: list[Interface] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("name", "add", "peer", "createInRoot"))
        text = {k: reader.string(v) or "" for k, v in nodes.items() if k != "createInRoot"}
        if "name" not in nodes:
            reader.problem(item, "an interface needs a name")
            continue
        for key in ("name", "peer"):
            if text.get(key) and not _INTERFACE.fullmatch(text[key]):
                reader.problem(nodes[key], f"{text[key]!r} is no name of an interface")
        # LinuxKit: whoever names a peer wants a pair.
        kind = text.get("add") or ("veth" if text.get("peer") else "")
        if kind and not _KIND.fullmatch(kind):
            reader.problem(nodes["add"], f"{kind!r} is no type of an interface")
        if (kind == "veth") != bool(text.get("peer")):
            reader.problem(item, "a veth, and nothing else, needs a `peer`")
        in_root = "createInRoot" in nodes and bool(reader.boolean(nodes["createInRoot"]))
        found.append(Interface(text["name"], kind, text.get("peer", ""), in_root))
    return tuple(found)


def _places(reader: Reader, node: yaml.Node) -> dict[str, str]:
    nodes = known_fields(reader, node, NAMESPACE_KINDS)
    places: dict[str, str] = {}
    for kind, value in nodes.items():
        path = reader.string(value) or ""
        if path and not path.startswith("/"):
            reader.problem(value, f"{path!r} must start with a slash")
        places[kind] = path
    return places
