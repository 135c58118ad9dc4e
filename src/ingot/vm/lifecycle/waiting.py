"""Waiting for a machine: until its services are ready, or until it has stopped."""

from __future__ import annotations

import math
import time

from ingot.base.errors import Error
from ingot.vm.guest import status
from ingot.vm.guest.console import tail
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process, wait_for_end

READY_TIMEOUT_S = 300.0
_WAIT_POLL_S = 60.0
_TAIL_LINES = 20


def wait_ready(folder: MachineFolder, process: Process, timeout_s: float) -> status.Status:
    """Wait until the machine's services are ready.

    Raises:
        Error: they are not, with the reason and the last words of the console.
    """
    try:
        return status.wait_ready(
            folder.status_path,
            ended=lambda: wait_for_end(process, 0),
            timeout_s=timeout_s,
        )
    except Error as error:
        raise Error(
            f"machine {folder.name!r}: {error.message}{last_words(folder)}",
            hint=f"see 'ingot logs {folder.name}'; end it with 'ingot stop {folder.name}'",
        ) from error


def wait_stopped(process: Process, timeout_s: float | None) -> bool:
    """Wait until the machine has ended; return False if it still runs after `timeout_s`.

    Args:
        process: what `folder.process()` returned.
        timeout_s: None waits for ever.
    """
    deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while not wait_for_end(process, min(_WAIT_POLL_S, deadline_s - time.monotonic())):
        if time.monotonic() >= deadline_s:
            return False
    return True


def last_words(folder: MachineFolder) -> str:
    """Return the end of the console log, indented below an error message."""
    text = tail(folder.console_log, _TAIL_LINES).decode("utf-8", "replace")
    lines = [
        "  | " + "".join(char for char in line if char.isprintable()) for line in text.splitlines()
    ]
    return "\n" + "\n".join(lines) if lines else ""
