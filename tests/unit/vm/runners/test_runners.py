"""What each hypervisor is told, compared with the texts in tests/golden/runners.

`INGOT_GOLDEN=write` writes them anew; read them before they are kept.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ingot.base.errors import Error, MissingToolError, UsageError
from ingot.vm.machine import (
    Disk,
    ImageBoot,
    KernelBoot,
    Machine,
    MachineSpec,
    Network,
    PublishedPort,
    StaticAddress,
)
from ingot.vm.networks.addresses import parse_address
from ingot.vm.networks.cards import complete, default_networks, parse_networks
from ingot.vm.runners import libvirt, qemu, virtualbox, vmware
from ingot.vm.runners.choice import runner_named
from ingot.vm.runners.contract import Plan
from ingot.vm.runners.descriptors import descriptor
from ingot.vm.runners.programs import RefusedError, await_process, call, carry_out
from ingot.vm.state.folders import MachineFolder

GOLDEN = Path(__file__).parents[3] / "golden" / "runners"
UUID = "7f9c24e8-3b12-4a5e-9d0e-1c2b3a4d5e6f"
KERNEL = KernelBoot(
    kernel=Path("/builds/store-kernel"),
    initrd=Path("/builds/store-initrd.img"),
    command_line="console=ttyS0 quiet",
    root=Path("/builds/store-root.img"),
)
CARDS = ["user", "bridge=br0", "bridge=br1,mac=52:54:00:00:00:77"]
SIZES = (4 << 30, 1 << 30, 64 << 20)


def completed(text: str, networks: tuple[Network, ...]) -> StaticAddress:
    address = parse_address(text)
    kind = {"address6" if address.is_ipv6 else "address": address}
    spec = MachineSpec(name="store", uuid="u", prefix="/b/store", **kind)  # type: ignore[arg-type] # its kind
    found = complete(spec, networks)[address.is_ipv6]
    assert found is not None
    return found


PLAIN = Machine(
    name="store",
    uuid=UUID,
    directory=Path("/state/machines/store"),
    arch="amd64",
    boot=KERNEL,
    uefi=False,
    cpus=1,
    memory_mib=256,
    disks=(),
    ports=(),
    networks=default_networks(UUID),
    address=None,
    has_metadata=False,
    accelerator="tcg",
)
RICH = msgspec.structs.replace(
    PLAIN,
    cpus=4,
    accelerator="kvm",
    has_metadata=True,
    disks=(
        Disk("/state/machines/store/disk-0.img", size_bytes=4 << 30),
        Disk("/data/a disk.qcow2", format="qcow2"),
        Disk("/dev/sdb"),
    ),
    ports=(
        PublishedPort("127.0.0.1", 9000, 9000),
        PublishedPort("0.0.0.0", 5353, 53, "udp"),
        PublishedPort("::1", 9001, 9001),
    ),
    networks=parse_networks([*CARDS, "tap=tap0"], UUID),
    address=completed("192.168.65.101", default_networks(UUID)),
    address6=completed("fd00:65::101", default_networks(UUID)),
)
FOREIGN = msgspec.structs.replace(
    RICH,
    accelerator="own",
    metadata_way="cd",
    disks=(RICH.disks[0], Disk("/data/second disk.img")),
    ports=RICH.ports[:2],
    networks=parse_networks(CARDS, UUID),
    address6=None,
    address=completed("192.168.65.15", default_networks(UUID)),
)


def booting(machine: Machine, name: str, *, uefi: bool = False) -> Machine:
    suffix = name.rpartition(".")[2]
    form = "raw" if suffix == "img" else suffix
    boot = ImageBoot(Path("/builds") / name, form)  # type: ignore[arg-type] # by its suffix
    return msgspec.structs.replace(machine, boot=boot, uefi=uefi)


def without_ports(machine: Machine) -> Machine:
    return msgspec.structs.replace(machine, ports=(), address=None)


PLANS = {
    "qemu-kernel": lambda: qemu.QemuRunner().plan(RICH),
    "libvirt-kernel": lambda: libvirt.LibvirtRunner().plan(PLAIN),
    "libvirt-everything": lambda: libvirt.LibvirtRunner().plan(RICH),
    "libvirt-iso-uefi": lambda: libvirt.LibvirtRunner().plan(
        booting(PLAIN, "store.iso", uefi=True)
    ),
    "libvirt-config-drive": lambda: libvirt.LibvirtRunner().plan(
        msgspec.structs.replace(PLAIN, has_metadata=True, metadata_way="cd")
    ),
    "libvirt-disk": lambda: libvirt.LibvirtRunner().plan(booting(PLAIN, "store.vhd")),
    "virtualbox-iso": lambda: virtualbox.plan(booting(PLAIN, "store.iso"), ()),
    "virtualbox-everything": lambda: virtualbox.plan(
        booting(FOREIGN, "store.img", uefi=True), SIZES
    ),
    "vmware-iso": lambda: vmware.plan(booting(PLAIN, "store.iso"), ()),
    "vmware-everything": lambda: vmware.plan(
        without_ports(booting(FOREIGN, "store.vmdk", uefi=True)), SIZES
    ),
}


def rendered(plan: Plan) -> str:
    files = (f"==> {name}\n{text}" for name, text in plan.files.items())
    return "".join(files) + "".join(f"$ {shlex.join(command)}\n" for command in plan.commands)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_as_its_snapshot_says(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("INGOT_GOLDEN") == "write":
        path.write_text(rendered(PLANS[name]()))
    assert path.read_text() == rendered(PLANS[name]())


def test_every_snapshot_is_compared() -> None:
    assert sorted(PLANS) == sorted(path.stem for path in GOLDEN.iterdir())


@pytest.mark.parametrize(
    ("name", "program", "hint"),
    [
        ("qemu", "qemu-system-x86_64", "qemu-system-x86"),
        ("libvirt", "virsh", "libvirt-clients"),
        ("virtualbox", "VBoxManage", "VirtualBox"),
        ("vmware", "vmrun", "Workstation"),
    ],
)
def test_a_missing_program_is_named_with_what_to_install(
    name: str, program: str, hint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=program) as caught:
        runner_named(name).available()  # type: ignore[arg-type] # a runner's name
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize("name", ["virtualbox", "vmware"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"boot": KERNEL}, "no kernels"),
        ({"arch": "arm64"}, "not arm64"),
        ({"has_metadata": True}, "--data-as fw-cfg is for QEMU"),
        ({"disks": (Disk("/a.qcow2", format="qcow2"),)}, "raw files for disks"),
        ({"disks": (Disk("/dev/sdb"),)}, "raw files for disks"),
        ({"networks": parse_networks(["tap=tap0"], UUID)}, "no cards on a tap"),
    ],
)
def test_what_others_cannot_do_is_refused(name: str, change: dict[str, object], words: str) -> None:
    runner = runner_named(name)  # type: ignore[arg-type] # a runner's name
    machine = without_ports(booting(PLAIN, "store.iso"))
    runner.validate(machine)
    with pytest.raises(UsageError, match=words):
        runner.validate(msgspec.structs.replace(machine, **change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ports": FOREIGN.ports}, "for the whole host"),
        ({"address": FOREIGN.address}, "--ip"),
        ({"address6": parse_address("fd00::5")}, "--ip"),
    ],
)
def test_vmware_has_no_way_for(change: dict[str, object], words: str) -> None:
    machine = msgspec.structs.replace(booting(PLAIN, "store.iso"), **change)
    with pytest.raises(UsageError, match=words):
        vmware.VmwareRunner().validate(machine)


def test_virtualbox_leases_one_address_of_a_network() -> None:
    runner = virtualbox.VirtualBoxRunner()
    runner.validate(booting(FOREIGN, "store.iso"))
    bridged = msgspec.structs.replace(FOREIGN, networks=parse_networks(["bridge=br0"], UUID))
    with pytest.raises(UsageError, match="by DHCP on the user network only"):
        runner.validate(booting(bridged, "store.iso"))
    on_ipv6 = msgspec.structs.replace(FOREIGN, ports=(PublishedPort("::1", 9000, 80),))
    with pytest.raises(UsageError, match=r"\[::1\]:9000->80/tcp: VirtualBox forwards no IPv6"):
        runner.validate(booting(on_ipv6, "store.iso"))
    told = msgspec.structs.replace(FOREIGN, address6=parse_address("fd00::5"))
    with pytest.raises(UsageError, match="--ip fd00::5/64 has no way into a guest"):
        runner.validate(booting(told, "store.iso"))
    other = msgspec.structs.replace(FOREIGN, address=parse_address("192.168.65.101"))
    with pytest.raises(UsageError, match=r"always leases 192\.168\.65\.15") as caught:
        runner.validate(booting(other, "store.iso"))
    assert caught.value.hint == "use --ip 192.168.65.15"


def test_libvirt_must_run_qemu_on_this_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "virsh").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "xen:///system")
    with pytest.raises(UsageError, match="xen:///system does not run QEMU on this host"):
        libvirt.LibvirtRunner().available()


def test_libvirt_cannot_listen_at_a_long_path() -> None:
    machine = msgspec.structs.replace(PLAIN, directory=Path("/" + "x" * 100))
    with pytest.raises(UsageError, match="so long a path"):
        libvirt.LibvirtRunner().validate(machine)


def test_a_descriptor_is_a_disk_to_other_programs(tmp_path: Path) -> None:
    """qemu-img sees the raw file's size and bytes through it."""
    raw = tmp_path / "a disk.img"
    raw.write_bytes(os.urandom(1 << 20))
    (tmp_path / "disk.vmdk").write_text(descriptor(raw, raw.stat().st_size, "identity"))
    compared = subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "disk.vmdk"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (compared.returncode, compared.stderr) == (0, "")
    with pytest.raises(UsageError, match="cannot hold"):
        descriptor(Path('/a"b.img'), 512, "identity")


