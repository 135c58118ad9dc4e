import os
import signal
import subprocess
import sys

import msgspec

from ingot.vm.state.processes import Process, boot_id, is_alive, kill, start_ticks, wait_for_end


def record(pid: int) -> Process:
    ticks = start_ticks(pid)
    assert ticks is not None
    return Process(
        pid=pid,
        start_ticks=ticks,
        boot_id=boot_id(),
        started_ns=1,
        accelerator="tcg",
        accelerator_reason="as asked",
    )


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    process = record(os.getpid())
    assert is_alive(process)
    assert not is_alive(msgspec.structs.replace(process, start_ticks=process.start_ticks + 1))
    assert not is_alive(msgspec.structs.replace(process, boot_id="an earlier boot"))


def test_a_process_that_has_ended_is_not_alive_even_as_a_zombie() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = record(child.pid)
    assert not wait_for_end(process, 0)
    child.communicate(b"\n")
    assert start_ticks(child.pid) is None
    assert wait_for_end(process, 0)


def test_killing_waits_for_nobody_and_spares_others() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = record(child.pid)
        kill(msgspec.structs.replace(process, start_ticks=process.start_ticks + 1))
        assert not wait_for_end(process, 0.05), "another owner of the pid must not be hit"
        kill(process)
        assert wait_for_end(process, 10)
        # Not reaped yet: it is a zombie, which counts as ended.
        assert start_ticks(child.pid) is None
        kill(process)
        assert child.wait() == -signal.SIGKILL
