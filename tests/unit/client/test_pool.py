from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingot.client.pool import Done, Pool, Stop, StoppedError


def pool(work: object, *, workers: int = 4, stop: Stop | None = None) -> Pool[int, int]:
    return Pool(work, workers=workers, stop=stop or Stop())  # type: ignore[arg-type]


def test_every_job_gives_its_result() -> None:
    assert sorted(pool(lambda job: job * 2).run(range(100))) == [2 * job for job in range(100)]


def test_results_that_need_no_thread_are_handed_over_in_their_turn() -> None:
    assert list(pool(lambda job: job).run([Done(1), Done(2), Done(3)])) == [1, 2, 3]


def test_jobs_run_at_once_and_only_a_window_of_them_is_taken() -> None:
    taken = 0
    gate = threading.Barrier(4, timeout=10)

    def jobs() -> Iterator[int]:
        nonlocal taken
        for job in range(1000):
            taken += 1
            yield job

    def work(job: int) -> int:
        if job < 4:
            gate.wait()  # passes only when four jobs run at the same time
        return job

    with closing(pool(work).run(jobs())) as results:
        next(results)
        assert taken <= 4 * 4 + 1


def test_one_job_takes_one_thread() -> None:
    names: list[str] = []

    def work(job: int) -> int:
        names.extend(thread.name for thread in threading.enumerate())
        return job

    assert list(pool(work, workers=32).run([1])) == [1]
    assert len([name for name in names if name.startswith("transfer-")]) == 1


def test_what_work_raises_ends_the_run() -> None:
    def work(job: int) -> int:
        if job == 5:
            raise ValueError(job)
        return job

    stop = Stop()
    with pytest.raises(ValueError, match="5"):
        list(pool(work, stop=stop).run(range(10_000)))
    assert stop.is_set()


def test_closing_stops_the_jobs_that_run() -> None:
    stop = Stop()
    stopped = []
    begun = threading.Event()

    def work(job: int) -> int:
        if job == 0:
            return 0
        begun.set()
        try:
            while True:
                stop.check()
                time.sleep(0.001)
        except StoppedError:
            stopped.append(job)
            raise

    results = pool(work, stop=stop).run(range(3))
    assert next(results) == 0
    begun.wait(10)
    results.close()
    assert set(stopped) <= {1, 2}
    assert stopped


def test_an_error_of_the_jobs_listing_ends_the_run() -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise OSError("listing broke")

    with pytest.raises(OSError, match="listing broke"):
        list(pool(lambda job: job).run(jobs()))


def test_a_stop_wakes_up_who_waits() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.set).start()
    began_s = time.monotonic()
    assert stop.wait(30)
    assert time.monotonic() - began_s < 10
