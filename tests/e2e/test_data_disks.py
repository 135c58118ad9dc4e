"""Data disks in a booted guest: several, grown, with the logs; repaired, or left as they are."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 240
TOOLS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

DISKS = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
data:
  - {label: FIRST, path: /var/first, uid: 1000, gid: 1000}
  - {label: SECOND, path: /var/second}
services:
  - name: writer
    image: component:tool
    uid: 1000
    binds: ["/var/first:/data", "/proc/sys/kernel/random:/random"]
    command: [/bin/busybox, sh, -c, 'echo boot $(cat /random/boot_id); sleep 1; exec httpd -fp 80']
    capabilities: [CAP_NET_BIND_SERVICE]
    ambient: [CAP_NET_BIND_SERVICE]
    ready: {port: 80}
    stop-timeout: 1s
"""


@pytest.fixture(scope="module")
def image(build_own: BuildOwn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_own(tmp_path_factory.mktemp("disks"), DISKS)


def make_disk(path: Path, label: str, mib: int = 64) -> Path:
    with path.open("wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", label, path], check=True, env=TOOLS)
    return path


def damage(path: Path, *offsets: int) -> None:
    """Take the sense of superblocks; the magic number and the label stay."""
    with path.open("r+b") as file:
        for offset in offsets:
            file.seek(offset + 4)
            file.write(b"\xff" * 40)


def guest(cli: Cli, script: str) -> str:
    return cli("exec", "--host", "disks", "/bin/busybox", "sh", "-c", script).stdout


def boot(cli: Cli, *arguments: str | Path) -> str:
    """Boot, and return the identity the kernel has for this boot."""
    cli("run", *arguments, "--wait", timeout_s=BOOT_TIMEOUT_S)
    return guest(cli, "cat /proc/sys/kernel/random/boot_id").strip()


def fails(cli: Cli, image: Path, name: str, *disks: Path) -> str:
    """Boot something that must not become ready; return what `ingot run` said."""
    options = [word for disk in disks for word in ("--disk", disk)]
    arguments = ("run", image, "--name", name, "--wait", *options)
    result = cli(*arguments, check=False, timeout_s=BOOT_TIMEOUT_S)
    assert result.returncode == 1, result.stdout + result.stderr
    rows = [json.loads(line) for line in cli("ps", "--json").stdout.splitlines()]
    assert next(row["services"] for row in rows if row["name"] == name) == {}
    assert json.loads(cli("stop", name, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", name)
    return result.stderr


def test_disks_are_formatted_grown_repaired_and_hold_the_logs(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.img", make_disk(tmp_path / "second.img", "SECOND")
    small = ("--disk", f"{first},size=64M", "--disk", second)
    began = boot(cli, image, "--name", "disks", *small)
    before = int(guest(cli, "stat -f -c %b /var/first"))
    guest(cli, "echo kept > /var/first/file; echo kept > /var/second/file")
    # A service that owns the disk's top must not lead root's writing elsewhere.
    assert guest(cli, "stat -c '%u %a' /var/first/.log") == "0 700\n"
    cli("stop", "disks")

    damage(second, 1024)
    again = boot(cli, "disks", "--disk", f"{first},size=256M", "--disk", second)
    assert again != began
    log = cli("logs", "disks").stdout
    assert "the superblock of /dev/vdb is damaged; trying its copy" in log
    assert int(guest(cli, "stat -f -c %b /var/first")) > 3 * before
    assert guest(cli, "cat /var/first/file /var/second/file") == "kept\nkept\n"
    words = guest(cli, "cat /var/log/writer/current")
    assert words.index(f"boot {began}") < words.index(f"boot {again}")
    page = log.rpartition("--- writer")[2]
    assert f"boot {again}" in page
    assert f"boot {began}" not in page, "words of an earlier boot"
    guest(cli, "mv /var/first/.log /var/first/away && ln -s /run /var/first/.log")
    cli("stop", "disks")

    boot(cli, "disks")
    assert "/var/first/.log is not a folder of root: /var/log stays in memory" in (
        cli("logs", "disks").stdout
    )
    assert guest(cli, "ls -d /run/writer 2>/dev/null; true") == ""
    cli("stop", "disks")
    cli("rm-machine", "--yes", "disks")


def test_a_formatting_that_was_cut_short_begins_anew(cli: Cli, image: Path, tmp_path: Path) -> None:
    """What a power cut leaves: the mark near the end, and pieces of a file system before it."""
    first, second = tmp_path / "first.img", make_disk(tmp_path / "second.img", "SECOND")
    body = bytearray(64 << 20)
    body[1 << 20 : 2 << 20] = b"x" * (1 << 20)
    mark = b"INGOT-FORMATTING"
    body[-4096 : -4096 + len(mark)] = mark
    first.write_bytes(body)
    # A mark that outlived its formatting must not outlive the next boot.
    with second.open("r+b") as file:
        file.seek(-4096, 2)
        file.write(mark)
    boot(cli, image, "--name", "disks", "--disk", first, "--disk", second)
    cli("stop", "disks")
    cli("rm-machine", "--yes", "disks")
    for disk in (first, second):
        assert disk.read_bytes()[-4096 : -4096 + len(mark)] == bytes(len(mark))
        subprocess.run(["e2fsck", "-f", "-n", disk], check=True, env=TOOLS)


def test_a_file_system_without_any_superblock_is_not_mounted(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    disk, spare = make_disk(tmp_path / "damaged.img", "FIRST"), tmp_path / "spare.img"
    # Of 1 KiB blocks, so: at 1 KiB, then at the start of block groups 1, 3, 5 and 7.
    damage(disk, 1024, *((1 + group * 8192 << 10) for group in (1, 3, 5, 7)))
    spare.write_bytes(bytes(32 << 20))
    said = fails(cli, image, "disks-damaged", disk, spare)
    assert "is damaged beyond automatic repair" in said
    assert spare.read_bytes().count(0) == 32 << 20, "the blank disk took the damaged one's place"


def test_nothing_that_is_not_blank_is_formatted(cli: Cli, image: Path, tmp_path: Path) -> None:
    foreign = make_disk(tmp_path / "foreign.img", "OTHER")
    lost = make_disk(tmp_path / "lost.img", "FIRST")
    with lost.open("r+b") as file:
        file.seek(1024 + 56)
        file.write(b"\0\0")
    far, table = bytearray(64 << 20), bytearray(64 << 20)
    # The far end alone, where a backup partition table or a RAID label would be.
    far[-700] = 1
    # A partition table without partitions.
    table[510:512] = b"\x55\xaa"
    (tmp_path / "far.img").write_bytes(far)
    (tmp_path / "table.img").write_bytes(table)
    disks = [foreign, lost, tmp_path / "far.img", tmp_path / "table.img"]
    bodies = [disk.read_bytes() for disk in disks]
    said = fails(cli, image, "disks-foreign", *disks)
    assert "/dev/vda /dev/vdb /dev/vdc /dev/vdd is not blank; it was left as it is" in said
    assert [disk.read_bytes() for disk in disks] == bodies
