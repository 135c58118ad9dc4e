"""Every output format starts under every firmware it is for, and is the same bytes twice."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingot.appliance.outputs import find_outputs

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
BootMachine = Callable[[Sequence[str | Path]], str]

ROOT = Path(__file__).resolve().parents[2]
# Their files have the names of kernel+initrd's.
APART = ("kernel+squashfs", "kernel+erofs")
FORMATS = ",".join(name for name in find_outputs() if name not in APART)
BOOT_TIMEOUT_S = 240
UEFI_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
DISK = ("virtio-blk-pci,drive=medium,bootindex=0",)
# Of what hypervisors with these formats have; their disks are for the firmware alone.
IDE = ("ide-hd,drive=medium,bootindex=0,bus=ide.0",)
CD = ("ide-cd,drive=medium,bootindex=0",)
QEMU_FORMATS = {".qcow2": "qcow2", ".vmdk": "vmdk", ".vhd": "vpc"}


@dataclass(frozen=True)
class Built:
    folder: Path
    manifest: dict[str, Any]

    def file(self, name: str) -> dict[str, Any]:
        return next(file for file in self.manifest["files"] if file["path"] == name)


def build(cli: Cli, folder: Path, formats: str = FORMATS) -> Built:
    cli(
        *("build", ROOT / "examples" / "hello.yml", "--dir", folder, "--format", formats),
        timeout_s=900,
    )
    return Built(folder, json.loads((folder / "hello.manifest.json").read_text()))


@pytest.fixture(scope="module")
def built(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(cli, tmp_path_factory.mktemp("outputs"))


@pytest.fixture
def boots(boot_machine: BootMachine, tmp_path: Path) -> Callable[..., str]:
    """Start QEMU; returns console and status once services are ready or the boot has ended."""

    def start(
        built: Built,
        firmware: str,
        image: Path,
        device: tuple[str, ...],
        *,
        card: str = "virtio-net-pci",
        data: bool = False,
    ) -> str:
        command = [
            *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max"),
            *("-m", str(built.manifest["memory_mib"])),
            *("-netdev", "user,id=net", "-device", f"{card},netdev=net,romfile="),
            *(blank_disk(tmp_path) if data else ()),
            *medium(unpacked(image, tmp_path), device),
        ]
        if firmware == "uefi":
            variables = tmp_path / "variables"
            shutil.copyfile(UEFI_VARIABLES, variables)
            flash = "if=pflash,format=raw"
            command += ["-drive", f"{flash},unit=0,readonly=on,file={UEFI_CODE}"]
            command += ["-drive", f"{flash},unit=1,file={variables}"]
        return boot_machine(command)

    return start


def unpacked(path: Path, folder: Path) -> Path:
    """Return the disk in an archive, or the file itself if it is none."""
    if not path.name.endswith((".tar.gz", ".ova")):
        return path
    subprocess.run(["tar", "-xf", path, "-C", folder], check=True)
    return next(
        folder / name
        for name in ("disk.raw", f"{path.stem}-disk1.vmdk")
        if (folder / name).exists()
    )


def blank_disk(folder: Path) -> list[str]:
    path = folder / "blank"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return ["-drive", f"if=none,id=data,format=raw,file={path}"]


def medium(path: Path, device: tuple[str, ...]) -> list[str]:
    image_format = QEMU_FORMATS.get(path.suffix, "raw")
    drive = f"if=none,id=medium,snapshot=on,format={image_format},file={path}"
    return ["-drive", drive, *(word for text in device for word in ("-device", text))]


BOOTS = [
    pytest.param("hello-efi.img", "uefi", DISK),
    pytest.param("hello.qcow2", "bios", DISK),
    pytest.param("hello.iso", "bios", CD),
    pytest.param("hello.iso", "bios", DISK, marks=pytest.mark.slow),
    pytest.param("hello.iso", "uefi", CD, marks=pytest.mark.slow),
    pytest.param("hello.iso", "uefi", DISK, marks=pytest.mark.slow),
    pytest.param("hello-efi.iso", "uefi", CD, marks=pytest.mark.slow),
    pytest.param("hello-efi-initrd.iso", "uefi", CD, marks=pytest.mark.slow),
    pytest.param("hello-efi.qcow2", "uefi", DISK, marks=pytest.mark.slow),
    pytest.param("hello-bios.img", "bios", DISK, marks=pytest.mark.slow),
    pytest.param("hello-verity.img", "uefi", DISK, marks=pytest.mark.slow),
    pytest.param("hello-erofs-verity.img", "uefi", DISK, marks=pytest.mark.slow),
    pytest.param("hello.raw", "bios", DISK, marks=pytest.mark.slow),
    pytest.param("hello.img.tar.gz", "bios", DISK, marks=pytest.mark.slow),
    pytest.param("hello.vmdk", "bios", IDE, marks=pytest.mark.slow),
    pytest.param("hello.ova", "bios", IDE, marks=pytest.mark.slow),
    pytest.param("hello.vhd", "bios", IDE, marks=pytest.mark.slow),
    pytest.param("hello-dynamic.vhd", "bios", IDE, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "firmware", "device"), BOOTS)
def test_a_medium_boots(
    built: Built, boots: Callable[..., str], name: str, firmware: str, device: tuple[str, ...]
) -> None:
    assert firmware in built.file(name)["firmware"]
    # The card that the formats' hypervisor has.
    card = "vmxnet3" if name.endswith((".ova", ".vmdk")) else "virtio-net-pci"
    said = boots(built, firmware, built.folder / name, device, card=card)
    assert '"event":"ready"' in said


def root_partition(disk: Path) -> tuple[int, int]:
    """Return where the root's image and its hash tree begin."""
    command = ["/usr/sbin/sgdisk", "--info=2", disk]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    start = int(shown.split("First sector: ")[1].split()[0]) * 512
    return start, disk.read_bytes().index(b"verity\0\0", start)


