"""The `data` key of an appliance file, and the onboot steps that it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.base.document import Reader

_PATH = re.compile(r"/var(/(?!\.\.?(/|$))[^/]+)+")
_KEY = re.compile(r"/run(/(?!\.\.?(/|$))[A-Za-z0-9_.@+-]+)+")
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,16}")


@dataclass(frozen=True, slots=True)
class DataDisk:
    """The disk that survives: recognised by its label, formatted only when blank.

    Attributes:
        path: where it is mounted, before any other step of the boot.
        owner: user and group of the mounted root directory.
        logs: whether the machine's logs are kept on it.
        key: the file with the key of its encryption; None leaves it in the clear.
    """

    label: str = "INGOT-DATA"
    path: str = "/var/data"
    owner: tuple[int, int] = (0, 0)
    logs: bool = False
    key: str | None = None


def read_data_disks(reader: Reader, node: yaml.Node) -> tuple[DataDisk, ...]:
    """Read one disk or a list of them; the logs are kept on the first unless it says otherwise."""
    items = list(reader.items(node)) if isinstance(node, yaml.SequenceNode) else [node]
    disks: list[DataDisk] = []
    for item in items:
        disk = _data(reader, item, logs=not disks)
        if disk.label in {other.label for other in disks}:
            reader.problem(item, f"two disks have the label {disk.label!r}")
        if any(_overlap(disk.path, other.path) for other in disks):
            reader.problem(item, f"two disks have places at {disk.path!r}")
        if disk.logs and any(other.logs for other in disks):
            reader.problem(item, "the logs are kept on one disk only")
        disks.append(disk)
    return tuple(disks)


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _data(reader: Reader, node: yaml.Node, *, logs: bool) -> DataDisk:
    nodes = known_fields(reader, node, ("label", "path", "uid", "gid", "logs", "key"))
    label = reader.string(nodes["label"]) if "label" in nodes else None
    if label is not None and not _LABEL.fullmatch(label):
        reader.problem(nodes["label"], "a label has 1 to 16 letters, digits and . _ -")
    path = reader.string(nodes["path"]) if "path" in nodes else None
    if path is not None and not _PATH.fullmatch(path):
        reader.problem(nodes["path"], "the data disk is mounted below /var")
    elif path is not None and _overlap(path, "/var/log"):
        reader.problem(nodes["path"], "a disk keeps /var/log by `logs: true`")
    key = reader.string(nodes["key"]) if "key" in nodes else None
    if key is not None and not _KEY.fullmatch(key):
        reader.problem(nodes["key"], "a key is a file below /run, where it is never in the image")
    owner = [
        (reader.integer(nodes[key], high=2**32 - 2) or 0) if key in nodes else 0
        for key in ("uid", "gid")
    ]
    return DataDisk(
        label=label or DataDisk().label,
        path=path or DataDisk().path,
        owner=(owner[0], owner[1]),
        logs=bool(reader.boolean(nodes["logs"])) if "logs" in nodes else logs,
        key=key,
    )
