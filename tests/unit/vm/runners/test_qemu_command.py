from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingot.base.errors import MissingToolError, UsageError
from ingot.vm.machine import (
    Disk,
    ImageBoot,
    KernelBoot,
    Machine,
    MachineSpec,
    Network,
    PublishedPort,
    Share,
    StaticAddress,
)
from ingot.vm.networks.addresses import parse_address
from ingot.vm.networks.cards import complete, default_networks, parse_networks
from ingot.vm.runners import qemu_boards, qemu_command
from ingot.vm.runners.qemu import QemuRunner

KERNEL = KernelBoot(
    kernel=Path("/builds/store-kernel"),
    initrd=Path("/builds/store-initrd.img"),
    command_line="console=ttyS0 quiet",
)
MACHINE = Machine(
    name="store",
    uuid="7f9c24e8-3b12-4a5e-9d0e-1c2b3a4d5e6f",
    directory=Path("/state/machines/store"),
    arch="amd64",
    boot=KERNEL,
    uefi=False,
    cpus=1,
    memory_mib=256,
    disks=(),
    ports=(),
    networks=default_networks("7f9c24e8-3b12-4a5e-9d0e-1c2b3a4d5e6f"),
    address=None,
    has_metadata=False,
    accelerator="tcg",
)


def completed(text: str, networks: tuple[Network, ...]) -> StaticAddress:
    address = parse_address(text)
    kind = {"address6" if address.is_ipv6 else "address": address}
    spec = MachineSpec(name="store", uuid="u", prefix="/b/store", **kind)  # type: ignore[arg-type] # its kind
    found = complete(spec, networks)[address.is_ipv6]
    assert found is not None
    return found


def command(**changes: Any) -> list[str]:
    return QemuRunner().command(changed(**changes))


def changed(**changes: Any) -> Machine:
    return msgspec.structs.replace(MACHINE, **changes)


def after(words: list[str], flag: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == flag]


