import os
import threading
from pathlib import Path

import msgspec
import pytest

from ingot.base.errors import ConflictError, Error, NotFoundError, UsageError
from ingot.vm.machine import MachineSpec
from ingot.vm.state.folders import Machines
from ingot.vm.state.processes import Process, boot_id, start_ticks

SPEC = MachineSpec(name="store", uuid="u", prefix="/b/store")


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


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path / "machines")


def test_a_machine_that_runs_is_found_and_a_stale_record_is_not(machines: Machines) -> None:
    folder = machines.folder("store")
    with folder.locked(create=True):
        folder.write_spec(SPEC)
    assert folder.process() is None
    process = record(os.getpid())
    folder.write_process(process)
    assert folder.process() == process
    assert folder.running() == process
    folder.write_process(msgspec.structs.replace(process, start_ticks=1))
    assert folder.process() is None
    with pytest.raises(ConflictError, match="not running"):
        folder.running()
    folder.process_path.write_bytes(b"{half a rec")
    assert folder.process() is None


def test_a_machine_that_was_never_started_does_not_exist(machines: Machines) -> None:
    folder = machines.folder("store")
    assert not folder.exists()
    with pytest.raises(NotFoundError, match="no machine 'store'"):
        folder.running()
    with pytest.raises(NotFoundError, match="no machine 'store'"), folder.locked():
        pass
    assert machines.folders() == []
    with pytest.raises(UsageError):
        machines.folder("../store")


def test_a_spec_is_kept_and_a_foreign_one_refused(machines: Machines) -> None:
    folder = machines.folder("store")
    with folder.locked(create=True):
        folder.write_spec(SPEC)
    assert folder.read_spec() == SPEC
    folder.write_spec(msgspec.structs.replace(SPEC, schema=2))
    with pytest.raises(Error, match=r"another release \(schema 2\)"):
        folder.read_spec()
    folder.spec_path.write_text("{}")
    with pytest.raises(Error, match="cannot be read"):
        folder.read_spec()


def test_machines_are_listed_by_name(machines: Machines) -> None:
    for name in ("b", "a"):
        with machines.folder(name).locked(create=True):
            machines.folder(name).write_spec(SPEC)
    (machines.root / ".removed-x-1").mkdir()
    (machines.root / "no-spec").mkdir()
    assert [folder.name for folder in machines.folders()] == ["a", "b"]


def test_only_one_command_changes_a_machine_at_a_time(machines: Machines) -> None:
    folder = machines.folder("store")
    with (
        folder.locked(create=True),
        pytest.raises(ConflictError, match="another command is working on machine 'store'"),
        folder.locked(create=True),
    ):
        pass
    with folder.locked():
        pass


def test_a_lock_of_a_removed_machine_is_worth_nothing(machines: Machines) -> None:
    """Two commands race for a machine while it is removed: never do both hold it."""
    folder = machines.folder("store")
    held = threading.Lock()
    failures: list[str] = []

    def worker() -> None:
        for _ in range(200):
            try:
                with folder.locked(create=True):
                    if not held.acquire(blocking=False):
                        failures.append("two held the machine")
                        continue
                    held.release()
                    folder.remove()
            except (ConflictError, FileNotFoundError):
                continue

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(machines.root.iterdir()) == []
