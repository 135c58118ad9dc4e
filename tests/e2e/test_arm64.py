"""Appliances for arm64, built here: their structure, and that a machine boots each of them."""

import json
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ingot.appliance.outputs import find_outputs

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
BootMachine = Callable[[Sequence[str | Path]], str]

ROOT = Path(__file__).resolve().parents[2]
FORMATS = [
    name
    for name, output in find_outputs().items()
    # Their files have the names of kernel+initrd's.
    if "arm64" in output.arches and name not in {"kernel+squashfs", "kernel+erofs"}
]
FIRMWARE = Path("/usr/share/AAVMF")
# `max` without its costly authentication of pointers.
MACHINE = ("qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on")
NETWORK = ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=")
# In the headers of programs.
PE_ARM64, ELF_ARM64 = 0xAA64, 183


@pytest.fixture(scope="module")
def built(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arm64")
    cli(
        *("build", ROOT / "examples" / "hello.yml", "--dir", folder, "--arch", "arm64"),
        *("--format", ",".join(FORMATS)),
        timeout_s=900,
    )
    return folder


def machine_of(program: bytes) -> int:
    """Return the machine of a PE program."""
    (header,) = struct.unpack_from("<I", program, 0x3C)
    assert program[header : header + 4] == b"PE\0\0"
    return int(struct.unpack_from("<H", program, header + 4)[0])


def test_programs_are_for_arm64(built: Path, tmp_path: Path) -> None:
    assert json.loads((built / "hello.manifest.json").read_text())["arch"] == "arm64"
    kernel = (built / "hello-kernel").read_bytes()
    assert kernel[56:60] == b"ARMd"
    assert machine_of(kernel) == PE_ARM64
    for image in ("hello-efi.img", "hello-verity.img", "hello-erofs-verity.img"):
        program = tmp_path / image
        command = ["mcopy", "-i", f"{built / image}@@1M", "::/EFI/BOOT/BOOTAA64.EFI", program]
        subprocess.run(command, check=True)
        assert machine_of(program.read_bytes()) == PE_ARM64
    with tarfile.open(built / "hello.tar") as archive:
        member = archive.extractfile("usr/bin/busybox")
        assert member is not None
        busybox = member.read()
    assert busybox[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", busybox, 18) == (ELF_ARM64,)


DISK = ("virtio-blk-pci,drive=medium,bootindex=0",)
CD = ("virtio-scsi-pci,id=scsi", "scsi-cd,bus=scsi.0,drive=medium,bootindex=0")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("hello-efi.img", DISK),
        ("hello-efi.qcow2", DISK),
        ("hello-verity.img", DISK),
        ("hello-erofs-verity.img", DISK),
        ("hello-efi.iso", CD),
        ("hello-efi-initrd.iso", CD),
    ],
)
def test_a_medium_boots(
    built: Path, boot_machine: BootMachine, tmp_path: Path, name: str, devices: tuple[str, ...]
) -> None:
    variables = tmp_path / "variables"
    shutil.copyfile(FIRMWARE / "AAVMF_VARS.fd", variables)
    flash = "if=pflash,format=raw"
    kind = "qcow2" if name.endswith(".qcow2") else "raw"
    said = boot_machine(
        [
            *(*MACHINE, *NETWORK, "-m", "512"),
            *("-drive", f"{flash},unit=0,readonly=on,file={FIRMWARE / 'AAVMF_CODE.fd'}"),
            *("-drive", f"{flash},unit=1,file={variables}"),
            *("-drive", f"if=none,id=medium,snapshot=on,format={kind},file={built / name}"),
            *(word for device in devices for word in ("-device", device)),
        ]
    )
    assert '"event":"ready"' in said


@pytest.mark.slow
def test_a_kernel_boots_with_its_ram_disk(built: Path, boot_machine: BootMachine) -> None:
    memory_mib = json.loads((built / "hello.manifest.json").read_text())["memory_mib"]
    said = boot_machine(
        [
            *(*MACHINE, *NETWORK, "-m", str(memory_mib)),
            *("-kernel", built / "hello-kernel", "-initrd", built / "hello-initrd.img"),
            *("-append", "console=ttyAMA0 panic=-1"),
        ]
    )
    assert '"event":"ready"' in said