def test_the_plain_machine() -> None:
    assert command() == [
        "qemu-system-x86_64",
        *("-name", "store", "-uuid", "7f9c24e8-3b12-4a5e-9d0e-1c2b3a4d5e6f"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35"),
        *("-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", "-m", "256"),
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        *("-pidfile", "qemu.pid"),
        *("-kernel", "/builds/store-kernel", "-initrd", "/builds/store-initrd.img"),
        *("-append", "console=ttyS0 quiet panic=-1 no_timer_check"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom"),
        *("-device", "virtio-rng-pci,rng=rng"),
        *("-chardev", "socket,id=qmp,path=qmp.sock,server=on,wait=off"),
        *("-mon", "chardev=qmp,mode=control"),
        "-chardev",
        ("socket,id=console,path=console.sock,server=on,wait=off,logfile=console.log,logappend=on"),
        *("-serial", "chardev:console"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", "file,id=status,path=status.jsonl,append=on"),
        *("-device", "virtserialport,chardev=status,name=ingot.status"),
        *("-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off"),
        *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
        *("-netdev", "user,id=net0"),
        *("-device", "virtio-net-pci,netdev=net0,mac=52:54:00:d4:5e:f8,romfile="),
    ]


def test_metadata_can_be_on_a_cd() -> None:
    words = command(has_metadata=True, metadata_way="cd")
    assert after(words, "-fw_cfg") == []
    assert "scsi-cd,bus=config.0,drive=metadata" in after(words, "-device")
    assert '"filename":"config.iso"' in "".join(after(words, "-blockdev"))


def test_an_arm_is_another_machine_with_uefi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = command(arch="arm64", uefi=True)
    assert words[0] == "qemu-system-aarch64"
    assert after(words, "-machine") == ["virt,pflash0=uefi,pflash1=uefi-vars"]
    assert after(words, "-cpu") == ["max,pauth-impdef=on"]
    assert after(words, "-append") == ["console=ttyS0 quiet panic=-1 console=ttyAMA0"]
    assert "AAVMF_CODE.fd" in after(words, "-blockdev")[0]
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "qemu-system-x86_64").touch(mode=0o755)
    QemuRunner().available()
    with pytest.raises(MissingToolError, match="qemu-system-aarch64 is not installed") as caught:
        QemuRunner().validate(changed(arch="arm64", uefi=True))
    assert caught.value.hint == "install the Debian package qemu-system-arm"


def test_shares_are_served_from_shared_memory() -> None:
    shares = (Share("/srv/a", "one"), Share("/srv/b", "two", read_only=True))
    words = command(shares=shares)
    assert after(words, "-machine") == ["q35,memory-backend=memory"]
    assert "memory-backend-memfd,id=memory,size=256M,share=on" in after(words, "-object")
    assert after(words, "-fw_cfg") == ["name=opt/ingot/shares,string=one two:ro"]
    assert "socket,id=share1,path=share-1.sock" in after(words, "-chardev")
    assert "vhost-user-fs-pci,chardev=share0,tag=one" in after(words, "-device")


def test_kvm_uses_the_host_processor() -> None:
    words = command(accelerator="kvm", cpus=4)
    assert (after(words, "-accel"), after(words, "-cpu")) == (["kvm"], ["host"])
    assert after(words, "-smp") == ["4"]


def test_emulated_processors_get_a_thread_each() -> None:
    assert after(command(cpus=2), "-accel") == ["tcg,thread=multi"]


def test_disks_keep_their_order_serial_and_format() -> None:
    disks = (Disk("/a,b.img", "raw", 1), Disk("/c.qcow2", "qcow2"), Disk("/dev/sdb"))
    words = command(disks=disks)
    assert after(words, "-blockdev") == [
        (
            '{"driver":"raw","node-name":"disk0","discard":"unmap",'
            '"file":{"driver":"file","filename":"/a,b.img","discard":"unmap"}}'
        ),
        (
            '{"driver":"qcow2","node-name":"disk1","discard":"unmap",'
            '"file":{"driver":"file","filename":"/c.qcow2","discard":"unmap"}}'
        ),
        (
            '{"driver":"raw","node-name":"disk2","discard":"unmap",'
            '"file":{"driver":"host_device","filename":"/dev/sdb","discard":"unmap"}}'
        ),
    ]
    assert [word for word in words if word.startswith("virtio-blk-pci")] == [
        f"virtio-blk-pci,drive=disk{index},serial=ingot-{index}" for index in range(3)
    ]


def test_published_ports_become_forwards() -> None:
    ports = (PublishedPort("127.0.0.1", 9000, 80), PublishedPort("0.0.0.0", 53, 53, "udp"))
    assert after(command(ports=ports), "-netdev") == [
        "user,id=net0,hostfwd=tcp:127.0.0.1:9000-:80,hostfwd=udp:0.0.0.0:53-:53"
    ]


def test_a_fixed_address_is_the_first_lease_and_on_the_command_line() -> None:
    words = command(
        address=completed("192.168.65.101", MACHINE.networks),
        ports=(PublishedPort("127.0.0.1", 9000, 80),),
    )
    assert after(words, "-netdev") == [
        (
            "user,id=net0,net=192.168.65.0/24,host=192.168.65.2,dns=192.168.65.3,"
            "dhcpstart=192.168.65.101,hostfwd=tcp:127.0.0.1:9000-192.168.65.101:80"
        )
    ]
    assert after(words, "-append") == [
        (
            "console=ttyS0 quiet panic=-1 no_timer_check"
            " ingot.ip=192.168.65.101/24,192.168.65.2,192.168.65.3"
        )
    ]


def test_an_ipv6_address_is_qemu_s_network_and_on_the_command_line() -> None:
    words = command(
        address=completed("192.168.65.101", MACHINE.networks),
        address6=completed("fd00::5", MACHINE.networks),
    )
    [network] = after(words, "-netdev")
    assert network.endswith(
        "dhcpstart=192.168.65.101,ipv6-net=fd00::/64,ipv6-host=fd00::2,ipv6-dns=fd00::3"
    )
    assert after(words, "-append")[0].split()[-2:] == [
        "ingot.ip=192.168.65.101/24,192.168.65.2,192.168.65.3",
        "ingot.ip=fd00::5/64,fd00::2,fd00::3",
    ]


def test_on_a_tap_an_ipv6_address_stands_alone() -> None:
    networks = parse_networks(["tap=tap0"], "u")
    words = command(networks=networks, address6=completed("fd00::5,gateway=fe80::1", networks))
    assert after(words, "-append")[0].split()[-1] == "ingot.ip=fd00::5/64,fe80::1"
    assert after(words, "-netdev") == ["tap,id=net0,ifname=tap0,script=no,downscript=no"]


def test_for_an_ipv6_port_qemu_chooses_one_of_its_own() -> None:
    ports = (PublishedPort("::1", 9000, 80), PublishedPort("::1", 53, 53, "udp"))
    assert after(command(ports=ports), "-netdev") == [
        "user,id=net0,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=udp:127.0.0.1:0-:53"
    ]


def test_taps_and_bridges_have_no_server_of_their_own() -> None:
    networks = parse_networks(["tap=tap0", "bridge=br0,mac=52:54:00:00:00:01", "user"], "u")
    machine = msgspec.structs.replace(
        MACHINE,
        networks=networks,
        address=completed("10.1.2.3/16", networks),
        ports=(PublishedPort("127.0.0.1", 9000, 80),),
    )
    words = qemu_command.command(machine, taps=[7])
    assert after(words, "-netdev") == [
        "tap,id=net0,ifname=tap0,script=no,downscript=no",
        "tap,id=net1,fd=7",
        "user,id=net2,hostfwd=tcp:127.0.0.1:9000-:80",
    ]
    assert [word for word in words if word.startswith("virtio-net-pci")] == [
        f"virtio-net-pci,netdev=net{index},mac={network.mac},romfile="
        for index, network in enumerate(networks)
    ]
    assert after(words, "-append") == [
        "console=ttyS0 quiet panic=-1 no_timer_check ingot.ip=10.1.2.3/16"
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("10.1.2.3/16,gateway=10.1.0.1", "ingot.ip=10.1.2.3/16,10.1.0.1"),
        ("10.1.2.3/16,dns=9.9.9.9", "ingot.ip=10.1.2.3/16,,9.9.9.9"),
        ("10.1.2.3,gateway=10.1.2.1,dns=9.9.9.9", "ingot.ip=10.1.2.3/24,10.1.2.1,9.9.9.9"),
    ],
)
def test_a_gateway_and_a_name_server_are_passed_on(text: str, word: str) -> None:
    networks = parse_networks(["tap=tap0"], "u")
    words = command(networks=networks, address=completed(text, networks))
    assert after(words, "-append")[0].split()[-1] == word


def test_a_machine_without_a_network_has_no_card() -> None:
    words = command(networks=())
    assert "-netdev" not in words
    assert not any("virtio-net" in word for word in words)


@pytest.mark.parametrize(
    ("path", "image_format", "driver"),
    [("/b/a,b-efi.img", "raw", "raw"), ("/b/store-efi.qcow2", "qcow2", "qcow2")],
)
def test_a_disk_image_comes_after_the_disks_and_is_never_written(
    path: str, image_format: Any, driver: str
) -> None:
    words = command(boot=ImageBoot(Path(path), image_format), disks=(Disk("/data.img"),))
    assert after(words, "-blockdev")[-1] == (
        f'{{"driver":"{driver}","node-name":"boot","read-only":true,'
        f'"file":{{"driver":"file","filename":"{path}","read-only":true}}}}'
    )
    assert words[-1] == "virtio-blk-pci,drive=boot,serial=ingot-boot,bootindex=0"
    assert not {"-kernel", "-initrd", "-append"} & set(words)


def test_the_root_of_a_kernel_comes_after_the_disks_and_is_never_written() -> None:
    boot = msgspec.structs.replace(KERNEL, root=Path("/b/store-squashfs.img"))
    words = command(boot=boot, disks=(Disk("/data.img"),))
    assert after(words, "-blockdev")[-1] == (
        '{"driver":"raw","node-name":"boot","read-only":true,'
        '"file":{"driver":"file","filename":"/b/store-squashfs.img","read-only":true}}'
    )
    assert words[-1] == "virtio-blk-pci,drive=boot,serial=ingot-boot"
    assert "-kernel" in words


def test_a_cd_is_in_a_drive() -> None:
    words = command(boot=ImageBoot(Path("/b/store.iso"), "iso"))
    assert words[-4:] == [
        *("-device", "virtio-scsi-pci,id=scsi"),
        *("-device", "scsi-cd,bus=scsi.0,drive=boot,bootindex=0"),
    ]


def test_uefi_has_a_variable_store_of_the_machine_s_own() -> None:
    words = command(uefi=True, boot=ImageBoot(Path("/b/store.iso"), "iso"))
    assert after(words, "-machine") == ["q35,pflash0=uefi,pflash1=uefi-vars"]
    assert after(words, "-blockdev")[:2] == [
        (
            '{"driver":"file","node-name":"uefi","filename":"/usr/share/OVMF/OVMF_CODE_4M.fd",'
            '"read-only":true}'
        ),
        '{"driver":"file","node-name":"uefi-vars","filename":"uefi-vars.fd"}',
    ]
    assert "-kernel" in command(uefi=True)


def test_metadata_comes_by_a_file() -> None:
    assert after(command(has_metadata=True), "-fw_cfg") == ["name=opt/ingot/data,file=metadata"]


def test_uefi_needs_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    absent = qemu_boards.PC._replace(firmware=tmp_path / "absent.fd")
    monkeypatch.setitem(qemu_boards.BOARDS, "amd64", absent)
    QemuRunner().validate(MACHINE)
    with pytest.raises(MissingToolError) as caught:
        QemuRunner().validate(changed(uefi=True))
    assert caught.value.hint == "install the Debian package ovmf"


def test_an_address_that_cannot_reach_the_guest_is_refused() -> None:
    tap = parse_networks(["tap=tap0"], "u")
    address = parse_address("10.1.2.3")
    image = ImageBoot(Path("/b/store.iso"), "iso")
    QemuRunner().validate(changed(address=address, networks=tap))
    QemuRunner().validate(changed(address=address, boot=image))
    QemuRunner().validate(changed(address6=parse_address("fd00::5")))
    reason = r"reaches the guest on its kernel command line"
    with pytest.raises(UsageError, match=reason):
        QemuRunner().validate(changed(address=address, networks=tap, boot=image))
    with pytest.raises(UsageError, match=rf"--ip fd00::5/64 {reason}"):
        QemuRunner().validate(changed(address6=parse_address("fd00::5"), boot=image))


def test_nothing_in_the_command_is_longer_than_a_socket_name_may_be() -> None:
    deep = Path("/" + "long/" * 40)
    names = [word for word in command(directory=deep) if "path=" in word]
    assert len(names) == 4
    assert not any("long" in name for name in names)


def test_other_architectures_are_refused() -> None:
    with pytest.raises(UsageError, match="amd64 and arm64, not riscv64"):
        QemuRunner().validate(msgspec.structs.replace(MACHINE, arch="riscv64"))


def test_a_command_line_the_kernel_would_cut_is_refused() -> None:
    QemuRunner().validate(MACHINE)
    with pytest.raises(UsageError, match="too long"):
        QemuRunner().validate(changed(boot=KernelBoot(Path("/k"), Path("/i"), "x" * 2040)))


def test_a_missing_hypervisor_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        QemuRunner().available()
    assert caught.value.hint == "install the Debian package qemu-system-x86"
