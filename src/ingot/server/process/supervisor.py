"""Worker processes: forked, watched, replaced when they die, stopped within a time limit."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable

from ingot.base.errors import Error

READY = b"+"
_DEATHS_MAX = 5
_DEATHS_PERIOD_S = 30.0
_START_TIMEOUT_S = 60.0
# Workers keep the stop time-out themselves; this is what they get on top before SIGKILL.
_KILL_GRACE_S = 2.0
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
_log = logging.getLogger("ingot.server.supervisor")


class Supervisor:
    """Keeps `count` workers running until it is told to stop.

    Args:
        count: the number of workers.
        work: what a worker does, given its index, a descriptor to write `READY` to when it
            serves, and a descriptor that ends (EOF) when this process is gone; returns its exit
            code.
        stop_timeout_s: how long workers take at most to finish what they are doing.
    """

    def __init__(
        self, count: int, work: Callable[[int, int, int], int], *, stop_timeout_s: float
    ) -> None:
        self._count = count
        self._work = work
        self._stop_timeout_s = stop_timeout_s
        self._workers: dict[int, int] = {}
        self._deaths_s: list[float] = []

    def run(self, when_ready: Callable[[], None]) -> int:
        """Fork the workers, call `when_ready` once all serve, and watch until a signal.

        Returns:
            0 after a requested stop.

        Raises:
            Error: workers die at start or die again and again.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        gc.freeze()  # what exists now stays shared with the workers: no collection copies its pages
        self._alive_read, self._alive_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        try:
            for index in range(self._count):
                self._start(index)
            if self._await_ready():
                when_ready()
                self._watch()
        finally:
            self._stop()
        return 0

    def _start(self, index: int) -> None:
        pid = os.fork()
        if pid:
            self._workers[pid] = index
            return
        code = 70
        try:
            os.close(self._alive_write)
            os.close(self._ready_read)
            # Until the worker has handlers of its own, a stop may simply end it: it serves nobody.
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = self._work(index, self._ready_write, self._alive_read)
        except Error as error:
            _log.error("worker %d: %s", index, error.message)
            code = error.exit_code
        except BaseException:  # noqa: BLE001 # nothing may unwind into the parent's frames
            _log.exception("worker %d failed", index)
        finally:
            # Not sys.exit: the frames below belong to the parent, whose clean-up is not ours.
            os._exit(code)

    def _await_ready(self) -> bool:
        """Return whether all workers serve; False if a stop was requested meanwhile."""
        os.set_blocking(self._ready_read, False)
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        ready = 0
        while ready < self._count:
            try:
                ready += len(os.read(self._ready_read, self._count))
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise Error(f"workers do not serve after {_START_TIMEOUT_S:g} s") from None
                number = self._next_signal(timeout_s=0.02)
                if number == signal.SIGCHLD and self._reap():
                    raise Error("a worker died at start; see the log above") from None
                if number in (signal.SIGTERM, signal.SIGINT):
                    return False
        return True

    def _watch(self) -> None:
        while True:
            number = self._next_signal(timeout_s=None)
            if number != signal.SIGCHLD:
                return
            for index in self._reap():
                self._note_death()
                self._start(index)

    def _note_death(self) -> None:
        now_s = time.monotonic()
        self._deaths_s = [t for t in self._deaths_s if now_s - t < _DEATHS_PERIOD_S] + [now_s]
        if len(self._deaths_s) >= _DEATHS_MAX:
            raise Error(f"{_DEATHS_MAX} workers died within {_DEATHS_PERIOD_S:g} s; giving up")

    def _next_signal(self, *, timeout_s: float | None) -> int | None:
        if timeout_s is None:
            return signal.sigwaitinfo(_SIGNALS).si_signo
        received = signal.sigtimedwait(_SIGNALS, timeout_s)
        return received.si_signo if received else None

    def _reap(self) -> list[int]:
        """Collect dead workers and return their indexes."""
        dead = []
        for pid, index in list(self._workers.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._workers[pid]
                dead.append(index)
                code = os.waitstatus_to_exitcode(status)
                _log.error("worker %d (process %d) ended with %d", index, pid, code)
        return dead

    def _stop(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + self._stop_timeout_s + _KILL_GRACE_S
        while self._workers and time.monotonic() < deadline_s:
            self._next_signal(timeout_s=0.05)
            for pid in list(self._workers):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del self._workers[pid]
        for pid in self._workers:
            _log.warning("worker process %d did not stop in time and is killed", pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
