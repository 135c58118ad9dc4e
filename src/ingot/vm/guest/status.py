"""What a guest says of itself on the status port: JSON lines in a file, read and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from ingot.base.errors import Error

STATUS_BYTES_MAX = 16 << 20
"""More than this the host does not read of a guest's words."""

_POLL_S = 0.05

State = Literal["running", "booting", "ready", "failed", "stopping"]


class Event(msgspec.Struct, frozen=True):
    """One line of the status port; unknown fields are ignored, unknown events kept."""

    event: str
    name: str | None = None
    state: str | None = None
    step: str | None = None
    reason: str | None = None


class Status(msgspec.Struct, frozen=True):
    """What all events so far amount to.

    Attributes:
        state: `running` when the guest has said nothing (an image without the status port).
        step: the last step of the boot that began.
        reason: why the boot failed, with the step in front.
        services: the last state of each service.
    """

    state: State
    step: str | None
    reason: str | None
    services: dict[str, str]


def read_events(path: Path) -> list[Event]:
    """Return the complete, well-formed lines of the file; a guest may write anything else."""
    try:
        with path.open("rb") as file:
            data = file.read(STATUS_BYTES_MAX)
    except FileNotFoundError:
        return []
    events = []
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            events.append(msgspec.json.decode(line, type=Event))
        except msgspec.DecodeError:
            continue
    return events


def summarise(events: list[Event]) -> Status:
    """Fold the events into the machine's state."""
    state: State = "running"
    step: str | None = None
    reason: str | None = None
    services: dict[str, str] = {}
    for event in events:
        match event.event:
            case "boot":
                state, step, reason = "booting", None, None
                services.clear()
            case "step" if state in {"running", "booting"}:
                # Later steps are those of the shutdown, which "stopping" has announced.
                state, step = "booting", event.name
            case "service" if event.name and event.state:
                services[event.name] = event.state
            case "failed":
                state = "failed"
                reason = ": ".join(filter(None, (event.step, event.reason))) or "no reason given"
            case "ready":
                state = "ready"
            case "stopping":
                state = "stopping"
            case _:
                pass
    return Status(state, step, reason, services)


def read_status(path: Path) -> Status:
    """Return what the guest said of itself so far."""
    return summarise(read_events(path))


def wait_ready(path: Path, *, ended: Callable[[], bool], timeout_s: float) -> Status:
    """Wait until the guest says that its services are ready.

    Args:
        path: the status file.
        ended: whether the machine's process has ended.
        timeout_s: how long to wait.

    Raises:
        Error: the boot failed, the machine ended, or the time is over; the message says which.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        # Asked before reading: what was written before the end is then in the file.
        over = ended()
        status = read_status(path)
        match status.state:
            case "ready":
                return status
            case "failed":
                raise Error(f"the boot failed: {status.reason}")
            case _ if over:
                at = f" at step {status.step}" if status.step else ""
                raise Error(f"the machine ended before its services were ready{at}")
            case _ if time.monotonic() >= deadline_s:
                raise Error(f"not ready after {timeout_s:.1f} s ({_progress(status)})")
            case _:
                time.sleep(_POLL_S)


def _progress(status: Status) -> str:
    waiting = [name for name, state in status.services.items() if state != "ready"]
    if waiting:
        return f"{status.state}; waiting for {', '.join(waiting)}"
    return f"{status.state} at step {status.step}" if status.step else status.state
