"""The supervisor forks, so each test runs it in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import os, signal, sys, time
from ingot.base.errors import Error
from ingot.server.process.supervisor import READY, Supervisor

def say(text):
    os.write(1, f"{text}\\n".encode())

def listen():
    # A stop may come right after the announcement: who says READY first may be ended by it.
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    return stopped

def wait_for_stop(alive, stopped=None):
    # What a worker's event loop does: stop on SIGTERM, or when the supervisor's pipe ends.
    import select
    stopped = listen() if stopped is None else stopped
    while not stopped:
        if select.select([alive], [], [], 0.02)[0]:
            return "orphaned"
    return "terminated"
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_workers_are_ready_before_the_announcement_and_stop_on_sigterm() -> None:
    result = run("""
        def work(index, ready, alive):
            time.sleep(0.1 * index)
            stopped = listen()
            say(f"up {index}")
            os.write(ready, READY)
            say(f"{wait_for_stop(alive, stopped)} {index}")
            return 0

        def announce():
            say("announced")
            os.kill(os.getpid(), signal.SIGTERM)

        sys.exit(Supervisor(2, work, stop_timeout_s=5).run(announce))
    """)

    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert sorted(lines[:2]) == ["up 0", "up 1"]
    assert lines[2] == "announced"
    assert sorted(lines[3:]) == ["terminated 0", "terminated 1"]


def test_a_worker_that_dies_is_replaced_under_its_index() -> None:
    result = run("""
        once = os.pipe()
        os.set_blocking(once[0], False)

        def work(index, ready, alive):
            os.write(ready, READY)
            if index == 1:
                try:
                    os.read(once[0], 1)  # only the first worker 1 finds the byte
                except BlockingIOError:
                    say("worker 1 is back")
                    os.kill(os.getppid(), signal.SIGTERM)
                else:
                    time.sleep(0.3)
                    os.kill(os.getpid(), signal.SIGKILL)
            wait_for_stop(alive)
            return 0

        os.write(once[1], b"x")
        sys.exit(Supervisor(2, work, stop_timeout_s=5).run(lambda: None))
    """)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["worker 1 is back"]
    assert "worker 1 (process" in result.stderr
    assert "ended with -9" in result.stderr


@pytest.mark.parametrize("when", ["before", "after"])
def test_workers_that_keep_dying_end_the_server_with_an_error(when: str) -> None:
    result = run(f"""
        def work(index, ready, alive):
            if {when!r} == "after":
                os.write(ready, READY)
                time.sleep(0.05)
            return 3

        try:
            Supervisor(1, work, stop_timeout_s=1).run(lambda: None)
        except Error as error:
            say(error.message)
    """)

    assert ("died at start" if when == "before" else "giving up") in result.stdout, result.stderr


def test_a_worker_that_does_not_stop_is_killed() -> None:
    result = run("""
        def work(index, ready, alive):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(ready, READY)
            time.sleep(600)
            return 0

        started = time.monotonic()
        stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        code = Supervisor(1, work, stop_timeout_s=0.1).run(stop)
        say("in time" if time.monotonic() - started < 30 else "late")
        sys.exit(code)
    """)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["in time"]


def test_workers_learn_that_the_supervisor_was_killed() -> None:
    result = run("""
        def work(index, ready, alive):
            os.write(ready, READY)
            say(wait_for_stop(alive))
            return 0

        Supervisor(1, work, stop_timeout_s=5).run(lambda: os.kill(os.getpid(), signal.SIGKILL))
    """)

    assert result.returncode == -9
    # The worker holds stdout open, so `run` returned only after it had spoken and left.
    assert result.stdout.splitlines() == ["orphaned"]
