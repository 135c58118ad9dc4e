"""What component:dhcp asks for, and what it does with answers: its scripts with other clients."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ingot.system

FOLDER = Path(next(iter(ingot.system.__path__))) / "dhcp"
PLACES = ("proc/net", "run/network", "run/resolvconf", "run/dhcpcd", "usr/lib/ingot", "usr/sbin")
PROGRAMS = {
    # The clients say what they are asked, and end when the test has seen enough.
    "udhcpc": 'echo "udhcpc $*"; exec sleep 60',
    "usr/sbin/dhcpcd": 'echo "dhcpcd $*"; cat "$4"; : > {0}/told; exec sleep 60',
    "ip": "cat {0}/addresses 2> /dev/null; exit 0",
    "hostname": "echo box",
}

Run = Callable[..., str]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The machine's places below a folder, with the scripts in theirs."""
    for place in PLACES:
        (tmp_path / place).mkdir(parents=True)
    for script in FOLDER.iterdir():
        text = re.sub(r"(?<![\w}/])/(proc|run|usr)/", rf"{tmp_path}/\1/", script.read_text())
        (tmp_path / "usr/lib/ingot" / script.name).write_text(
            re.sub("^#!.*", "#!/bin/bash", text) if text.startswith("#!") else text
        )
        (tmp_path / "usr/lib/ingot" / script.name).chmod(0o755)
    for name, line in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line.format(tmp_path)}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "proc/net/if_inet6").touch()
    return tmp_path


@pytest.fixture
def asked(machine: Path) -> Callable[[str], list[str]]:
    """Start the service with a plan; returns what its clients were asked, and their settings."""

    def start(plan: str) -> list[str]:
        (machine / "run/network/plan").write_text(plan)
        (machine / "run/network/address").write_text("10.0.0.2\n")
        environment = {"PATH": f"{machine}:{os.environ['PATH']}"}
        command = ["timeout", "-k", "5", "0.7", machine / "usr/lib/ingot/dhcp"]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=20
        )
        return sorted(result.stdout.splitlines())

    return start


def cards(said: list[str]) -> tuple[list[str], list[str]]:
    """Return the cards that ask for IPv4, and those of the client for IPv6."""
    four = [line.split(" -i ")[1].split()[0] for line in said if line.startswith("udhcpc")]
    six = [line.split()[5:] for line in said if line.startswith("dhcpcd")]
    return four, sorted(six[0]) if six else []


@pytest.mark.parametrize(
    ("plan", "four", "six"),
    [
        ("", ["eth0"], ["eth0"]),
        ("dns 10.0.0.1\n", ["eth0"], ["eth0"]),
        (
            "up - eth0\naddress 10.0.0.2/8 eth0\nup - eth1\ndhcp - eth1\n",
            ["eth1"],
            ["eth0", "eth1"],
        ),
        ("up - eth0\nipv6 manual eth0\ndhcp - eth0\n", ["eth0"], []),
        ("up - eth0\nipv6 manual eth0\ndhcp6 - eth0\n", [], ["eth0"]),
        ("up - eth0\ndhcp6 off eth0\n", [], ["eth0"]),
        ("up - eth0\nipv6 off eth0\naddress 10.0.0.2/8 eth0\n", [], []),
    ],
)
def test_the_plan_says_who_asks(
    asked: Callable[[str], list[str]], plan: str, four: list[str], six: list[str]
) -> None:
    assert cards(asked(plan)) == (four, six)


def test_a_kernel_without_ipv6_asks_for_ipv4_alone(
    asked: Callable[[str], list[str]], machine: Path
) -> None:
    (machine / "proc/net/if_inet6").unlink()
    assert cards(asked("")) == (["eth0"], [])


def test_only_cards_that_are_told_ask_without_a_router(
    asked: Callable[[str], list[str]], machine: Path
) -> None:
    plan = "up - eth0\nup - eth1\ndhcp6 - eth1\nipv6 manual eth1\nup - eth2\ndhcp6 off eth2\n"
    asked(plan)
    settings = (machine / "run/dhcpcd/settings").read_text()
    of_cards = {
        part.split("\n")[0]: part.split("\n")[1:-1] for part in settings.split("interface ")[1:]
    }
    assert of_cards == {"eth0": ["nodhcp6"], "eth1": ["noipv6rs", "ia_na"], "eth2": ["nodhcp6"]}
    assert "env ipv4=\n" in settings
    (machine / "run/dhcpcd/asked.eth0").touch()
    asked(plan)
    assert "interface eth0\ninterface eth1" in (machine / "run/dhcpcd/settings").read_text()


