"""The examples that are about data and addresses, each booted and used."""

import json
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(1200)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
BOOT_TIMEOUT_S = 300
TOOLS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
SECRET = "a-secret-that-is-in-no-image"


def build(cli: Cli, name: str, folder: Path) -> Path:
    cli("build", ROOT / f"examples/{name}.yml", "--dir", folder, timeout_s=900)
    return folder / name


def told(folder: Path, **tree: object) -> Path:
    path = folder / "told.json"
    path.write_text(json.dumps(tree))
    return path


def guest(cli: Cli, name: str, script: str) -> str:
    return cli("exec", "--host", name, "/bin/busybox", "sh", "-c", script).stdout


def ended(cli: Cli, name: str) -> None:
    assert json.loads(cli("stop", name, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", name)


def test_an_encrypted_disk_opens_with_its_key_alone(cli: Cli, tmp_path: Path) -> None:
    image, disk = build(cli, "encrypted", tmp_path), tmp_path / "disk.img"
    key = told(tmp_path, **{"disk-key": {"content": f"{SECRET}\n"}})

    def boot(data: Path, disk: str | Path, *, check: bool = True) -> str:
        options = ("--name", "encrypted", "--data-file", data, "--disk", disk, "--wait")
        result = cli("run", image, *options, check=check, timeout_s=BOOT_TIMEOUT_S)
        return result.stdout + result.stderr

    boot(key, f"{disk},size=256M")
    guest(cli, "encrypted", "echo kept-in-the-file > /var/data/kept && sync")
    assert guest(cli, "encrypted", "cat /sys/class/block/dm-0/dm/name") == "crypt-INGOT-DATA\n"
    assert SECRET not in guest(cli, "encrypted", "grep -rs a-secret /etc /proc/cmdline; true")
    ended(cli, "encrypted")
    assert b"kept-in-the-file" not in disk.read_bytes()
    subprocess.run(
        ["cryptsetup", "open", "--test-passphrase", disk], input=SECRET.encode(), check=True,
        env=TOOLS,
    )  # fmt: skip

    # A key that is wrong, and none: the disk stays as it is.
    before = disk.read_bytes()
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"disk-key": {"content": "another"}}))
    assert "the key in /run/config/disk-key does not open /dev/vda" in boot(
        wrong, disk, check=False
    )
    ended(cli, "encrypted")
    assert disk.read_bytes() == before

    boot(key, disk)
    assert guest(cli, "encrypted", "cat /var/data/kept") == "kept-in-the-file\n"
    ended(cli, "encrypted")


@pytest.mark.slow  # Three boots more.
def test_an_encrypted_disk_is_never_replaced_nor_half_made(cli: Cli, tmp_path: Path) -> None:
    image, disk = build(cli, "encrypted", tmp_path), tmp_path / "disk.img"
    key = told(tmp_path, **{"disk-key": {"content": SECRET}})

    def boot(data: Path | None, *, check: bool = True) -> str:
        options = ["--data-file", data] if data else ["--data", "{}"]
        result = cli(
            *("run", image, "--name", "encrypted", "--disk", disk, "--wait", *options),
            check=check,
            timeout_s=BOOT_TIMEOUT_S,
        )
        return result.stdout + result.stderr

    # Somebody's disk of the same label, in the clear: neither used nor formatted.
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "INGOT-DATA", disk], check=True, env=TOOLS)
    before = disk.read_bytes()
    assert "has the label INGOT-DATA and is not encrypted" in boot(key, check=False)
    ended(cli, "encrypted")
    assert disk.read_bytes() == before

    # A blank one without a key to make it with.
    disk.write_bytes(bytes(64 << 20))
    assert "the machine must be told the file /run/config/disk-key" in boot(None, check=False)
    ended(cli, "encrypted")
    assert not any(disk.read_bytes())

    # What a power cut in the middle of encrypting leaves: a header, a mark, no file system.
    command = [
        "cryptsetup",
        "luksFormat",
        "--batch-mode",
        "--label",
        "INGOT-DATA",
        "--pbkdf",
        "pbkdf2",
    ]
    command += ["--pbkdf-force-iterations", "1000", disk]
    subprocess.run(command, input=b"a key of before", check=True, env=TOOLS)
    with disk.open("r+b") as file:
        file.seek(-4096, 2)
        file.write(b"INGOT-FORMATTING")
    boot(key)
    assert guest(cli, "encrypted", "grep -c /var/data /proc/mounts") == "1\n"
    ended(cli, "encrypted")
    with disk.open("rb") as file:
        file.seek(-4096, 2)
        assert not any(file.read(16))