def in_folder(tmp_path: Path) -> Machine:
    folder = MachineFolder(tmp_path / "store")
    folder.path.mkdir()
    folder.write_spec(MachineSpec(name="store", uuid=UUID, prefix="/builds/store"))
    return msgspec.structs.replace(PLAIN, directory=folder.path)


def test_what_a_program_says_is_in_the_error_and_in_the_log(tmp_path: Path) -> None:
    machine = in_folder(tmp_path)
    shell = (sys.executable, "-c")
    good = (*shell, "print(open('note').read())")
    bad = (*shell, "import sys; sys.exit('error: there is no room\\nmore words')")
    with pytest.raises(RefusedError, match="there is no room") as caught:
        carry_out(Plan({"note": "written first"}, (good, bad)), machine)
    assert "more words" in caught.value.said
    log = MachineFolder(machine.directory).hypervisor_log.read_text()
    assert log.index("written first") < log.index("more words")
    with pytest.raises(MissingToolError, match="not installed any more"):
        call(["/absent/program"], machine.directory)


def test_the_process_of_a_guest_is_found_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = in_folder(tmp_path)
    words = [sys.executable, "-c", "input()", "-uuid", UUID]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as child:
        assert await_process(machine, lambda found: found == words) == child.pid
        child.kill()
    monkeypatch.setattr("ingot.vm.runners.programs._PROCESS_TIMEOUT_S", 0.1)
    with pytest.raises(Error, match="no process of this host is it"):
        await_process(machine, lambda found: found == words)