@pytest.fixture
def told(machine: Path) -> Run:
    """Tell the machine what dhcpcd learned; returns its name servers and search domains."""

    def tell(**learned: str) -> str:
        client = subprocess.Popen(["sleep", "60"])
        try:
            environment = {"PATH": f"{machine}:{os.environ['PATH']}", "interface": "eth0"}
            script = machine / "usr/lib/ingot/lease6"
            subprocess.run(
                [script],
                env=environment | learned | {"pid": str(client.pid)},
                check=True,
                timeout=20,
            )
            if (machine / "run/dhcpcd/again").exists():
                assert client.wait(timeout=10) == -15
        finally:
            client.kill()
            client.wait()
        return (machine / "run/resolvconf/resolv.conf").read_text()

    (machine / "run/network/plan").touch()
    return tell


ROUTER = {
    "reason": "ROUTERADVERT",
    "ipv4": "eth0",
    "nd1_rdnss1_servers": "fd77::53 fd77::54",
    "nd1_dnssl1_search": "example.org",
}
SERVER = {
    "reason": "BOUND6",
    "ipv4": "",
    "new_dhcp6_name_servers": "fd77::54 fd77::55",
    "new_dhcp6_domain_search": "example.org",
    "new_dhcp6_sntp_servers": "fd77::124",
    "new_dhcp6_ntp_server_addr": "fd77::123",
}


def test_servers_of_routers_and_leases_are_used_once_each(told: Run, machine: Path) -> None:
    (machine / "run/network/resolv.conf.eth0").write_text("nameserver 10.0.0.1\n")
    by_router = (
        "nameserver 10.0.0.1\nsearch example.org\nnameserver fd77::53\nnameserver fd77::54\n"
    )
    assert told(**ROUTER) == by_router
    (machine / "addresses").write_text("2: eth0    inet6 fd77::9/128 scope global dynamic\n")
    all_of_them = told(**SERVER)
    assert sorted(all_of_them.splitlines()) == sorted(
        f"{by_router}nameserver fd77::55\n".splitlines()
    )
    assert (machine / "run/network/ntp.eth0.dhcp6").read_text() == "fd77::123 fd77::124\n"
    assert told(reason="EXPIRE6", ipv4="") == by_router


def test_fixed_name_servers_win(told: Run, machine: Path) -> None:
    (machine / "run/network/resolv.conf").write_text("nameserver 9.9.9.9\n")
    assert told(**ROUTER) == "nameserver 9.9.9.9\n"


@pytest.mark.parametrize(
    ("flags", "plan", "again"),
    [
        ("", "", False),
        ("M", "", True),
        ("O", "", True),
        ("MO", "up - eth0\ndhcp6 off eth0\n", False),
    ],
)
def test_a_router_s_flags_let_the_client_ask(
    told: Run, machine: Path, flags: str, plan: str, again: bool
) -> None:
    (machine / "run/network/plan").write_text(plan)
    told(**ROUTER, nd1_flags=flags)
    assert (machine / "run/dhcpcd/again").exists() == again
    assert (machine / "run/dhcpcd/asked.eth0").exists() == again


def test_an_ipv6_address_is_the_machine_s_where_nobody_asks_for_ipv4(
    told: Run, machine: Path
) -> None:
    address = machine / "run/network/address"
    (machine / "addresses").write_text("2: eth0    inet6 fd77::9/64 scope global tentative\n")
    told(**ROUTER)
    assert not address.exists()
    (machine / "addresses").write_text("2: eth0    inet6 fd77::9/64 scope global dynamic\n")
    told(**SERVER)
    for _ in range(100):
        if address.exists() and address.read_text():
            break
        subprocess.run(["sleep", "0.05"], check=True)
    assert address.read_text() == "fd77::9\n"


def test_no_dhcp_server_and_an_ipv6_address_will_do(machine: Path) -> None:
    def fail() -> str:
        environment = {"PATH": f"{machine}:{os.environ['PATH']}", "interface": "eth0"}
        command = [machine / "usr/lib/ingot/lease", "leasefail"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=20
        ).stdout

    assert fail() == ""
    (machine / "addresses").write_text("2: eth0    inet6 fd77::9/64 scope global dynamic\n")
    assert fail() == "eth0: no DHCP server answers; the machine goes on with fd77::9\n"
    assert fail() == ""
