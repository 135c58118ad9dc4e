"""Hidden files that killed downloads left behind: which they are, and when nobody needs them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
from itertools import islice
from pathlib import Path
from typing import Self

from ingot.base.atomic import is_temporary
from ingot.base.clock import Clock, SystemClock
from ingot.base.units import parse_duration

AGE_VARIABLE = "INGOT_LEFTOVER_AGE"
# A file that nobody has open may still be about to get its name: its writer closes it before, and
# may be stopped there. On file systems that several machines share, others have it open.
_AGE_S = 3600.0
# Where the kernel cannot tell whether somebody has it open.
_AGE_UNTOLD_S = 7 * 24 * 3600.0
# Looking through a folder must cost nothing beside a command of one file.
_NAMES_MAX = 10_000


class Leftovers:
    """Removes them, and nothing else: plain files with names as only ours have, long unchanged.

    That their writer is gone the kernel says, at no cost for those that write: a write lease is
    given only for a file that no process has open.

    Args:
        clock: tells their age, by the time of their last change, which nobody can set.
        age_s: younger ones stay.
    """

    def __init__(self, clock: Clock, age_s: float = _AGE_S) -> None:
        self._clock = clock
        self._age_s = age_s

    @classmethod
    def default(cls) -> Self:
        """Return those of this machine, of the age that `INGOT_LEFTOVER_AGE` says.

        Raises:
            UsageError: it says no duration.
        """
        said = os.environ.get(AGE_VARIABLE)
        return cls(SystemClock(), parse_duration(said) if said else _AGE_S)

    def sweep_folder(self, folder: Path) -> None:
        """Remove those among the first names of a folder, if it can be read."""
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                first_names(descriptor, self)
            finally:
                os.close(descriptor)

    def remove(self, folder: int, name: str) -> bool:
        """Remove the file of this name in an open folder if it is a leftover; tell whether it was.

        What cannot be looked at or removed stays.
        """
        if not is_temporary(name):
            return False
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            age_s = self._clock.now_ns() / 1e9 - status.st_ctime
            if not stat.S_ISREG(status.st_mode) or age_s < self._age_s:
                return False
            if not _is_abandoned(folder, name, status, is_old=age_s >= _AGE_UNTOLD_S):
                return False
            os.unlink(name, dir_fd=folder)
        except OSError:
            return False
        return True


def first_names(folder: int, leftovers: Leftovers | None) -> frozenset[str] | None:
    """Return the names in an open folder, None if there are many; remove those of leftovers.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(folder) as scan:
        names = frozenset(item.name for item in islice(scan, _NAMES_MAX + 1))
    for name in filter(is_temporary, names if leftovers else ()):
        assert leftovers is not None, "asked above"
        leftovers.remove(folder, name)
    return names if len(names) <= _NAMES_MAX else None


def _is_abandoned(folder: int, name: str, status: os.stat_result, *, is_old: bool) -> bool:
    """Tell whether no process has the file open; if the kernel cannot tell, its age decides.

    Raises:
        OSError: it cannot be opened, or somebody has it open.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        if not os.path.samestat(status, os.fstat(descriptor)):
            return False
        # Whoever opens it meanwhile makes the kernel tell us, by a signal that would end us; this
        # one does nothing.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        # EAGAIN: it is open elsewhere. EACCES: it is somebody else's.
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            raise
        return is_old
    finally:
        os.close(descriptor)
    return True