@pytest.mark.parametrize(
    "name", ["hello-verity.img", pytest.param("hello-erofs-verity.img", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param("data", "dm-verity device corrupted"),
        pytest.param("tree", "dm-verity device corrupted", marks=pytest.mark.slow),
        pytest.param("beginning", "no disk has the root image", marks=pytest.mark.slow),
    ],
)
def test_one_flipped_byte_in_the_root_stops_the_boot(
    built: Built, boots: Callable[..., str], tmp_path: Path, *, name: str, place: str, reason: str
) -> None:
    disk = tmp_path / "disk.img"
    shutil.copyfile(built.folder / name, disk)
    image, tree = root_partition(disk)
    # The last block of data is one that no service reads.
    offset = {"data": tree - 4096, "tree": tree + 4096 + 5, "beginning": image + 100}[place]
    with disk.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    said = boots(built, "uefi", disk, DISK)
    assert reason in said
    assert '"event":"ready"' not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "machine",
    [
        # What VMware is given for it, and what VirtualBox and VMware give by themselves.
        ("cloud", "vmxnet3", "pvscsi,id=data", "scsi-hd,bus=data.0,drive=data"),
        ("generic", "e1000", "ide-hd,bus=ide.1,drive=data"),
        ("generic", "e1000e", "nvme,serial=data,drive=data"),
    ],
)
def test_a_kernel_drives_the_devices_of_hypervisors(
    cli: Cli,
    boots: Callable[..., str],
    tmp_path: Path,
    machine: tuple[str, ...],
) -> None:
    """The data disk is formatted and the network gives an address, or nothing is ready."""
    platform, card, *devices = machine
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "hello.yml"
    path.write_text(f"{path.read_text()}\ndata: {{label: DATA, path: /var/data}}\n")
    cli(
        *("build", path, "--dir", tmp_path, "--format", "ova", "--platform", platform),
        timeout_s=900,
    )
    built = Built(tmp_path, json.loads((tmp_path / "hello.manifest.json").read_text()))
    disk = (*IDE, *devices)
    said = boots(built, "bios", tmp_path / "hello.ova", disk, card=card, data=True)
    assert "ingot: format: formatting the blank disk" in said
    assert '"event":"ready"' in said


@pytest.mark.slow
@pytest.mark.parametrize("output", APART)
def test_a_kernel_boots_from_its_root_disk(cli: Cli, tmp_path: Path, output: str) -> None:
    build(cli, tmp_path, output)
    filesystem = output.removeprefix("kernel+")
    name = f"outputs-{filesystem}"
    cli(
        *("run", tmp_path / "hello", "--name", name, "--disk", "size=16M", "--wait=4m"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    mounts = cli("exec", "--host", name, "/bin/busybox", "cat", "/proc/mounts").stdout
    assert f"/dev/dm-0 / {filesystem} ro" in mounts or f"/dev/root / {filesystem} ro" in mounts
    assert "loop" not in mounts
    cli("stop", name)
    cli("rm-machine", "--yes", name)


def test_every_medium_of_the_build_is_booted(built: Built) -> None:
    listed = {(f["path"], firmware) for f in built.manifest["files"] for firmware in f["firmware"]}
    assert listed == {(row.values[0], row.values[1]) for row in BOOTS}


# Folders are read in another order each time.
SHUFFLED = """\
import os, random

listdir, scandir = os.listdir, os.scandir
os.listdir = lambda *a: random.sample(names := listdir(*a), len(names))


class Shuffled:
    def __init__(self, *a):
        with scandir(*a) as entries:
            self.entries = random.sample(found := list(entries), len(found))

    __iter__ = lambda self: iter(self.entries)
    __next__ = lambda self: self.entries.pop()
    __enter__ = lambda self: self
    __exit__ = lambda self, *a: None
    close = lambda self: None


os.scandir = Shuffled
"""


def test_another_build_has_the_same_bytes(
    cli: Cli, built: Built, tmp_path: Path, environment: dict[str, str]
) -> None:
    """At another place and time, with another umask, time zone, language and order of folders."""
    (tmp_path / "sitecustomize.py").write_text(SHUFFLED)
    other = {
        "PYTHONPATH": str(tmp_path),
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "9",
    }
    before = dict(environment)
    umask = os.umask(0o077)
    environment.update(other)
    try:
        again = build(cli, tmp_path / "another" / "place")
    finally:
        os.umask(umask)
        environment.clear()
        environment.update(before)
    assert again.manifest == built.manifest
