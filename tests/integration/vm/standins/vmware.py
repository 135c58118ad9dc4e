"""A stand-in for vmrun: strict in its grammar and in that of .vmx files, with real processes.

It reads .vmx files as open-vm-tools' dictll.c does, and knows the keys that a runner may write. A
machine that runs is a process whose first word ends in vmware-vmx and whose last is the file.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

FAILED = 255
FLAGS = {"-T": r"ws|fusion|player", "-vp": ".+", "-gu": ".+", "-gp": ".+"}
COMMANDS = {"start": ("gui", "nogui"), "stop": ("hard", "soft"), "reset": ("hard", "soft")}
BOOLEAN = r"TRUE|FALSE"
# Guests that each version of the virtual hardware brought.
GUESTS = {"other3xlinux-64": 11, "other4xlinux-64": 14, "other5xlinux-64": 18}
KEYS = {
    r"\.encoding": r"UTF-8",
    r"config\.version": r"8",
    r"virtualHW\.version": r"\d+",
    r"displayName": r".+",
    r"guestOS": r".+",
    r"firmware": r"bios|efi",
    r"uuid\.bios": r"[0-9a-f]{2}( [0-9a-f]{2}){7}-[0-9a-f]{2}( [0-9a-f]{2}){7}",
    r"uuid\.action": r"keep|create",
    r"msg\.autoAnswer": BOOLEAN,
    r"numvcpus": r"\d+",
    r"memsize": r"\d+",
    r"floppy0\.present": BOOLEAN,
    r"pciBridge[0-7]\.present": BOOLEAN,
    r"pciBridge[0-7]\.virtualDev": r"pcieRootPort",
    r"pciBridge[0-7]\.functions": r"8",
    r"serial0\.present": BOOLEAN,
    r"serial0\.fileType": r"file|pipe|device",
    r"serial0\.fileName": r".+",
    r"scsi0\.present": BOOLEAN,
    r"scsi0\.virtualDev": r"buslogic|lsilogic|lsisas1068|pvscsi",
    # The controller itself is the seventh unit.
    r"scsi0:([0-689]|1[0-5])\.present": BOOLEAN,
    r"scsi0:([0-689]|1[0-5])\.fileName": r".+",
    r"scsi0:([0-689]|1[0-5])\.mode": r"persistent|independent-(non)?persistent",
    r"sata0\.present": BOOLEAN,
    r"sata0:\d+\.present": BOOLEAN,
    r"sata0:\d+\.fileName": r".+",
    r"sata0:\d+\.deviceType": r"cdrom-image|cdrom-raw|disk",
    r"bios\.bootOrder": r"cdrom|hdd|ethernet0",
    r"bios\.hddOrder": r"scsi0:\d+",
    r"ethernet\d\.present": BOOLEAN,
    r"ethernet\d\.virtualDev": r"e1000|e1000e|vmxnet3",
    r"ethernet\d\.connectionType": r"bridged|hostonly|nat|custom",
    r"ethernet\d\.vnet": r".+",
    r"ethernet\d\.addressType": r"generated|static",
    r"ethernet\d\.address": r"[0-9a-f]{2}(:[0-9a-f]{2}){5}",
    r"ethernet\d\.checkMACAddress": BOOLEAN,
}
LINE = re.compile(r'[ \t]*([^ \t=#]+)[ \t]*=[ \t]*"([^"]*)"[ \t]*(#.*)?')
MACHINE = """
serial=$1
trap 'echo "powering off" >> "$serial"; exit' USR1
trap exit TERM
echo "the guest is up" >> "$serial"
while :; do sleep 0.05; done
"""


class RefusedError(Exception):
    pass


def parse(words: list[str]) -> list[str]:
    """Return the command and its parameters; refuse what vmrun's usage does not list."""
    left = list(words)
    while left and left[0].startswith("-"):
        flag, value, *left = left
        if flag not in FLAGS or not re.fullmatch(FLAGS[flag], value):
            raise RefusedError(f"Unrecognized flag: {flag} {value}")
    if left == ["list"]:
        return left
    if len(left) != 3 or left[0] not in COMMANDS or left[2] not in COMMANDS[left[0]]:
        raise RefusedError(f"Unrecognized command: {left}")
    return left


def read_vmx(text: str) -> dict[str, str]:
    """Return the settings of a .vmx file; refuse those that VMware does not know."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        read = LINE.fullmatch(line)
        if read is None:
            raise RefusedError(f"Cannot read the configuration line: {line}")
        key, escaped = read[1], read[2]
        value = re.sub(r"\|([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), escaped)
        pattern = next((KEYS[name] for name in KEYS if re.fullmatch(name, key)), None)
        if pattern is None or key in settings or not re.fullmatch(pattern, value):
            raise RefusedError(f"Invalid configuration: {line}")
        settings[key] = value
    version = int(settings["virtualHW.version"])
    if GUESTS.get(settings["guestOS"], sys.maxsize) > version:
        raise RefusedError(f"The guest {settings['guestOS']} is not known to hardware {version}")
    for key, value in settings.items():
        card, _, name = key.partition(".")
        own = value.startswith("00:50:56")
        if name == "address" and not own and settings.get(f"{card}.checkMACAddress") != "FALSE":
            raise RefusedError(f"{value} is not an allowed static Ethernet address")
    return settings


def running() -> dict[str, int]:
    """Return the machines that run, by their .vmx files."""
    machines = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().rstrip("\0").split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if words[0].endswith("/vmware-vmx"):
            machines[words[-1]] = int(entry.name)
    return machines


def start(path: Path) -> None:
    if str(path) in running():
        raise RefusedError(f"The virtual machine is already running: {path}")
    settings = read_vmx(path.read_text())
    for key, value in settings.items():
        # The serial port's file is made; any other is there.
        file = path.parent / value
        if not key.endswith(".fileName") or key.startswith("serial"):
            continue
        if not file.is_file():
            raise RefusedError(f"Cannot find the file {file}")
        if file.suffix == ".vmdk":
            extent = re.search(r'^RW (\d+) FLAT "(.+)" 0$', file.read_text(), re.MULTILINE)
            if extent is None or Path(extent[2]).stat().st_size != int(extent[1]) * 512:
                raise RefusedError(f"Cannot open the disk {file}")
    shell = ["bash", "-c", 'exec -a /usr/lib/vmware/bin/vmware-vmx bash -c "$0" "$@"', MACHINE]
    serial = path.parent / settings["serial0.fileName"]
    subprocess.Popen(
        [*shell, "vmware-vmx", str(serial), str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(path: Path, how: str) -> None:
    pid = running().get(str(path))
    if pid is None:
        raise RefusedError(f"The virtual machine is not powered on: {path}")
    if how == "soft" and "VMWARE_NO_TOOLS" in os.environ:
        raise RefusedError(f"The VMware Tools are not running in the virtual machine: {path}")
    os.kill(pid, signal.SIGUSR1 if how == "soft" else signal.SIGTERM)
    while Path(f"/proc/{pid}/cmdline").exists() and str(path) in running():
        time.sleep(0.02)


def main() -> int:
    try:
        command, *rest = parse(sys.argv[1:])
        if command == "list":
            machines = running()
            print("\n".join([f"Total running VMs: {len(machines)}", *machines]))
        elif command == "start":
            start(Path(rest[0]))
        else:
            stop(Path(rest[0]), rest[1])
    except RefusedError as error:
        print(f"Error: {error}")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
