"""Ending at once what threads do on the network: the cord that they hold is cut."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, Protocol, TypeVar

# Who waits for other threads looks up as often: a signal that came while the interpreter was about
# to begin the wait would else be handled only after it.
GLANCE_S = 0.5

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class CutError(BaseException):
    """The cord that this thread holds was cut: unwind.

    Not an `Exception`, so that nothing on the way takes it for a failure to retry.
    """


class Tied(Protocol):
    """What hangs on a cord."""

    def cut(self) -> None:
        """End what waits for it, at once; called in any thread while it is tied."""
        ...


class Cord:
    """Whoever holds it, in any thread, hangs connections on it; all of them end when it is cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tied: set[Tied] = set()
        self._is_cut = threading.Event()

    def cut(self) -> None:
        """End everything that is tied, and whatever would be tied or waited for later."""
        with self._lock:
            self._is_cut.set()
            for tied in self._tied:
                tied.cut()

    def check(self) -> None:
        """Raise `CutError` if it was cut."""
        if self._is_cut.is_set():
            raise CutError

    def tie(self, end: Tied) -> None:
        """Hang something on it, until it is untied.

        Raises:
            CutError: it was cut.
        """
        with self._lock:
            self.check()
            self._tied.add(end)

    def untie(self, end: Tied) -> None:
        """Take something off; before it ends by itself, or another would be cut in its place."""
        with self._lock:
            self._tied.discard(end)

    def wait(self, time_s: float) -> None:
        """Sleep, but not longer than it holds.

        Raises:
            CutError: it was cut.
        """
        if self._is_cut.wait(time_s):
            raise CutError

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold it in this thread."""
        before = _thread.cord
        _thread.cord = self
        try:
            yield
        finally:
            _thread.cord = before

    def run(
        self, act: Callable[_Given, _Result], *args: _Given.args, **kwargs: _Given.kwargs
    ) -> _Result:
        """Do something while this thread holds it.

        Raises:
            CutError: it was cut.
        """
        self.check()
        with self.hold():
            return act(*args, **kwargs)

    @contextmanager
    def tied(self, end: Tied) -> Iterator[None]:
        """Hang something on it for a while.

        Raises:
            CutError: it was cut.
        """
        self.tie(end)
        try:
            yield
        finally:
            self.untie(end)


class _Loose(Cord):
    """What threads hold that nobody ends from outside."""

    def tie(self, end: Tied) -> None:
        pass

    def untie(self, end: Tied) -> None:
        pass

    def wait(self, time_s: float) -> None:
        time.sleep(time_s)


class _Thread(threading.local):
    cord: Cord = _Loose()


_thread = _Thread()


def held() -> Cord:
    """Return the cord that this thread holds."""
    return _thread.cord


def pause(time_s: float) -> None:
    """Sleep, but not longer than the cord of this thread holds.

    Raises:
        CutError: it was cut.
    """
    _thread.cord.wait(time_s)


@contextmanager
def branch() -> Iterator[Cord]:
    """Yield a cord for threads that work for this one: it is cut when the block fails.

    So it is when the one that this thread holds is.

    Raises:
        CutError: the one that this thread holds was cut.
    """
    cord = Cord()
    with held().tied(cord):
        try:
            yield cord
        except BaseException:
            cord.cut()
            raise


@contextmanager
def apart(limit_s: float) -> Iterator[None]:
    """Hold another cord, for what must be tried also when the one of before was cut.

    Raises:
        CutError: it took longer than the limit.
    """
    cord = Cord()
    timer = threading.Timer(limit_s, cord.cut)
    timer.daemon = True
    timer.start()
    try:
        with cord.hold():
            yield
    finally:
        timer.cancel()
