from pathlib import Path

import msgspec
import pytest

from ingot.base.errors import DeniedError
from ingot.vm.machine import KernelBoot, Machine
from ingot.vm.runners.libvirt_room import furnish, owner_of
from ingot.vm.state.folders import MachineFolder

# Of libvirt 9.0, shortened.
CAPABILITIES = """
<capabilities><host>
  <secmodel><model>none</model><doi>0</doi></secmodel>
  <secmodel>
    <model>dac</model>
    <doi>0</doi>
    <baselabel type='kvm'>+64055:+106</baselabel>
    <baselabel type='qemu'>+64055:+106</baselabel>
  </secmodel>
</host></capabilities>
"""


def machine(folder: Path) -> Machine:
    boot = KernelBoot(folder / "kernel", folder / "initrd", "quiet")
    directory = folder / "demo"
    directory.mkdir(mode=0o700, exist_ok=True)
    return Machine(
        name="demo",
        uuid="u",
        directory=directory,
        arch="amd64",
        boot=boot,
        uefi=False,
        cpus=1,
        memory_mib=64,
        disks=(),
        ports=(),
        networks=(),
        address=None,
        has_metadata=True,
        accelerator="tcg",
    )


def test_libvirt_says_whom_it_runs_qemu_as() -> None:
    assert owner_of(CAPABILITIES) == (64055, 106)
    assert owner_of("<capabilities/>") is None


def test_the_room_has_what_qemu_opens_by_itself(tmp_path: Path) -> None:
    made = machine(tmp_path)
    MachineFolder(made.directory).metadata_path.write_bytes(b"told")
    for _ in range(2):
        furnish(made, None)
    room = made.directory / "libvirt"
    assert (room / "metadata").read_bytes() == b"told"
    assert (room.stat().st_mode & 0o777, made.directory.stat().st_mode & 0o777) == (0o700, 0o700)
    (room / "agent.sock").touch()
    assert (made.directory / "agent.sock").samefile(room / "agent.sock")
    furnish(msgspec.structs.replace(made, has_metadata=False), None)
    assert not (room / "metadata").exists()


def test_a_folder_on_the_way_that_is_closed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chowned = []
    monkeypatch.setattr("os.chown", lambda path, *ids, follow_symlinks: chowned.append(ids))
    made = msgspec.structs.replace(machine(tmp_path), has_metadata=False)
    closed = tmp_path.parent
    closed.chmod(0o700)
    with pytest.raises(DeniedError, match="QEMU as user 4000000, who may not enter") as caught:
        furnish(made, (4000000, 5))
    assert "chmod o+x " in str(caught.value.hint)
    assert chowned == [(4000000, 5)]
