"""Ports between guest and host that are plugged in for one command, and pulled out after it.

A machine has a bus for ports; QEMU takes new ones on it at any time. Each is one end of a socket
pair here, and `/dev/vport…` or a terminal `/dev/hvc…` in the guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from qemu import qmp as library

from ingot.base.errors import ConflictError, Error
from ingot.vm.control import qmp
from ingot.vm.state.processes import start_ticks

LABEL = "exec"
"""How the names of these ports begin; then come the host's process and its start."""

_TERMINAL_BUFFER_BYTES = 4 << 20
_REMOVE_TRIES = 100
_REMOVE_POLL_S = 0.02

Driver = Literal["virtserialport", "virtconsole"]


class _Chardev(msgspec.Struct):
    label: str


@contextlib.contextmanager
def plugged(directory: Path, wanted: Mapping[str, Driver]) -> Iterator[dict[str, socket.socket]]:
    """Plug ports in, yield the host's end of each, and pull them out again.

    Args:
        directory: the machine's folder.
        wanted: by the name that the guest sees, what each is.

    Raises:
        ConflictError, QmpError: the machine does not answer, or takes no more ports.
    """
    owner = f"{LABEL}.{os.getpid()}.{start_ticks(os.getpid())}"
    ends: dict[str, socket.socket] = {}
    labels = {name: f"{owner}.{name}" for name in wanted}
    with contextlib.ExitStack() as stack:
        far: dict[str, socket.socket] = {}
        for name in wanted:
            ends[name], far[name] = socket.socketpair()
            stack.enter_context(contextlib.closing(ends[name]))
        clear(directory)
        stack.callback(_unplug, directory, list(labels.values()))
        try:
            qmp.run(directory, "device_add", lambda client: _plug(client, labels, wanted, far))
        finally:
            for each in far.values():
                each.close()
        yield ends


def in_use(directory: Path) -> bool:
    """Tell whether ports are plugged in for a command of a process that lives.

    Raises:
        ConflictError, QmpError: the machine does not answer.
    """
    return any(not _is_orphan(label) for label in _labels(directory))


def clear(directory: Path) -> None:
    """Pull out the ports of commands whose `ingot exec` was killed.

    Raises:
        ConflictError, QmpError: the machine does not answer.
    """
    left = [label for label in _labels(directory) if _is_orphan(label)]
    if left:
        _unplug(directory, left)


async def _plug(
    client: library.QMPClient,
    labels: Mapping[str, str],
    wanted: Mapping[str, Driver],
    far: Mapping[str, socket.socket],
) -> None:
    for name, label in labels.items():
        # What a terminal cannot send at once it drops.
        far[name].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _TERMINAL_BUFFER_BYTES)
        client.send_fd_scm(far[name].fileno())
        await client.execute("getfd", {"fdname": label})
        address = {"type": "fd", "data": {"str": label}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        await client.execute("chardev-add", {"id": label, "backend": backend})
        device = {"driver": wanted[name], "id": f"port.{label}", "chardev": label, "name": name}
        await client.execute("device_add", device)


def _unplug(directory: Path, labels: list[str]) -> None:
    async def work(client: library.QMPClient) -> None:
        for label in labels:
            await _remove(client, label)

    # A machine that has ended has no ports any more.
    with contextlib.suppress(ConflictError, Error):
        qmp.run(directory, "device_del", work)


async def _remove(client: library.QMPClient, label: str) -> None:
    with contextlib.suppress(library.ExecuteError):  # it was never plugged in
        await client.execute("device_del", {"id": f"port.{label}"})
    for _ in range(_REMOVE_TRIES):
        try:
            await client.execute("chardev-remove", {"id": label})
        except library.ExecuteError as error:
            if "busy" not in str(error):
                return
            # The device lets go of it a moment later.
            await asyncio.sleep(_REMOVE_POLL_S)
        else:
            return


def _labels(directory: Path) -> list[str]:
    answer = msgspec.convert(qmp.execute(directory, "query-chardev"), list[_Chardev])
    return [each.label for each in answer if each.label.startswith(f"{LABEL}.")]


def _is_orphan(label: str) -> bool:
    _, pid, ticks, _ = label.split(".", 3)
    return str(start_ticks(int(pid))) != ticks
