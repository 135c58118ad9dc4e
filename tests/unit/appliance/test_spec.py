"""Appliance files: what is read, and that every mistake is named with its place, all at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingot.appliance.keys.datadisks import DataDisk
from ingot.appliance.keys.network import Card, Network
from ingot.appliance.settings import Actions, IdMapping, Interface, Mount, Ready, Rlimit
from ingot.appliance.spec import Appliance
from ingot.base.document import DocumentError

GOLDEN = Path(__file__).parent / "golden"

Parse = Callable[[str], Appliance]

WHOLE = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet}
init: [component:init, component:agent]
data: {label: DISK, path: /var/lib/app, uid: 7, gid: 8}
network: {address: 10.1.2.3/24, gateway: 10.1.2.1, dns: [10.1.2.1, 9.9.9.9]}
onboot:
  - {name: first, image: component:app, command: [/bin/true], readonly: true}
services:
  - name: web
    image: component:app
    command: [serve, 8080]
    env: [A=1, B=on]
    capabilities: [CAP_NET_BIND_SERVICE]
    capabilities.add: [CAP_CHOWN]
    binds: ["/a:/b", "/c:/d:ro"]
    tmpfs: ["/tmp:mode=1777"]
    mounts: [{type: mqueue}]
    devices: [{path: all, type: b}, {path: /dev/x, type: c, major: 1, minor: 2, mode: 0640}]
    net: new
    pid: host
    hostname: web
    annotations: {a: b}
    sysctl: {net.core.somaxconn: 128}
    uid: web
    gid: 5
    additionalGids: [1, 2]
    noNewPrivileges: true
    oomScoreAdj: -5
    rlimits: ["nofile,10,unlimited"]
    resources:
      memory: {limit: 1048576}
      cpu: {cpus: 0-1}
      blockio: {weight: 10}
      unified: {memory.high: max}
    userns: new
    uidMappings: [{hostID: 1000, containerID: 0, size: 10}]
    gidMappings: [{hostID: 1000, size: 10}]
    runtime:
      mkdir: [/var/x]
      cgroups: [limits/web]
      mounts: [{type: tmpfs, source: tmpfs, destination: cache, options: [size=1m]}]
      interfaces: [{name: eth1}, {name: web0, peer: host0}]
      bindNS: {net: /run/netns/web}
      namespace: mine
    seccomp: default
    restart: on-failure
    depends: [late]
    ready: {port: 8080, timeout: 5s}
    stop-timeout: 1m
    kept: [/run/web]
  - {name: late, image: component:app}
files:
  - {path: /etc/motd, contents: hi, mode: "0644"}
  - {path: etc/link, symlink: motd}
  - {path: etc/folder, directory: true}
  - {path: etc/copy, source: ~/file, optional: true, uid: 3}
"""


def test_every_key_is_read(parse: Parse) -> None:
    appliance = parse(WHOLE)
    assert appliance.kernel is not None
    assert appliance.kernel.cmdline == "console=ttyS0 quiet"
    assert appliance.data == (DataDisk("DISK", "/var/lib/app", (7, 8), logs=True),)
    card = Card("eth0", ("10.1.2.3/24",), ("10.1.2.1",), dhcp=False)
    assert appliance.network == Network((card,), ("10.1.2.1", "9.9.9.9"))
    assert [step.name for step in appliance.onboot] == ["first"]
    web = appliance.services[1].settings
    assert web.command == ("serve", "8080")
    assert web.env == ("A=1", "B=on")
    assert web.rlimits == (Rlimit("NOFILE", 10, None),)
    assert web.ready == Ready(port=8080, timeout_s=5.0)
    assert web.stop_timeout_s == 60.0
    assert web.kept == ("/run/web",)
    assert web.devices is not None
    assert web.devices[1].mode == 0o640
    assert web.sysctl == {"net.core.somaxconn": "128"}
    assert web.resources == {
        "memory": {"limit": 1048576},
        "cpu": {"cpus": "0-1"},
        "blockIO": {"weight": 10},
        "unified": {"memory.high": "max"},
    }
    assert (web.userns, web.uid_mappings) == ("new", (IdMapping(1000, 0, 10),))
    assert web.gid_mappings == (IdMapping(1000, 0, 10),)
    assert web.actions == Actions(
        mkdir=("/var/x",),
        cgroups=("limits/web",),
        mounts=(Mount("cache", "tmpfs", "tmpfs", ("size=1m",)),),
        interfaces=(Interface("eth1"), Interface("web0", "veth", "host0")),
        bind_namespaces={"net": "/run/netns/web"},
        namespace="mine",
    )
    assert [entry.path for entry in appliance.files] == [
        *("etc/motd", "etc/link", "etc/folder", "etc/copy"),
    ]
    assert appliance.files[3].source == Path.home() / "file"


