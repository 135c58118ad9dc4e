"""The end of a machine: stopped through its guest or by its plug, and removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Literal

from ingot.base.errors import ConflictError, Error
from ingot.vm.guest import status
from ingot.vm.runners.contract import Runner
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process, wait_for_end

STOP_TIMEOUT_S = 60.0
_PRESS_PERIOD_S = 3.0
_END_POLL_S = 0.1
_KILL_TIMEOUT_S = 10.0
Ending = Literal["powered-off", "killed", "unkillable"]


class PowerDown:
    """The stopping of one machine: the power button first, the plug when time is over.

    Call `step` again and again until the process has ended.

    Args:
        folder: the machine.
        process: what `folder.process()` returned.
        runner: who runs it.
        timeout_s: how long the guest has; 0 kills at once.
    """

    def __init__(
        self, folder: MachineFolder, process: Process, runner: Runner, timeout_s: float
    ) -> None:
        self.folder = folder
        self.process = process
        self._runner = runner
        self._deadline_s = time.monotonic() + timeout_s
        self._press_s = 0.0
        self.killed = False
        self.refusal: Error | None = None

    def step(self) -> None:
        """Press the button if it is time to (again), or pull the plug if it is too late."""
        now_s = time.monotonic()
        if now_s >= self._deadline_s:
            if not self.killed or self.refusal is not None:
                self.pull_the_plug()
        elif now_s >= self._press_s and not self._is_stopping():
            # Pressed again, because a guest that is still booting has no ear for it.
            self._press_s = now_s + _PRESS_PERIOD_S
            with contextlib.suppress(Error):
                self._runner.power_down(self.folder.path)

    def pull_the_plug(self) -> None:
        """End the machine at once, as a power cut would."""
        self.killed = True
        self.refusal = None
        try:
            self._runner.kill(self.folder.path, self.process)
        except Error as error:
            # Tried again until the time is over; then it is the reason.
            self.refusal = error

    def ending(self) -> Ending | None:
        """Return how it ended; None if there is still hope that it will."""
        if wait_for_end(self.process, 0):
            return "killed" if self.killed else "powered-off"
        return "unkillable" if time.monotonic() >= self._deadline_s + _KILL_TIMEOUT_S else None

    def _is_stopping(self) -> bool:
        return status.read_status(self.folder.status_path).state == "stopping"


def stop_all(downs: Iterable[PowerDown]) -> Iterator[tuple[PowerDown, Ending]]:
    """Stop machines side by side; yield each with how it ended, the first to end first."""
    left = list(downs)
    while left:
        for down in tuple(left):
            down.step()
            ending = down.ending()
            if ending is not None:
                left.remove(down)
                yield down, ending
        if left:
            wait_for_end(left[0].process, _END_POLL_S)


def remove(folder: MachineFolder, runner: Runner) -> None:
    """Remove a stopped machine with the disks in its folder, and from its hypervisor's memory.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is running.
    """
    folder.read_spec()
    with folder.locked():
        if folder.process() is not None:
            raise ConflictError(
                f"machine {folder.name!r} is running",
                hint=f"stop it first: ingot stop {folder.name}",
            )
        runner.forget(folder.path)
        folder.remove()
