"""The generated shell scripts: what they say, that a shell parses them, what they do."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ingot.system
from ingot.appliance import scripts
from ingot.appliance.bundle import Bundle, make_bundle
from ingot.appliance.keys.volumes import Volume
from ingot.appliance.machinery import hook_script, volumes_script
from ingot.appliance.spec import Appliance
from ingot.oci.image import Image

MakeImage = Callable[..., Image]
Parse = Callable[[str], Appliance]
SYSTEM = Path(next(iter(ingot.system.__path__)))


@pytest.fixture
def bundle(parse: Parse, make_image: MakeImage) -> Callable[..., Bundle]:
    def make(yaml: str = "", name: str = "web") -> Bundle:
        others = ", ".join(
            f"{{name: {other}, image: component:app}}" for other in ("net", "disk") if other != name
        )
        comma = ", " if yaml else ""
        text = f"services: [{others}, {{name: {name}, image: component:app{comma}{yaml}}}]"
        (settings,) = [s.settings for s in parse(text).services if s.name == name]
        folder = f"containers/services/{name}"
        return make_bundle(name, folder, make_image(), settings, {})

    return make


def parses(script: str) -> None:
    assert script.startswith("#!/bin/busybox sh\n")
    result = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_script_parses(bundle: Callable[..., Bundle]) -> None:
    made = bundle(
        "readonly: false, runtime: {mkdir: [/var/a b]}, depends: [net, disk],"
        ' ready: {command: [sh, -c, "[ -e '
        "/x y"
        ' ]"]}'
    )
    parses(scripts.step_script(made, "onboot-000-web"))
    parses(scripts.run_script(made))
    parses(scripts.finish_script(made))
    parses(scripts.log_script(made))


def test_scripts_for_the_machine_s_part_parse(bundle: Callable[..., Bundle]) -> None:
    made = bundle(
        "readonly: false, runtime: {mkdir: [relative, '/a b'], cgroups: [x/y], interfaces:"
        " [{name: eth1}, {name: in, peer: out}, {name: d0, add: dummy}, {name: wg0, add: wireguard,"
        " createInRoot: true}], bindNS: {net: '/run/net ns/a', mnt: ''}, mounts: [{type: tmpfs,"
        " destination: /run/x, options: [size=1m]}, {type: bind, source: /a, destination: in/side},"
        " {type: overlay, source: overlay, destination: /o, options: [lowerdir=/l, upperdir=/u,"
        " workdir=/w]}]}"
    )
    parses(hook_script(made))
    script = scripts.step_script(made, "onboot-000-web")
    parses(script)
    lines = script.splitlines()
    assert (
        "    mount -t tmpfs -o size=1m tmpfs /run/x && : > /run/ingot/mounted.onboot-000-web.0"
        in lines
    )
    assert "  mkdir -p /containers/services/web/rootfs/in/side &&" in lines
    assert "  mkdir -p /o /u /w &&" in lines
    assert "mkdir -p /relative '/a b' || exit 1" in lines
    assert "mkdir -p /sys/fs/cgroup/x/y || exit 1" in lines
    assert lines[-1].startswith(
        "exec /usr/bin/crun run --config /etc/ingot/hooks/onboot-000-web.json"
    )
    hook = hook_script(made).splitlines()
    assert hook[4:] == [
        'ip link set dev eth1 netns "$pid"',
        "ip link add in type veth",
        "read -r other < /sys/class/net/in/iflink",
        "for card in /sys/class/net/*; do",
        '  read -r index < "$card/ifindex"',
        '  [ "$index" != "$other" ] || ip link set dev "${card##*/}" name out',
        "done",
        'ip link set dev in netns "$pid"',
        'nsenter --net="/proc/$pid/ns/net" ip link add d0 type dummy',
        "ip link add wg0 type wireguard",
        'ip link set dev wg0 netns "$pid"',
        "mkdir -p '/run/net ns'",
        "! mountpoint -q '/run/net ns/a' || umount -l '/run/net ns/a'",
        ": > '/run/net ns/a'",
        "mount -o bind \"/proc/$pid/ns/net\" '/run/net ns/a'",
    ]
    parses(volumes_script([Volume("a", readonly=True), Volume("b")]))


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for path in SYSTEM.glob("*/*")
        if not path.suffix and path.name not in {"fstab", "inittab"}
    ),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_every_script_of_the_system_parses(path: Path) -> None:
    subprocess.run(["sh", "-n", path], check=True)


def test_a_service_waits_prepares_watches_and_becomes_its_program(
    bundle: Callable[..., Bundle],
) -> None:
    made = bundle("depends: [net, disk], ready: {port: 8080, timeout: 5s}")
    assert scripts.run_script(made).splitlines()[2:] == [
        "exec 2>&1",
        ". /usr/lib/ingot/service",
        "back_off web",
        "after net disk",
        "watch_beside web 5 listening 1F90",
        "exec /usr/bin/crun run --bundle /containers/services/web web",
    ]


def test_a_writable_root_is_an_overlay_made_once(bundle: Callable[..., Bundle]) -> None:
    folder = "/containers/services/web"
    layers = f"lowerdir={folder}/lower,upperdir={folder}/tmp/upper,workdir={folder}/tmp/work"
    assert scripts.step_script(bundle("readonly: false"), "x").splitlines()[2:] == [
        f"[ -e {folder}/tmp/upper ] || {{",
        f"  mount -t tmpfs tmpfs {folder}/tmp && mkdir {folder}/tmp/upper {folder}/tmp/work &&",
        f"    mount -t overlay -o {layers} overlay {folder}/rootfs",
        "} || exit 1",
        f"exec /usr/bin/crun run --bundle {folder} x",
    ]


@pytest.mark.parametrize(
    ("ready", "check"),
    [
        ("", "running /services/web"),
        ("cgroupsPath: /own", "running /own"),
        ("ready: {port: 80}", "listening 0050"),
        ("ready: {file: /run/a b}", "[ -e '/run/a b' ]"),
        ("ready: {url: 'http://127.0.0.1:9000/live?a=b&c'}",
         "answers 2328 'http://127.0.0.1:9000/live?a=b&c'"),
        ("ready: {url: 'http://127.0.0.1/'}", "answers 0050 http://127.0.0.1/"),
        ("ready: {command: [test, -e, a b]}",
         "timeout 5 /usr/bin/crun exec web test -e 'a b'"),
    ],
)  # fmt: skip
def test_readiness_is_one_command(bundle: Callable[..., Bundle], ready: str, check: str) -> None:
    assert f"watch_beside web 60 {check}\n" in scripts.run_script(bundle(ready))


@pytest.mark.parametrize("restart", ["always", "on-failure", "never"])
def test_the_end_of_a_service_knows_its_policy(bundle: Callable[..., Bundle], restart: str) -> None:
    made = bundle(f"restart: {restart}")
    assert scripts.finish_script(made).endswith(f'ended web "$1" {restart}\n')


def test_services_stop_in_reverse_order(bundle: Callable[..., Bundle]) -> None:
    services = [bundle("", "net"), bundle("stop-timeout: 1m", "web")]
    assert scripts.stop_order(services) == "web 60\nnet 10\n"


def test_only_what_nothing_depends_on_is_announced(bundle: Callable[..., Bundle]) -> None:
    services = [bundle("", "net"), bundle("", "disk"), bundle("depends: [net]", "web")]
    assert scripts.announced(services) == "disk\nweb\n"


# What the functions of the init component do, in the shell of this machine.


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], str]:
    """Run shell commands with the library's functions, their state below tmp_path."""
    state = tmp_path / "state"
    for folder in ("ready", "failures"):
        (state / folder).mkdir(parents=True)
    library = (SYSTEM / "init/library").read_text()
    service = (SYSTEM / "init/service").read_text().replace(". /usr/lib/ingot/library", "")
    rewritten = (
        (library + service)
        .replace("/run/ingot", str(state))
        .replace("/dev/virtio-ports/ingot.status", str(tmp_path / "port"))
        .replace("/dev/console", str(tmp_path / "console"))
        .replace("/etc/ingot/stop-order", str(tmp_path / "stop-order"))
        .replace("/usr/lib/ingot/page", "true")
        .replace("/usr/bin/sv", f"echo sv >> {tmp_path}/sv; true")
        .replace("/usr/bin/crun", "true")
        .replace("/var/log", str(tmp_path))
        .replace("/proc/cmdline", str(tmp_path / "cmdline"))
    )
    (tmp_path / "library").write_text(rewritten)
    (tmp_path / "port").touch()
    (tmp_path / "console").touch()

    def run(script: str) -> str:
        return subprocess.run(
            ["sh", "-c", f". {tmp_path}/library\n{script}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout

    return run


def test_reasons_become_json_strings(shell: Callable[[str], str]) -> None:
    script = """quote 'a "b" \\c
    d\te\x01'"""
    assert shell(script) == '''"a 'b' /c     d e"'''


def test_parameters_come_from_the_command_line(shell: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "cmdline").write_text("quiet ingot.ip=10.0.0.1/8,10.0.0.2 panic=-1\n")
    assert shell("parameter ingot.ip; parameter ingot.none || echo none") == (
        "10.0.0.1/8,10.0.0.2\nnone\n"
    )


@pytest.mark.parametrize(
    ("failures", "slept"), [(0, ""), (1, "1"), (2, "2"), (3, "4"), (5, "16"), (9, "30")]
)
def test_quick_deaths_are_answered_with_longer_waits(
    shell: Callable[[str], str], tmp_path: Path, failures: int, slept: str
) -> None:
    (tmp_path / "state/failures/web").write_text(f"{failures}\n")
    assert shell("sleep() { echo $1; }\nback_off web").strip() == slept


def test_nothing_starts_while_the_machine_stops(
    shell: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "state/stopping").mkdir()
    assert shell("back_off web; echo started") == ""


def test_the_last_ready_service_makes_the_machine_ready(
    shell: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "stop-order").write_text("web 10\nnet 10\n")
    # The port is a device: each line replaces what a file would keep.
    said = []
    for name in ("net", "web"):
        shell(f"watch {name} 60 true")
        said.append((tmp_path / "port").read_text())
    net, machine = (json.loads(line) for line in said)
    assert 0 < net.pop("at") <= machine.pop("at")
    assert net == {"event": "service", "name": "net", "state": "ready"}
    assert machine == {"event": "ready"}


def test_a_late_service_is_named_and_still_waited_for(
    shell: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "stop-order").write_text("web 10\nother 10\n")
    # The clock jumps ahead with every look at it; the check holds at the fifth try.
    shell(
        "uptime_s() { read -r now < clock; now=$((now + 50)); echo $now > clock; echo $now; }\n"
        f"cd {tmp_path}; echo 0 > clock; : > tries\n"
        "check() { echo >> tries; [ $(wc -l < tries) -ge 5 ]; }\nwatch web 60 check"
    )
    assert "web is not ready yet; its check: check" in (tmp_path / "console").read_text()
    assert (tmp_path / "state/ready/web").exists()


@pytest.mark.parametrize(
    ("code", "policy", "stays_down"),
    [(1, "always", False), (0, "always", False), (1, "on-failure", False), (1, "never", True)],
)
def test_the_policy_decides_whether_a_service_starts_again(
    shell: Callable[[str], str], tmp_path: Path, code: int, policy: str, stays_down: bool
) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/current").write_text("2026-01-01_00:00:00 last words\n")
    (tmp_path / "state/ready/web").touch()
    shell(
        "uptime_s > $STATE/failures/web.started; echo 999999 > $STATE/web.watch\n"
        f"ended web {code} {policy}"
    )
    assert (tmp_path / "sv").exists() is stays_down
    assert not (tmp_path / "state/ready/web").exists()
    assert (tmp_path / "state/failures/web").read_text() == "1\n"
    assert (tmp_path / "console").read_text().endswith("  last words\n")


@pytest.mark.parametrize("policy", ["on-failure", "never"])
def test_a_job_that_is_done_is_ready_and_stays_down(
    shell: Callable[[str], str], tmp_path: Path, policy: str
) -> None:
    (tmp_path / "stop-order").write_text("other 10\njob 10\n")
    shell(
        "uptime_s > $STATE/failures/job.started; echo 999999 > $STATE/job.watch\n"
        f"ended job 0 {policy}"
    )
    assert (tmp_path / "sv").exists()
    assert (tmp_path / "state/ready/job").exists()
    event = json.loads((tmp_path / "port").read_text())
    assert event == {"event": "service", "name": "job", "state": "ready", "at": event["at"]}
    assert (tmp_path / "console").read_text() == ""


def test_a_long_life_forgets_earlier_deaths(shell: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "state/failures/web").write_text("5\n")
    (tmp_path / "state/failures/web.started").write_text("0\n")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/current").write_text("")
    shell("uptime_s() { echo 61; }\nended web 1 always")
    assert (tmp_path / "state/failures/web").read_text() == "1\n"


def test_listening_ports_are_found_in_the_kernel_s_tables(shell: Callable[[str], str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert shell(f"listening {port:04X} && echo yes") == "yes\n"
    assert shell(f"listening {port:04X} || echo no") == "no\n"