def test_services_start_after_what_they_depend_on_and_else_as_written(parse: Parse) -> None:
    names = "d: [], a: [z], b: [], c: [], z: [d], e: [a]"
    text = "services:\n" + "".join(
        f"  - {{name: {name}, image: component:app, depends: {needs}}}\n"
        for name, _, needs in (part.partition(": ") for part in names.split(", "))
    )
    assert [service.name for service in parse(text).services] == ["d", "b", "c", "z", "a", "e"]


def test_the_logs_are_kept_on_the_first_data_disk_unless_another_says_so(parse: Parse) -> None:
    two = "data: [{{label: A, path: /var/a{}}}, {{label: B, path: /var/b{}}}]"
    assert [disk.logs for disk in parse(two.format("", "")).data] == [True, False]
    second = two.format(", logs: false", ", logs: true")
    assert [disk.logs for disk in parse(second).data] == [False, True]
    assert [disk.logs for disk in parse("data: {logs: false}").data] == [False]


def test_lists_of_signatures_are_read_and_said_to_have_no_effect(parse: Parse) -> None:
    appliance = parse("trust: {org: [linuxkit], image: [a/b]}")
    (warning,) = appliance.warnings
    assert warning.startswith("test.yml:1:8: trust: signatures of linuxkit, a/b are not checked")
    assert parse("trust: {}").warnings == ()


def test_a_key_of_a_disk_is_a_file_in_memory(parse: Parse) -> None:
    (disk,) = parse("data: {key: /run/config/disk-key}").data
    assert disk.key == "/run/config/disk-key"


def test_files_that_the_boot_hides_are_warned_of(parse: Parse) -> None:
    appliance = parse("files: [{path: /var/lib/x, contents: a}, {path: variable, contents: b}]")
    assert appliance.warnings == (
        "files: /var/lib/x will not be there: /var is empty at every boot",
    )


def test_null_counts_as_not_given(parse: Parse) -> None:
    (service,) = parse("services: [{name: a, image: component:b, command: ~, uid: }]").services
    assert service.settings.command is None
    assert service.settings.uid is None


def cases() -> dict[str, tuple[str, list[str]]]:
    """Read the golden file: `== name`, a YAML text, `--`, the lines of the error."""
    found: dict[str, tuple[str, list[str]]] = {}
    for section in (GOLDEN / "mistakes.txt").read_text().split("== ")[1:]:
        name, _, rest = section.partition("\n")
        text, _, expected = rest.partition("--\n")
        found[name] = (text, expected.splitlines())
    return found


MISTAKES = cases()


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_with_their_places(parse: Parse, name: str) -> None:
    text, expected = MISTAKES[name]
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert caught.value.message.splitlines() == expected


def test_too_many_containers_are_refused(parse: Parse) -> None:
    many = "".join(f"- {{name: n{index}, image: component:b}}\n" for index in range(1000))
    with pytest.raises(DocumentError, match="more than 999 containers"):
        parse(f"onboot:\n{many}")
