"""Snapshots of real QEMU processes: back to the moment, or refused."""

import contextlib
import json
import os
import socket
import time
from typing import Any


def run(host: Any, *flags: str) -> None:
    host.ingot("run", host.build("demo"), "--detach", *flags)
    host.await_console("demo", "tiny kernel up")


def test_a_machine_goes_on_from_its_moment(host: Any) -> None:
    own = host.home / "own.img"
    own.write_bytes(b"before" + bytes((8 << 20) - 6))
    run(host, "--disk", "size=8M", "--disk", str(own))
    status = host.folder("demo") / "status.jsonl"
    status.write_text('{"event":"ready"}\n')
    saved = json.loads(host.ingot("snapshot", "save", "demo", "fresh", "--json").stdout)
    assert (saved["type"], saved["snapshot"]) == ("snapshot", "fresh")
    assert 0 < saved["size_bytes"] < 64 << 20, "holes stay holes"
    assert host.machines()["demo"]["state"] == "ready"

    lives(host, "it runs on")
    host.ingot("kill", "demo")
    own.write_bytes(b"after" + bytes((8 << 20) - 5))
    (host.folder("demo") / "disk-0.img").unlink()

    result = host.ingot("snapshot", "restore", "--yes", "demo", "fresh", "--json")
    assert json.loads(result.stdout)["state"] == "ready"
    assert own.read_bytes()[:6] == b"before"
    assert (host.folder("demo") / "disk-0.img").stat().st_size == 8 << 20
    lives(host, "and on")
    assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "powered-off"
    assert "tiny kernel up" not in host.ingot("logs", "demo").stdout


def test_a_snapshot_is_restored_again_and_again(host: Any) -> None:
    run(host)
    host.ingot("snapshot", "save", "demo", "fresh")
    for _ in range(2):
        host.ingot("kill", "demo")
        host.ingot("snapshot", "restore", "demo", "fresh")
        assert host.machines()["demo"]["running"]


def test_snapshots_are_for_their_owner_s_eyes_alone(host: Any) -> None:
    run(host, "--disk", "size=8M")
    host.ingot("snapshot", "save", "demo", "fresh")
    folder = host.folder("demo") / "snapshots" / "fresh"
    assert {path.name for path in folder.iterdir()} == {
        *("memory", "disk-0", "snapshot.json", "status.jsonl")
    }
    # Nobody else can reach into the machine's folder.
    assert host.folder("demo").stat().st_mode & 0o077 == 0


def test_snapshots_are_listed_and_removed(host: Any) -> None:
    run(host)
    assert len(host.ingot("snapshot", "ls", "demo").stdout.splitlines()) == 1
    for name in ("b", "a"):
        host.ingot("snapshot", "save", "demo", name)
    rows = [
        json.loads(line)
        for line in host.ingot("snapshot", "ls", "demo", "--json").stdout.splitlines()
    ]
    assert [row["snapshot"] for row in rows] == ["a", "b"]
    assert (
        abs(
            time.time()
            - time.mktime(time.strptime(rows[0]["created"], "%Y-%m-%dT%H:%M:%SZ"))
            + time.timezone
        )
        < 600
    )
    assert host.ingot("snapshot", "rm", "demo", "a").stdout == "a removed\n"
    assert host.ingot("snapshot", "ls", "demo").stdout.split()[3] == "b"
    (host.folder("demo") / "snapshots" / "b" / "snapshot.json").write_text("{}")
    assert "cannot be read" in host.ingot("snapshot", "ls", "demo").stderr
    host.ingot("snapshot", "rm", "demo", "b")
    assert os.listdir(host.folder("demo") / "snapshots") == []


def test_a_machine_that_is_half_restored_does_not_start(host: Any) -> None:
    run(host, "--disk", "size=8M", "--disk", f"{host.home}/own.img,size=8M")
    host.ingot("snapshot", "save", "demo", "fresh")
    host.ingot("kill", "demo")
    # The second disk's place is taken by a folder, so it cannot be put back after the first was.
    own = host.home / "own.img"
    own.unlink()
    own.mkdir()
    failed = host.ingot("snapshot", "restore", "--yes", "demo", "fresh", code=1)
    assert "snapshot 'fresh' cannot be put back: Is a directory" in failed.stderr
    own.rmdir()
    refused = host.ingot("start", "demo", code=6)
    assert "are of different moments" in refused.stderr
    assert "ingot snapshot restore demo fresh" in refused.stderr
    host.ingot("snapshot", "restore", "--yes", "demo", "fresh")
    assert own.stat().st_size == 8 << 20
    host.ingot("kill", "demo")
    host.ingot("start", "demo")


