"""The QEMU Machine Protocol: commands to a machine's `qmp.sock`, and its state out and in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from qemu import qmp

from ingot.base.errors import Error
from ingot.vm.control.sockets import connect

SOCKET_NAME = "qmp.sock"

STATE_TIMEOUT_S = 600.0
"""For a machine's memory to be written or read."""

_T = TypeVar("_T")

_TIMEOUT_S = 10.0
_POLL_S = 0.01
_DESCRIPTOR_NAME = "state"
# Faster than any disk: the default would throttle to a network's speed.
_BANDWIDTH_BYTES_PER_S = 1 << 40


class QmpError(Error):
    """The hypervisor did not answer, or refused a command."""

    slug = "qmp"


def execute(directory: Path, command: str, arguments: Mapping[str, object] | None = None) -> object:
    """Run one QMP command on the machine in `directory` and return its answer.

    Raises:
        ConflictError: no hypervisor listens there.
        QmpError: it refused the command, or did not answer in time.
    """

    async def work(client: qmp.QMPClient) -> object:
        return await client.execute(command, arguments)

    return run(directory, command, work)


def save_state(directory: Path, descriptor: int) -> None:
    """Write the memory and devices of a paused machine into an open file.

    Raises:
        ConflictError: no hypervisor listens there.
        QmpError: it cannot, the message says why; or it took more than `STATE_TIMEOUT_S`.
    """

    async def work(client: qmp.QMPClient) -> None:
        await _pass(client, descriptor)
        await client.execute("migrate-set-parameters", {"max-bandwidth": _BANDWIDTH_BYTES_PER_S})
        await client.execute("migrate", {"uri": f"fd:{_DESCRIPTOR_NAME}"})
        while (progress := _fields(await client.execute("query-migrate")))["status"] != "completed":
            if progress["status"] in {"failed", "cancelled"}:
                raise QmpError(str(progress.get("error-desc", "no reason given")))
            await asyncio.sleep(_POLL_S)

    run(directory, "migrate", work, STATE_TIMEOUT_S)


def load_state(directory: Path, descriptor: int) -> None:
    """Read memory and devices into a machine that waits for them, and let it run.

    Raises:
        ConflictError, QmpError: see `save_state`; the hypervisor ends when the state is not its.
    """

    async def work(client: qmp.QMPClient) -> None:
        await _pass(client, descriptor)
        await client.execute("migrate-incoming", {"uri": f"fd:{_DESCRIPTOR_NAME}"})
        while True:
            status = _fields(await client.execute("query-status"))["status"]
            if status != "inmigrate":
                break
            await asyncio.sleep(_POLL_S)
        if status != "paused":
            raise QmpError(f"the machine is {status} and not paused as it was saved")
        await client.execute("cont")

    run(directory, "migrate-incoming", work, STATE_TIMEOUT_S)


def run(
    directory: Path,
    what: str,
    work: Callable[[qmp.QMPClient], Coroutine[Any, Any, _T]],
    timeout_s: float = _TIMEOUT_S,
) -> _T:
    """Run several QMP commands on one connection to the machine in `directory`.

    Raises:
        ConflictError: no hypervisor listens there.
        QmpError: it refused one, `what` tells which, or did not answer in time.
    """
    try:
        return asyncio.run(_connected(directory, work, timeout_s))
    except (qmp.QMPError, TimeoutError, OSError, EOFError) as error:
        why = str(error) or type(error).__name__
        raise QmpError(f"machine {directory.name!r}: QMP {what} failed: {why}") from error


async def _connected(
    directory: Path, work: Callable[[qmp.QMPClient], Coroutine[Any, Any, _T]], timeout_s: float
) -> _T:
    client = qmp.QMPClient(f"ingot-{directory.name}")
    # The library logs each failed connection as an error; here it is an answer.
    client.logger.setLevel(logging.CRITICAL)
    connection = connect(directory, SOCKET_NAME, timeout_s=_TIMEOUT_S)
    connection.setblocking(False)
    async with asyncio.timeout(timeout_s):
        await client.connect(connection)
        try:
            return await work(client)
        finally:
            # The hypervisor may end first, as after a power button; the answer counts all the same.
            with contextlib.suppress(qmp.QMPError, OSError, EOFError):
                await client.disconnect()


async def _pass(client: qmp.QMPClient, descriptor: int) -> None:
    client.send_fd_scm(descriptor)
    await client.execute("getfd", {"fdname": _DESCRIPTOR_NAME})


def _fields(answer: object) -> dict[str, object]:
    return msgspec.convert(answer, dict[str, object])
