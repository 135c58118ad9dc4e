"""What machines are told from outside: QEMU's fw_cfg, config drives, and mistakes in them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
BOOT_TIMEOUT_S = 240
SECRET = "only-the-machine-is-told-this"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther other@somewhere"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample someone@somewhere"

TOOL = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
onboot: [{name: metadata, image: component:metadata}]
"""


@pytest.fixture(scope="module")
def image(build_own: BuildOwn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_own(tmp_path_factory.mktemp("metadata"), TOOL)


def guest(cli: Cli, name: str, script: str) -> str:
    return cli("exec", "--host", name, "/bin/busybox", "sh", "-c", script).stdout


def config_drive(path: Path, **files: str) -> Path:
    """Make a CD with the files, `_` in their names standing for `-`."""
    folder = path.with_suffix("")
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", "-")).write_text(text)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-V", "cidata"]
    subprocess.run([*command, "-o", path, folder], check=True)
    return path


def ended(cli: Cli, name: str) -> None:
    assert json.loads(cli("stop", name, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", name)


def test_the_store_takes_its_keys_and_name_from_metadata(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    cli("build", ROOT / "examples/store-keys.yml", "--dir", tmp_path, timeout_s=900)
    told = {
        "hostname": {"content": "objects"},
        "store": {
            "perm": "0755",
            "entries": {
                "root-user": {"content": "admin"},
                "root-password": {"content": SECRET, "perm": "0644"},
            },
        },
    }
    (tmp_path / "keys.json").write_text(json.dumps(told))
    port = free_port()
    cli(
        *("run", tmp_path / "store-keys", "--data-file", tmp_path / "keys.json"),
        *("--disk", "size=1G", "--publish", f"{port}:9000", "--wait"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    endpoint = f"http://127.0.0.1:{port}"
    cli("alias", "set", "told", endpoint, stdin=f"admin\n{SECRET}\n")
    cli("mb", "told/bucket")
    log = cli("logs", "store-keys").stdout
    assert "metadata: read from QEMU" in log
    assert "objects is ready" in log
    assert SECRET not in log
    assert guest(cli, "store-keys", "stat -c %a /run/config/userdata") == "600\n"
    assert cli("exec", "store-keys", "store", "/usr/bin/ingot", "--version").returncode == 0
    cli("rb", "told/bucket")
    ended(cli, "store-keys")


def test_a_cloud_init_drive_names_the_machine_and_its_keys(
    cli: Cli, image: Path, tmp_path: Path
) -> None:
    drive = config_drive(
        tmp_path / "seed.iso",
        user_data=f"#cloud-config\nssh_authorized_keys:\n  - {OTHER_KEY}\n",
        network_config="version: 2\nethernets:\n  enp0s3:\n    addresses: [10.0.2.88/24]\n"
        "    nameservers:\n      addresses:\n        - 10.0.2.3\n",
        meta_data=f'instance-id: one\nlocal-hostname: "cloudy"\npublic-keys:\n  - "{KEY}"\n',
    )
    cli("run", image, "--name", "nocloud", "--disk", drive, "--wait", timeout_s=BOOT_TIMEOUT_S)
    assert "metadata: read from /dev/vda" in cli("logs", "nocloud").stdout
    config = "cd /run/config && hostname && cat instance_id ssh/authorized_keys userdata"
    told = guest(cli, "nocloud", config)
    assert told.startswith(f"cloudy\none\n{KEY}\n{OTHER_KEY}\n#cloud-config\n")
    assert "inet 10.0.2.88/24" in guest(cli, "nocloud", "ip address show eth0")
    assert guest(cli, "nocloud", "cat /etc/resolv.conf") == "nameserver 10.0.2.3\n"
    ended(cli, "nocloud")


def test_linuxkits_drive_becomes_files(cli: Cli, image: Path, tmp_path: Path) -> None:
    tree: dict[str, object] = {
        "a": {"entries": {"b": {"perm": "0600", "content": "one\ntwo"}, "c": {"content": ""}}},
        "network": {"content": "up - eth0\naddress 10.0.2.77/24 eth0\ngateway 10.0.2.2 eth0\n"},
    }
    drive = config_drive(tmp_path / "linuxkit.iso", config=json.dumps(tree))
    cli("run", image, "--name", "drive", "--disk", drive, "--wait", timeout_s=BOOT_TIMEOUT_S)
    files = "cd /run/config/a && stat -c '%n %a' * && cat b"
    assert guest(cli, "drive", files) == "b 600\nc 644\none\ntwo"
    assert guest(cli, "drive", "hostname") == "own\n"
    assert "inet 10.0.2.77/24" in guest(cli, "drive", "ip address show eth0")
    assert "via 10.0.2.2" in guest(cli, "drive", "ip route show default")
    ended(cli, "drive")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('{"../x": {"content": "y"}}', '"../x" is no name for a file'),
        ('{"x": {"content": "y"', "Unfinished JSON term"),
    ],
)
def test_metadata_with_mistakes_stops_the_boot(
    cli: Cli, image: Path, data: str, reason: str
) -> None:
    result = cli(
        *("run", image, "--name", "mistaken", "--data", data, "--wait"),
        check=False,
        timeout_s=BOOT_TIMEOUT_S,
    )
    assert result.returncode == 1, result.stdout
    assert reason.replace('"', "'") in result.stderr or reason in result.stderr, result.stderr
    ended(cli, "mistaken")


def test_metadata_comes_on_a_cd_where_that_is_asked_for(cli: Cli, image: Path) -> None:
    """Ours are read by the kernel's own iso9660, and name the machine."""
    cli(
        *("run", image, "--name", "told-by-cd", "--data", SECRET, "--data-as", "cd", "--wait"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    assert guest(cli, "told-by-cd", "cat /run/config/userdata") == SECRET
    assert guest(cli, "told-by-cd", "hostname") == "told-by-cd\n"
    ended(cli, "told-by-cd")
