"""The choice of an accelerator; the probe runs a program that stands in for QEMU's process."""

from pathlib import Path

import pytest

from ingot.vm.runners import accel
from ingot.vm.runners.accel import Choice, Host, choose

CAPABLE = "processor : 0\nflags\t\t: fpu vme {} sse2\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "cpuinfo").write_text(CAPABLE.format("vmx"))
    (tmp_path / "kvm").touch()
    return Host(
        cpuinfo=tmp_path / "cpuinfo",
        device=tmp_path / "kvm",
        boot_id="boot-1",
        program=str(tmp_path / "qemu"),
        cache=tmp_path / "cache" / "kvm-probe.json",
        kernel=tmp_path / "vmlinuz",
    )


def install(host: Host, script: str) -> Path:
    """Put a program in QEMU's place; it finds the serial log's path in $serial."""
    program = Path(host.program)
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {host.program}.calls\n'
        "for word; do case $word in file,*) serial=${word##*path=};; esac; done\n" + script
    )
    program.chmod(0o755)
    return Path(f"{host.program}.calls")


KERNEL = Path("/boot/kernel")
FALSE = "echo SeaBIOS > $serial; exec sleep 60"
TRUE = "echo '[    0.000000] Linux version 6.1' > $serial; exec sleep 60"


def test_what_the_user_insists_on_is_taken_without_a_probe(host: Host) -> None:
    calls = install(host, TRUE)
    assert choose("tcg", KERNEL, host) == Choice("tcg", "as asked")
    assert choose("kvm", KERNEL, host) == Choice("kvm", "as asked")
    host.cpuinfo.write_text(CAPABLE.format("sse"))
    assert choose("kvm", KERNEL, host) == Choice(
        "kvm", "as asked, though the CPU shows neither vmx nor svm"
    )
    assert not calls.exists()


@pytest.mark.parametrize("flag", ["sse", "vmxnet", "avmx"])
def test_a_processor_without_virtualisation_is_emulated_whatever_the_device_says(
    host: Host, flag: str
) -> None:
    calls = install(host, TRUE)
    host.cpuinfo.write_text(CAPABLE.format(flag) + "model name : vmx svm\n")
    assert choose("auto", KERNEL, host) == Choice("tcg", "the CPU shows neither vmx nor svm")
    host.cpuinfo.unlink()
    assert choose("auto", KERNEL, host).accelerator == "tcg"
    assert not calls.exists()


def test_a_missing_device_is_named(host: Host) -> None:
    host.device.unlink()
    choice = choose("auto", KERNEL, host)
    assert choice.accelerator == "tcg"
    assert str(host.device) in choice.reason


@pytest.mark.parametrize("flag", ["vmx", "svm"])
def test_kvm_is_taken_when_a_kernel_speaks_under_it(host: Host, flag: str) -> None:
    host.cpuinfo.write_text(CAPABLE.format(flag))
    calls = install(host, TRUE)
    assert choose("auto", KERNEL, host) == Choice("kvm", "a probe boot under KVM worked")
    words = calls.read_text().split()
    assert words[words.index("-accel") + 1] == "kvm"
    assert words[words.index("-kernel") + 1] == "/boot/kernel"


def test_an_image_is_probed_for_with_the_host_s_kernel(host: Host) -> None:
    calls = install(host, TRUE)
    choice = choose("auto", None, host)
    assert choice == Choice(
        "tcg", f"{host.kernel} cannot be read, which would be booted to probe KVM"
    )
    assert not calls.exists()
    host.kernel.touch()
    assert choose("auto", None, host).accelerator == "kvm"
    assert f"-kernel {host.kernel}" in calls.read_text()


def test_a_kvm_that_freezes_the_kernel_is_not_taken(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "PROBE_TIMEOUT_S", 0.5)
    install(host, FALSE)
    choice = choose("auto", KERNEL, host)
    assert choice.accelerator == "tcg"
    assert "said nothing within 0.5 s" in choice.reason


def test_a_qemu_that_ends_at_once_is_not_waited_for(host: Host) -> None:
    install(host, "exit 1")
    assert choose("auto", KERNEL, host).accelerator == "tcg"


def test_the_probe_is_made_once_a_boot_of_the_host(host: Host) -> None:
    calls = install(host, TRUE)
    first = choose("auto", KERNEL, host)
    assert choose("auto", KERNEL, host) == first
    assert len(calls.read_text().splitlines()) == 1
    choose("auto", KERNEL, host._replace(boot_id="boot-2"))
    assert len(calls.read_text().splitlines()) == 2
    host.cache.write_text("not JSON")
    choose("auto", KERNEL, host)
    assert len(calls.read_text().splitlines()) == 3
