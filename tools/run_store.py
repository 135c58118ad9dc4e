"""Build the store appliance, boot it as a machine, and print endpoint, console URL and keys.

`make run` calls this. It uses the `ingot` command as a user would; a second run finds everything
cached, and a machine that already runs is left alone.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / ".run"
MACHINE = "store"
BOOT_TIMEOUT = "240s"


def ingot(*arguments: str | Path, capture: bool = False) -> str:
    """Run one command; its progress and errors go to the terminal."""
    result = subprocess.run(
        [sys.executable, "-m", "ingot", *map(str, arguments)],
        stdout=subprocess.PIPE if capture else sys.stderr,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(result.returncode)
    return result.stdout or ""


def running() -> dict[str, Any] | None:
    """Return what `ingot ps` knows of the machine, if it runs."""
    for line in ingot("ps", "--json", capture=True).splitlines():
        machine = json.loads(line)
        if machine["name"] == MACHINE:
            return dict[str, Any](machine)
    return None


def main() -> None:
    """Do what the module says."""
    parser = argparse.ArgumentParser(description="Build and boot the store appliance.")
    parser.add_argument("--port", default="9000", help="the host's port for S3")
    parser.add_argument("--console-port", default="9001", help="the host's port for the console")
    parser.add_argument("--ip", default="192.168.65.101", help="the machine's address")
    parser.add_argument("--disk", default="size=4G", help="the data disk, as in `ingot run`")
    options = parser.parse_args()

    began_s = time.monotonic()
    machine = running()
    if machine is None:
        OUTPUT.mkdir(exist_ok=True)
        ingot("build", ROOT / "examples/store.yml", "--dir", OUTPUT)
        built_s = time.monotonic()
        ingot(
            *("run", OUTPUT / "store", "--name", MACHINE, "--ip", options.ip),
            *("--disk", options.disk, "--publish", f"{options.port}:9000"),
            *("--publish", f"{options.console_port}:9001", "--detach", f"--wait={BOOT_TIMEOUT}"),
        )
        booted_s = time.monotonic()
        print(f"built in {built_s - began_s:.1f} s, ready after {booted_s - built_s:.1f} s")
        machine = running()
        assert machine is not None, "the machine ended right after its start"
    else:
        print(f"the machine {MACHINE!r} runs already")

    keys = json.loads(
        ingot("exec", MACHINE, "store", "ingot", "server", "keys", "--json", capture=True)
    )
    ports = {port["guest_port"]: port["host_port"] for port in machine["ports"]}
    endpoint = f"http://127.0.0.1:{ports[9000]}"
    print(f"""
  S3 endpoint   {endpoint}
  Console       http://127.0.0.1:{ports[9001]}
  Access key    {keys["access_key"]}
  Secret key    {keys["secret_key"]}

  ingot alias set local {endpoint} {keys["access_key"]} {keys["secret_key"]}
  ingot logs {MACHINE}      ingot console {MACHINE}      ingot stop {MACHINE}

The command is {Path(sys.executable).parent / "ingot"}""")


if __name__ == "__main__":
    main()
