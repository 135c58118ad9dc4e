"""A stand-in for VirtualBox's two programs: strict in its grammar, and with the states of machines.

It knows the verbs that a runner may use, with the options, values and messages that the VirtualBox
7.0 manual and VBoxManage's sources give them, and refuses everything else. A machine that runs is a
process that writes to its serial port's file. What it keeps is in VBOX_USER_HOME.
"""

import fcntl
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNLOCK_S = 0.5
"""How long a machine stays locked after its process has ended."""

NOT_FOUND = "VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)"
INVALID_STATE = "VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)"
INVALID_ARGUMENT = "E_INVALIDARG (0x80070057)"

ON_OFF = r"on|off"
NUMBER = r"\d+"
ANY = r".+"
PORT = r"\d{1,5}"
DOTTED = r"\d+\.\d+\.\d+\.\d+"
# By verb: its options (N counts cards, serial ports …) and the values that each takes.
CREATE = {
    "--name": [ANY],
    "--basefolder": [r"/.+"],
    "--ostype": [r"Linux_64|Debian_64|Other_64"],
    "--uuid": [r"[0-9a-f-]{36}"],
    "--register": [],
    "--default": [],
}
MODIFY = {
    "--cpus": [NUMBER],
    "--memory": [NUMBER],
    "--firmware": [r"bios|efi|efi32|efi64"],
    "--acpi": [ON_OFF],
    "--ioapic": [ON_OFF],
    "--rtcuseutc": [ON_OFF],
    "--bootN": [r"none|floppy|dvd|disk|net"],
    "--uartN": [r"0x[0-9A-F]+", NUMBER],
    "--uartmodeN": [r"file", r"/.+"],
    "--nicN": [r"none|null|nat|bridged|intnet|hostonly|generic|natnetwork"],
    "--nictypeN": [r"Am79C970A|Am79C973|82540EM|82543GC|82545EM|virtio"],
    "--cableconnectedN": [ON_OFF],
    "--macaddressN": [r"auto|[0-9A-F][02468ACE][0-9A-F]{10}"],
    "--bridgeadapterN": [ANY],
    "--natnetN": [rf"default|{DOTTED}/\d+"],
    "--natpfN": [rf"[^,]*,(tcp|udp),({DOTTED})?,{PORT},({DOTTED})?,{PORT}"],
}
CONTROLLER = {
    "--name": [ANY],
    "--controller": [r"IntelAhci|LSILogic|VirtIO|NVMe"],
    "--add": [r"floppy|ide|pcie|sas|sata|scsi|usb|virtio-scsi|virtio"],
    "--portcount": [NUMBER],
    "--hostiocache": [ON_OFF],
    "--bootable": [ON_OFF],
}
ATTACH = {
    "--storagectl": [ANY],
    "--port": [NUMBER],
    "--device": [NUMBER],
    "--type": [r"dvddrive|hdd|fdd"],
    "--mtype": [r"normal|immutable|readonly|multiattach"],
    "--medium": [ANY],
}
VERBS = {
    "createvm": (0, CREATE),
    "modifyvm": (1, MODIFY),
    "storagectl": (1, CONTROLLER),
    "storageattach": (1, ATTACH),
    "showvminfo": (1, {"--details": [], "--machinereadable": []}),
    "unregistervm": (1, {"--delete": [], "--delete-all": []}),
}
CONTROL = r"poweroff|acpipowerbutton|acpisleepbutton|pause|resume|reset|savestate"
HEADLESS = {"--startvm": [ANY], "--vrde": [r"on|off|config"]}