@pytest.mark.slow  # Another service like the store, two boots.
def test_redis_keeps_its_data(cli: Cli, free_port: Callable[[], int], tmp_path: Path) -> None:
    port = free_port()

    def ask(*commands: str) -> list[str]:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
            with connection.makefile("r") as answers:
                return [answers.readline().strip() for _ in commands]

    entries = {"password": {"content": SECRET}}
    cli(
        *("run", build(cli, "redis", tmp_path), "--publish", f"{port}:6379", "--wait"),
        *("--data-file", told(tmp_path, redis={"entries": entries})),
        *("--disk", f"{tmp_path}/disk.img,size=256M"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    assert ask("get a")[0].startswith("-NOAUTH")
    assert ask(f'auth "{SECRET}"', "set a kept") == ["+OK", "+OK"]
    assert SECRET not in guest(cli, "redis", "cat /proc/*/cmdline /var/log/redis/current")
    assert json.loads(cli("stop", "redis", "--json").stdout)["how"] == "powered-off"
    cli("start", "--wait", "redis", timeout_s=BOOT_TIMEOUT_S)
    assert ask(f'auth "{SECRET}"', "strlen a") == ["+OK", ":4"]
    ended(cli, "redis")


@pytest.mark.slow  # The heaviest of the examples.
def test_a_registry_keeps_images_in_the_store(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    port, store_port = free_port(), free_port()
    entries = {"root-user": {"content": "admin"}, "root-password": {"content": SECRET}}
    cli(
        *("run", build(cli, "registry", tmp_path), "--disk", "size=1G", "--wait"),
        *("--publish", f"{port}:5000", "--publish", f"{store_port}:9000"),
        *("--data-file", told(tmp_path, store={"entries": entries})),
        timeout_s=BOOT_TIMEOUT_S,
    )
    # Its own image, pushed to it and built from it.
    name = f"127.0.0.1:{port}/team/hello:1"
    cli("pkg", "build", "--name", "localhost/pushed:1", ROOT / "examples/components/hello")
    cli("pkg", "push", "localhost/pushed:1", name)
    cli("alias", "set", "inside", f"http://127.0.0.1:{store_port}", stdin=f"admin\n{SECRET}\n")
    assert "docker/registry/v2/repositories/team/hello" in cli("find", "inside/registry").stdout
    (tmp_path / "pulled.yml").write_text(
        "kernel: {image: component:kernel}\ninit: [component:init]\n"
        f"services: [{{name: hello, image: '{name}'}}]\n"
    )
    cli("build", tmp_path / "pulled.yml", "--dir", tmp_path, timeout_s=600)
    assert "www/index.html" in (tmp_path / "pulled.mtree").read_text()
    ended(cli, "registry")


@pytest.fixture
def wire() -> Iterator[str]:
    """Make a network namespace with a tap that has the gateway's addresses; yields its name."""
    namespace = f"ingot-{secrets.token_hex(3)}-wire"
    for words in (
        f"netns add {namespace}",
        f"-n {namespace} link set lo up",
        f"-n {namespace} tuntap add tap0 mode tap",
        f"-n {namespace} address add 192.168.65.1/24 dev tap0",
        f"-n {namespace} address add fd00:65::1/64 dev tap0 nodad",
        f"-n {namespace} link set tap0 up",
    ):
        subprocess.run(["ip", *words.split()], check=True, timeout=30)
    yield namespace
    subprocess.run(["ip", "netns", "del", namespace], check=True, timeout=30)


def test_fixed_addresses_of_both_families_answer(cli: Cli, wire: str, tmp_path: Path) -> None:
    image = build(cli, "static-ip", tmp_path)
    cli("run", image, "--network", "tap=tap0", "--wait", within=wire, timeout_s=BOOT_TIMEOUT_S)
    for address in ("192.168.65.101", "[fd00:65::101]"):
        fetch = ["curl", "-sSf", "--noproxy", "*", "--retry", "5", "--retry-connrefused"]
        answer = subprocess.run(
            ["ip", "netns", "exec", wire, *fetch, "--max-time", "60", f"http://{address}:8080/"],
            capture_output=True,
            text=True,
            check=True,
            timeout=90,
        )
        assert "hello" in answer.stdout
    log = cli("logs", "static-ip").stdout
    assert "web is ready" in log
    assert "fd00:65::101 (eth0)" in log
    assert "following 192.168.65.1" in guest(cli, "static-ip", "cat /var/log/ntp/current")
    ended(cli, "static-ip")
