from pathlib import Path

import msgspec
import pytest

from ingot.base.errors import UsageError
from ingot.vm.machine import Disk, MachineSpec, PublishedPort
from ingot.vm.networks.addresses import parse_address
from ingot.vm.request import Request, apply, machine_name, networks_of

HERE = Path("/machines/store")
PORT = PublishedPort("127.0.0.1", 9000, 9000)
KEPT = MachineSpec(
    name="store",
    uuid="u",
    prefix="/builds/store",
    cpus=2,
    memory_mib=512,
    disks=(Disk("/machines/store/disk-0.img", "raw", 4 << 30),),
    ports=(PORT,),
    address=parse_address("10.0.0.9"),
    accelerator="tcg",
)


def change(
    request: Request, kept: MachineSpec | None = KEPT, build: str | None = None
) -> MachineSpec:
    path = Path(build) if build else None
    return apply(request, kept, build=path, directory=HERE, uuid="new")


def test_a_machine_is_named_after_its_build_unless_told_otherwise() -> None:
    assert machine_name(Request(prefix="out/store")) == "store"
    assert machine_name(Request(prefix="out/store", name="second")) == "second"
    assert machine_name(Request(name="second")) == "second"


def test_neither_build_nor_name_is_an_error() -> None:
    with pytest.raises(UsageError, match="which machine"):
        machine_name(Request())


def test_a_yaml_file_is_no_build() -> None:
    with pytest.raises(UsageError, match="no build yet") as caught:
        machine_name(Request(prefix="store.yml"))
    assert caught.value.hint == "ingot build store.yml && ingot run store"


def test_a_new_machine_takes_what_is_asked_for() -> None:
    request = Request(prefix="store", cpus=3, disks=("size=1G",), ports=(PORT,))
    assert change(request, None, "/b/store") == MachineSpec(
        name="store",
        uuid="new",
        prefix="/b/store",
        cpus=3,
        disks=(Disk("/machines/store/disk-0.img", "raw", 1 << 30),),
        ports=(PORT,),
    )


def test_a_new_machine_needs_a_build() -> None:
    with pytest.raises(UsageError, match="say which build it boots"):
        change(Request(name="store"), None)


def test_running_again_by_name_changes_nothing() -> None:
    assert change(Request(prefix="store")) == KEPT


def test_flags_given_now_replace_only_what_they_name() -> None:
    request = Request(prefix="store", memory_mib=1024, accelerator="kvm")
    spec = change(request, build="/elsewhere/store")
    assert (spec.memory_mib, spec.accelerator, spec.prefix) == (1024, "kvm", "/elsewhere/store")
    assert (spec.cpus, spec.disks, spec.ports, spec.uuid) == (2, KEPT.disks, (PORT,), "u")
    assert spec.address == KEPT.address


def test_reset_forgets_flags_but_keeps_disks_and_identity() -> None:
    spec = change(Request(prefix="store", cpus=1, reset=True))
    assert spec == MachineSpec(
        name="store", uuid="u", prefix="/builds/store", cpus=1, disks=KEPT.disks
    )


def test_networks_given_now_replace_those_kept() -> None:
    kept = msgspec.structs.replace(KEPT, ports=())
    spec = change(Request(prefix="store", networks=("tap=tap0", "user")), kept)
    assert [network.kind for network in networks_of(spec)] == ["tap", "user"]
    assert change(Request(prefix="store"), spec) == spec
    assert change(Request(prefix="store", reset=True), spec).networks is None


def test_a_card_keeps_its_mac_whatever_is_around_it() -> None:
    [alone] = networks_of(KEPT)
    first, second = networks_of(change(Request(prefix="store", networks=("user", "tap=tap0"))))
    assert alone == first
    assert second.mac not in {first.mac, "52:54:00:00:00:00"}


def test_ports_and_addresses_need_a_network_that_has_them() -> None:
    with pytest.raises(UsageError, match="--publish needs a user network"):
        change(Request(prefix="store", networks=("tap=tap0",)))
    kept = msgspec.structs.replace(KEPT, ports=())
    with pytest.raises(UsageError, match=r"10\.0\.0\.9/24: the machine has no network"):
        change(Request(prefix="store", networks=("none",)), kept)


def test_addresses_given_again_replace_those_kept_of_both_kinds() -> None:
    spec = change(Request(name="store", addresses=(parse_address("fd00::5"),)))
    assert (spec.address, spec.address6) == (None, parse_address("fd00::5"))
    again = change(Request(name="store", addresses=(parse_address("10.0.0.8"),)), kept=spec)
    assert (again.address, again.address6) == (parse_address("10.0.0.8"), None)
    assert change(Request(name="store", cpus=3), kept=spec).address6 == parse_address("fd00::5")
