"""Whether small jobs are done by one thread, many on their way at once, or by a thread each."""

from __future__ import annotations

import time
from collections.abc import Callable

# Threads that take turns at the interpreter lock cost more than the jobs; one thread that waits
# for a slow disk, or makes connections to a distant service, costs all jobs behind it that wait.
_IDLE_SHARE = 0.2
_BUSY_SHARE = 0.7
PERIOD_S = 0.05


class Pace:
    """Watches how busy this process is: an idle one has its small jobs done by many threads.

    Args:
        monotonic_s: tells the time.
        processor_s: tells how much time of processors this process has used.

    Attributes:
        is_narrow: whether one thread does them.
    """

    def __init__(
        self,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        processor_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._processor_s = processor_s
        self._since_s, self._used_s = monotonic_s(), processor_s()
        self.is_narrow = True

    def look(self) -> bool:
        """Look at the clocks once a period; tell whether this changed `is_narrow`."""
        now_s = self._monotonic_s()
        passed_s = now_s - self._since_s
        if passed_s < PERIOD_S:
            return False
        used_s = self._processor_s()
        share = (used_s - self._used_s) / passed_s
        self._since_s, self._used_s = now_s, used_s
        before = self.is_narrow
        self.is_narrow = share > (_IDLE_SHARE if before else _BUSY_SHARE)
        return self.is_narrow != before
