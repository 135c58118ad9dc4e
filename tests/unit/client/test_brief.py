"""Jobs in two steps, in one thread: what a pool does with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from ingot.client.pace import PERIOD_S, Pace
from ingot.client.pool import Pool, Stop

WAIT_S = 30

Begin = Callable[[int], Callable[[], int]]


class Clocks:
    """Those of a process that is as busy as it is told to be."""

    def __init__(self) -> None:
        self.now_s = self.used_s = 0.0

    def pass_period(self, share: float) -> None:
        self.now_s += 2 * PERIOD_S
        self.used_s += 2 * PERIOD_S * share

    def pace(self) -> Pace:
        return Pace(monotonic_s=lambda: self.now_s, processor_s=lambda: self.used_s)


class Jobs:
    """Records what is done, and in which thread."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.threads: set[str] = set()
        self.begun = self.begun_most = 0

    def work(self, job: int) -> int:
        self.steps.append(("work", job))
        return job

    def begin(self, job: int) -> Callable[[], int]:
        self.steps.append(("begin", job))
        self.threads.add(threading.current_thread().name)
        self.begun += 1
        self.begun_most = max(self.begun, self.begun_most)

        def finish() -> int:
            self.begun -= 1
            self.steps.append(("finish", job))
            return job

        return finish

    def pool(
        self,
        *,
        workers: int = 8,
        stop: Stop | None = None,
        pace: Pace | None = None,
        begin: Begin | None = None,
        work: Callable[[int], int] | None = None,
    ) -> Pool[int, int]:
        return Pool(
            work or self.work,
            begin=begin or self.begin,
            is_brief=lambda job: job % 10 != 0,
            workers=workers,
            stop=stop or Stop(),
            # Else a machine that is busy with something else would decide.
            pace=pace or Clocks().pace(),
        )


def test_brief_jobs_are_done_by_one_thread_and_all_others_as_ever() -> None:
    jobs = Jobs()
    assert sorted(jobs.pool().run(range(1000))) == list(range(1000))
    assert jobs.threads == {"transfers"}
    worked = {job for step, job in jobs.steps if step == "work"}
    assert worked == set(range(0, 1000, 10))


def test_as_many_are_begun_as_may_be_done_at_once() -> None:
    jobs = Jobs()
    list(jobs.pool(workers=4).run(job for job in range(1000) if job % 10))
    assert 1 <= jobs.begun_most <= 4
    assert jobs.begun == 0


def test_one_at_a_time_is_one_at_a_time() -> None:
    jobs = Jobs()
    list(jobs.pool(workers=1).run(range(100)))
    assert jobs.begun_most == 1


def test_others_are_begun_while_one_waits() -> None:
    both = threading.Event()

    def begin(job: int) -> Callable[[], int]:
        if job == 2:
            both.set()
        return lambda: job if both.wait(WAIT_S) else -1

    assert sorted(Jobs().pool(begin=begin).run([1, 2])) == [1, 2]


def test_one_that_hangs_keeps_none_of_the_others() -> None:
    clocks, others = Clocks(), threading.Event()

    def begin(job: int) -> Callable[[], int]:
        return lambda: job if job != 1 or others.wait(WAIT_S) else -1

    found = []
    pool = Jobs().pool(workers=4, pace=clocks.pace(), begin=begin, work=lambda job: begin(job)())
    with closing(pool.run(range(1, 200))) as results:
        # While the first waits the process is idle, so that many threads take the rest over.
        clocks.pass_period(0.0)
        for result in results:
            clocks.pass_period(0.0)
            found.append(result)
            if len(found) == 198:
                others.set()
    assert found[-1] == 1
    assert sorted(found) == list(range(1, 200))


def test_what_is_done_is_told_while_the_next_one_hangs() -> None:
    clocks, told = Clocks(), threading.Event()

    def begin(job: int) -> Callable[[], int]:
        return lambda: job if job != 3 or told.wait(WAIT_S) else -1

    with closing(Jobs().pool(pace=clocks.pace(), begin=begin).run([1, 2, 3])) as results:
        assert next(results) == 1
        clocks.pass_period(0.0)
        # It waited for company, which does not come.
        assert next(results) == 2
        told.set()
        assert next(results) == 3


def _fail() -> int:
    raise ValueError("37")


@pytest.mark.parametrize("step", ["begin", "finish"])
def test_what_a_step_raises_ends_the_run(step: str) -> None:
    stop = Stop()

    def begin(job: int) -> Callable[[], int]:
        if job != 37:
            return lambda: job
        if step == "begin":
            _fail()
        return _fail

    with pytest.raises(ValueError, match="37"):
        list(Jobs().pool(begin=begin, stop=stop).run(range(10_000)))
    assert stop.is_set()


def test_an_idle_process_is_told_from_a_busy_one() -> None:
    clocks = Clocks()
    pace = clocks.pace()
    assert pace.is_narrow
    assert not pace.look()  # too soon to tell
    clocks.pass_period(0.9)
    assert not pace.look()
    clocks.pass_period(0.1)
    assert pace.look()
    assert not pace.is_narrow
    clocks.pass_period(0.5)
    assert not pace.look()  # neither idle nor busy: it stays as it is
    assert not pace.is_narrow
    clocks.pass_period(1.5)
    assert pace.look()
    assert pace.is_narrow
