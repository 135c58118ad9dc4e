"""The SSH example: logins by a key of the metadata, to the machine, and by nothing else."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
BOOT_TIMEOUT_S = 240


@pytest.fixture
def scan(cli: Cli, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Boot the SSH example with more appliance files, the first time and again.

    Returns the machine's own key, as its clients get it.
    """
    port = free_port()

    def boot(*more: Path, options: Sequence[str] = ()) -> str:
        if more:
            cli("build", ROOT / "examples/sshd.yml", *more, "--dir", tmp_path, timeout_s=600)
        build = [tmp_path / "sshd", "--publish", f"{port}:22", *options] if more else ["sshd"]
        cli("run", *build, "--wait", timeout_s=BOOT_TIMEOUT_S)
        command = ["ssh-keyscan", "-T", "60", "-t", "ed25519", "-p", str(port), "127.0.0.1"]
        key = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "ssh-ed25519" in key
        assert json.loads(cli("stop", "sshd", "--json").stdout)["how"] == "powered-off"
        return key

    yield boot
    cli("kill", "sshd", check=False)
    cli("rm-machine", "--yes", "sshd")


def test_the_machine_s_own_key_is_kept_on_its_data_disk(
    scan: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "data.yml").write_text("data: {label: INGOT-DATA}\n")
    first = scan(tmp_path / "data.yml", options=("--disk", "size=64M"))
    assert scan() == first


@pytest.mark.slow  # Two boots for what one sentence of the reference says.
def test_without_a_data_disk_it_is_another_after_each_boot(
    scan: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "more.yml").write_text("network: {hostname: sshd}\n")
    first = scan(tmp_path / "more.yml")
    assert scan() != first


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def test_the_key_of_the_metadata_logs_in(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    cli("build", ROOT / "examples/sshd.yml", "--dir", tmp_path, timeout_s=600)
    entries = {"authorized_keys": {"content": make_key(tmp_path / "key")}}
    make_key(tmp_path / "other")
    port = free_port()
    cli(
        *("run", tmp_path / "sshd", "--data", json.dumps({"ssh": {"entries": entries}})),
        *("--publish", f"{port}:22", "--wait"),
        timeout_s=BOOT_TIMEOUT_S,
    )

    def ssh(key: str, *command: str) -> "subprocess.CompletedProcess[str]":
        options = ["StrictHostKeyChecking=accept-new", "BatchMode=yes", "IdentitiesOnly=yes"]
        options.append(f"UserKnownHostsFile={tmp_path / 'known'}")
        to = ("-p", str(port), "root@127.0.0.1")
        words = [word for option in options for word in ("-o", option)]
        return subprocess.run(
            ["ssh", "-F", "none", "-T", *words, "-i", tmp_path / key, *to, *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    login = ssh("key", "cat /proc/1/comm; nsenter -t 1 -m cat /etc/hostname; id -u")
    said = (
        login.stderr
        + cli("exec", "--host", "sshd", "/bin/busybox", "cat", "/var/log/sshd/current").stdout
    )
    assert login.stdout.split() == ["init", "sshd", "0"], said
    # The machine keeps its key while it runs: the client knows it again.
    assert ssh("key", "ls /run/sshd").stdout == "dropbear_ed25519_host_key\n"
    refused = ssh("other", "id")
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr
    assert json.loads(cli("stop", "sshd", "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", "sshd")