class RefusedError(Exception):
    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def parse(words: list[str], options: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Return the options with their values; refuse what the manual does not list."""
    parsed = []
    left = list(words)
    while left:
        word = left.pop(0)
        bare = re.sub(r"[1-8]$", "N", word)
        values = options.get(bare, options.get(word))
        if values is None:
            raise RefusedError(f"Unknown option: {word}")
        given, left = left[: len(values)], left[len(values) :]
        for value, pattern in zip(given, values, strict=False):
            if not re.fullmatch(pattern, value):
                raise RefusedError(f"Invalid value for {word}: '{value}'")
        if len(given) < len(values):
            raise RefusedError(f"Missing argument to option: {word}")
        parsed.append((word, given))
    return parsed


def check(words: list[str]) -> None:
    """Refuse a command line that VBoxManage or VBoxHeadless would not read."""
    program, *words = words
    if program == "VBoxHeadless":
        parse(words, HEADLESS)
    elif words[0] == "controlvm":
        if len(words) != 3 or not re.fullmatch(CONTROL, words[2]):
            raise RefusedError(f"Unknown sub-command: {words[2:]}")
    elif words[0] in VERBS:
        names, options = VERBS[words[0]]
        parse(words[1 + names :], options)
    else:
        raise RefusedError(f"Invalid command '{words[0]}'")


@contextmanager
def kept() -> Iterator[dict]:
    """Yield all machines by their UUID; what is changed is kept unless something is refused."""
    path = Path(os.environ["VBOX_USER_HOME"]) / "machines.json"
    with (path.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machines = json.loads(path.read_text()) if path.exists() else {}
        yield machines
        path.write_text(json.dumps(machines))


def found(machines: dict, name: str) -> dict:
    for uuid, machine in machines.items():
        if name in (uuid, machine["name"]):
            return machine
    raise RefusedError(f"Could not find a registered machine with UUID {{{name}}}", NOT_FOUND)


def state(machine: dict) -> str:
    if machine["state"] == "running" and not Path(f"/proc/{machine['pid']}").exists():
        return "aborted"
    return machine["state"]


def require_unlocked(machine: dict) -> None:
    if state(machine) == "running" or time.time() < machine.get("locked_until", 0):
        raise RefusedError(
            f"Cannot unregister the machine '{machine['name']}' while it is locked", INVALID_STATE
        )


def manage(words: list[str]) -> None:
    check(["VBoxManage", *words])
    verb, *rest = words
    with kept() as machines:
        if verb == "createvm":
            create(
                machines,
                {name: values[0] if values else "" for name, values in parse(rest, CREATE)},
            )
            return
        machine = found(machines, rest[0])
        if verb == "modifyvm":
            modify(machine, parse(rest[1:], MODIFY))
        elif verb == "storagectl":
            options = {name: values[0] for name, values in parse(rest[1:], CONTROLLER)}
            machine["controllers"][options["--name"]] = {}
        elif verb == "storageattach":
            attach(machine, {name: values[0] for name, values in parse(rest[1:], ATTACH)})
        elif verb == "showvminfo":
            print(f'name="{machine["name"]}"\nVMState="{state(machine)}"')
        elif verb == "unregistervm":
            require_unlocked(machine)
            del machines[machine["uuid"]]
        else:
            control(machine, rest[1])


def create(machines: dict, options: dict[str, str]) -> None:
    name, uuid = options["--name"], options["--uuid"]
    settings = Path(options["--basefolder"]) / name / f"{name}.vbox"
    taken = [machine["name"] for machine in machines.values()]
    if uuid in machines or name in taken or settings.exists():
        raise RefusedError(
            f"Machine settings file '{settings}' already exists", "VBOX_E_FILE_ERROR"
        )
    settings.parent.mkdir(parents=True)
    settings.write_text("<VirtualBox/>")
    if "--register" not in options:
        raise RefusedError("a machine that is not registered cannot be found again")
    machines[uuid] = {
        "uuid": uuid,
        "name": name,
        "state": "poweroff",
        "controllers": {},
        "rules": [],
        "serial": None,
    }


def modify(machine: dict, options: list[tuple[str, list[str]]]) -> None:
    if state(machine) == "running":
        raise RefusedError(f"The machine '{machine['name']}' is already locked", INVALID_STATE)
    for name, values in options:
        if name == "--uartmode1":
            machine["serial"] = values[1]
        if name.startswith("--natpf"):
            rule, protocol, host, port, *_ = values[0].split(",")
            for other in machine["rules"]:
                if other[0] == rule:
                    raise RefusedError("A NAT rule of this name already exists", INVALID_ARGUMENT)
                if other[1:] == [protocol, host, port]:
                    raise RefusedError(
                        "A NAT rule for this host port and this host IP already exists",
                        INVALID_ARGUMENT,
                    )
            machine["rules"].append([rule, protocol, host, port])


def attach(machine: dict, options: dict[str, str]) -> None:
    name, medium = options["--storagectl"], Path(options["--medium"])
    if name not in machine["controllers"]:
        raise RefusedError(f"Could not find a controller named '{name}'")
    place = f"{options['--port']}.{options['--device']}"
    if place in machine["controllers"][name]:
        raise RefusedError(f"Device is already attached to port {place}", "VBOX_E_OBJECT_IN_USE")
    if not medium.is_file():
        raise RefusedError(f"Could not find file for the medium '{medium}'", "VBOX_E_FILE_ERROR")
    if medium.suffix == ".vmdk":
        extent = re.search(r'^RW (\d+) FLAT "(.+)" 0$', medium.read_text(), re.MULTILINE)
        if extent is None or Path(extent[2]).stat().st_size != int(extent[1]) * 512:
            raise RefusedError(f"Could not open the medium '{medium}'", "VBOX_E_FILE_ERROR")
    machine["controllers"][name][place] = str(medium)


def control(machine: dict, verb: str) -> None:
    if state(machine) != "running":
        raise RefusedError(f"Machine '{machine['name']}' is not currently running")
    os.kill(machine["pid"], signal.SIGUSR1 if verb == "acpipowerbutton" else signal.SIGTERM)


def headless(words: list[str]) -> None:
    check(["VBoxHeadless", *words])
    options = {name: values[0] for name, values in parse(words, HEADLESS)}
    with kept() as machines:
        machine = found(machines, options["--startvm"])
        require_unlocked(machine)
        machine |= {"state": "running", "pid": os.getpid()}
        serial = Path(machine["serial"])
    endings: list[str] = []
    if "VBOX_DEAF" not in os.environ:
        signal.signal(signal.SIGUSR1, lambda *_: endings.append("powering off\n"))
    else:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: endings.append(""))
    with serial.open("a") as console:
        console.write("the guest is up\n")
        console.flush()
        while not endings:
            time.sleep(0.02)
        console.write(endings[0])
    with kept() as machines:
        found(machines, options["--startvm"]).update(
            state="poweroff", locked_until=time.time() + UNLOCK_S
        )


def main() -> int:
    program = Path(sys.argv[0]).name
    try:
        (headless if program == "VBoxHeadless" else manage)(sys.argv[1:])
    except RefusedError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        if error.code:
            print(
                f"{program}: error: Details: code {error.code}, component MachineWrap,"
                " interface IMachine, callee nsISupports",
                file=sys.stderr,
            )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
