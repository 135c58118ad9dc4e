"""The QEMU Machine Protocol: one command at a time to a machine's `qmp.sock`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from qemu import qmp

from ingot.base.errors import Error
from ingot.vm.sockets import connect

SOCKET_NAME = "qmp.sock"

_TIMEOUT_S = 10.0


class QmpError(Error):
    """The hypervisor did not answer, or refused a command."""

    slug = "qmp"


def execute(directory: Path, command: str, arguments: Mapping[str, object] | None = None) -> object:
    """Run one QMP command on the machine in `directory` and return its answer.

    Raises:
        ConflictError: no hypervisor listens there.
        QmpError: it refused the command, or did not answer in time.
    """
    try:
        return asyncio.run(_execute(directory, command, arguments))
    except (qmp.QMPError, TimeoutError, OSError, EOFError) as error:
        why = str(error) or type(error).__name__
        raise QmpError(f"machine {directory.name!r}: QMP {command} failed: {why}") from error


async def _execute(directory: Path, command: str, arguments: Mapping[str, object] | None) -> object:
    client = qmp.QMPClient(f"ingot-{directory.name}")
    # The library logs each failed connection as an error; here it is an answer.
    client.logger.setLevel(logging.CRITICAL)
    connection = connect(directory, SOCKET_NAME, timeout_s=_TIMEOUT_S)
    connection.setblocking(False)
    async with asyncio.timeout(_TIMEOUT_S):
        await client.connect(connection)
        try:
            return await client.execute(command, arguments)
        finally:
            # The hypervisor may end first, as after a power button; the answer counts all the same.
            with contextlib.suppress(qmp.QMPError, OSError, EOFError):
                await client.disconnect()