def test_a_machine_is_not_removed_with_its_snapshots_unasked(host: Any) -> None:
    run(host)
    host.ingot("snapshot", "save", "demo", "fresh")
    host.ingot("kill", "demo")
    refused = host.ingot("rm-machine", "demo", code=2)
    assert "has 1 snapshot(s) that would be deleted" in refused.stderr
    removed = json.loads(host.ingot("rm-machine", "--yes", "demo", "--json").stdout)
    assert removed["snapshots"] == ["fresh"]
    assert not host.folder("demo").exists()


def test_what_cannot_be_saved_is_refused(host: Any) -> None:
    run(host)
    host.ingot("snapshot", "save", "demo", "fresh")
    assert (
        "has a snapshot 'fresh'" in host.ingot("snapshot", "save", "demo", "fresh", code=6).stderr
    )
    assert "cannot name a snapshot" in host.ingot("snapshot", "save", "demo", "../x", code=2).stderr
    assert "no machine 'absent'" in host.ingot("snapshot", "save", "absent", "x", code=5).stderr
    kernel = host.home / "demo-kernel"
    kernel.write_bytes(kernel.read_bytes())
    result = host.ingot("snapshot", "save", "demo", "late", code=6)
    assert "demo-kernel was changed after its start" in result.stderr
    host.ingot("kill", "demo")
    assert "is not running" in host.ingot("snapshot", "save", "demo", "x", code=6).stderr
    assert os.listdir(host.folder("demo") / "snapshots") == ["fresh"]


def test_a_failed_save_leaves_nothing_and_the_machine_running(host: Any) -> None:
    run(host, "--disk", "size=8M")
    # A disk that is gone cannot be copied, after the memory was written.
    disk = host.folder("demo") / "disk-0.img"
    status = host.folder("demo") / "status.jsonl"
    status.rename(status.with_suffix(".away"))
    result = host.ingot("snapshot", "save", "demo", "fresh", code=1)
    assert "cannot be saved: No such file" in result.stderr
    assert disk.exists()
    assert os.listdir(host.folder("demo") / "snapshots") == []
    lives(host, "still here")


def test_what_is_not_as_it_was_is_not_restored(host: Any) -> None:
    run(host, "--disk", "size=8M")
    host.ingot("snapshot", "save", "demo", "fresh")
    running = host.ingot("snapshot", "restore", "--yes", "demo", "fresh", code=6)
    assert "machine 'demo' is running" in running.stderr
    host.ingot("kill", "demo")
    assert "has 1 disk(s) that would go back" in (
        host.ingot("snapshot", "restore", "demo", "fresh", code=2).stderr
    )
    assert (
        "no snapshot 'stale'" in host.ingot("snapshot", "restore", "demo", "stale", code=5).stderr
    )

    record = host.folder("demo") / "snapshots" / "fresh" / "snapshot.json"
    good = record.read_text()
    disk = host.folder("demo") / "disk-0.img"
    disk.write_bytes(b"newer" + bytes((8 << 20) - 5))
    for changes, words in (
        ({"hypervisor": "0.1"}, "written by version 0.1"),
        ({"accelerator": "kvm"}, "is of KVM"),
        ({"command": ["other"]}, "is of another build"),
        ({"build": []}, "is of another build"),
    ):
        record.write_text(json.dumps(json.loads(good) | changes))
        refused = host.ingot("snapshot", "restore", "--yes", "demo", "fresh", code=6)
        assert words in refused.stderr
    record.write_text(good)
    assert disk.read_bytes()[:5] == b"newer", "what is refused changes nothing"

    memory = host.folder("demo") / "snapshots" / "fresh" / "memory"
    memory.write_bytes(memory.read_bytes()[: memory.stat().st_size // 2])
    broken = host.ingot("snapshot", "restore", "--yes", "demo", "fresh", code=1)
    assert "could not be restored" in broken.stderr
    assert not host.machines()["demo"]["running"]


def lives(host: Any, keys: str) -> None:
    """Type on the machine's serial port, as an attached terminal would, and see the echo."""
    folder = os.open(host.folder("demo"), os.O_PATH)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(f"/proc/self/fd/{folder}/console.sock")
        connection.sendall(keys.encode())
        host.await_console("demo", keys)
    os.close(folder)


def test_an_ipv6_port_comes_back_with_its_machine(host: Any) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    run(host, "--publish", f"[::1]:{port}:80")
    host.ingot("snapshot", "save", "demo", "fresh")
    for _ in range(2):
        host.ingot("kill", "demo")
        host.ingot("snapshot", "restore", "--yes", "demo", "fresh")
        with socket.create_connection(("::1", port), timeout=10):
            pass
