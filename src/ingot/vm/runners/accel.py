"""Whether this host's KVM truly works, found out by a short boot, and the choice that follows.

A host can offer a `/dev/kvm` that starts without an error and then freezes every Linux guest in
its first 64-bit instruction (nested para-virtualisation does), so that the device file and QEMU's
own `kvm:tcg` fall-back prove nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import UsageError
from ingot.vm.machine import Accelerator, AcceleratorChoice

PROBE_TIMEOUT_S = 8.0
_POLL_S = 0.02
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_FLAGS = re.compile(r"^flags\s*:.*\b(vmx|svm)\b", re.MULTILINE)
_MARKER = b"Linux version"
_INCAPABLE = "the CPU shows neither vmx nor svm"


class Choice(NamedTuple):
    """An accelerator and, for people, why it is this one."""

    accelerator: Accelerator
    reason: str


class Host(NamedTuple):
    """Where the facts about this host are read; tests put other files here.

    Attributes:
        program: the QEMU whose KVM is probed.
        cache: where the result is kept until the host boots again.
        kernel: the host's own kernel, for a probe when the machine boots from an image.
    """

    cpuinfo: Path
    device: Path
    boot_id: str
    program: str
    cache: Path
    kernel: Path


class _Probe(msgspec.Struct):
    boot_id: str
    works: bool
    reason: str


def choose(requested: AcceleratorChoice, kernel: Path | None, host: Host) -> Choice:
    """Choose how the machine's processor is run.

    Args:
        requested: `auto`, or what the user insists on.
        kernel: a kernel for the probe, which is booted without a root for a moment; None takes
            the host's own.
        host: where to look.
    """
    if requested == "tcg":
        return Choice("tcg", "as asked")
    capable = bool(_FLAGS.search(_text(host.cpuinfo)))
    if requested == "kvm":
        return Choice("kvm", "as asked" if capable else f"as asked, though {_INCAPABLE}")
    if not capable:
        return Choice("tcg", _INCAPABLE)
    if not os.access(host.device, os.R_OK | os.W_OK) or shutil.which(host.program) is None:
        return Choice("tcg", _why_not(host))
    probe = _cached(host)
    if probe is None:
        if kernel is None and not os.access(host.kernel, os.R_OK):
            why = f"{host.kernel} cannot be read, which would be booted to probe KVM"
            return Choice("tcg", why)
        probe = _probe(kernel or host.kernel, host)
        host.cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(host.cache, msgspec.json.encode(probe))
    return Choice("kvm" if probe.works else "tcg", probe.reason)


def foreign(requested: AcceleratorChoice, arch: str) -> Choice | None:
    """Choose for a build that is made for another processor than this host's; None if it is not.

    Raises:
        UsageError: KVM was asked for.
    """
    own = os.uname().machine
    if arch in {own, _DEBIAN_NAMES.get(own)}:
        return None
    if requested == "kvm":
        raise UsageError(f"--accel kvm: the build is for {arch}, and this host is {own}")
    return Choice("tcg", f"the build is for {arch}, and this host is {own}")


def _why_not(host: Host) -> str:
    if os.access(host.device, os.R_OK | os.W_OK):
        return f"{host.program} is not installed"
    return f"{host.device} is missing or not open to this user"


def _cached(host: Host) -> _Probe | None:
    try:
        probe = msgspec.json.decode(host.cache.read_bytes(), type=_Probe)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return probe if probe.boot_id == host.boot_id else None


def _probe(kernel: Path, host: Host) -> _Probe:
    """Boot the kernel under KVM until it says its first line."""
    with tempfile.TemporaryDirectory(prefix="ingot-kvm-") as folder:
        serial = Path(folder) / "serial.log"
        command = [
            host.program,
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256"),
            *("-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"),
            *("-chardev", f"file,id=serial,path={serial}", "-serial", "chardev:serial"),
        ]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            works = _speaks(process, serial)
        finally:
            process.kill()
            process.wait()
    if works:
        return _Probe(host.boot_id, works=True, reason="a probe boot under KVM worked")
    return _Probe(
        host.boot_id,
        works=False,
        reason=f"{host.device} is there, but a probe boot under KVM said nothing"
        f" within {PROBE_TIMEOUT_S:g} s",
    )


def _speaks(process: subprocess.Popen[bytes], serial: Path) -> bool:
    deadline_s = time.monotonic() + PROBE_TIMEOUT_S
    while time.monotonic() < deadline_s:
        # Asked before reading: what was written before the end is then in the file.
        ended = process.poll() is not None
        if serial.is_file() and _MARKER in serial.read_bytes():
            return True
        if ended:
            return False
        time.sleep(_POLL_S)
    return False


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
