"""A real registry process for tests: Debian's docker-registry on a free loopback port."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30
USER = "integration"
PASSWORD = "integration-password"  # noqa: S105 # of registries that live for one test
# bcrypt, cost 4, of the password above.
HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuuauM9tv0aiT2906JwCJ5uI7Qqg74P8ju\n"
BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
_PROGRAM = "docker-registry"


@dataclass
class RunningRegistry:
    """Where it answers, and what to send with every request."""

    port: int
    scheme: str = "http"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How references name it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://{self.name}"


@contextlib.contextmanager
def registry(
    folder: Path,
    *,
    auth: Mapping[str, Any] | None = None,
    tls: tuple[Path, Path] | None = None,
    client_ca: Path | None = None,
    storage: Mapping[str, Any] | None = None,
) -> Iterator[RunningRegistry]:
    """Run a registry that keeps its images below `folder`.

    Args:
        folder: takes images, configuration and log.
        auth: the `auth` section of its configuration.
        tls: files of certificate and key.
        client_ca: who must have signed the certificate of a client.
        storage: where it keeps blobs instead.
    """
    # `make` unpacks it beside the interpreter: installing the package would start a daemon.
    folders = (os.path.dirname(sys.executable), os.environ.get("PATH", ""), "/usr/bin")
    program = shutil.which(_PROGRAM, path=os.pathsep.join(folders))
    assert program is not None, "the program docker-registry is missing; 'make setup-test' has it"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    http: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "only for tests"}
    if tls is not None:
        http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        if client_ca is not None:
            http["tls"]["clientcas"] = [str(client_ca)]
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": storage or {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": http,
    }
    if auth is not None:
        settings["auth"] = auth
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "registry.yml"
    configuration.write_text(json.dumps(settings))
    with (folder / "registry.log").open("wb") as log:
        # Its S3 driver reads settings of AWS tools and of the host, which are not the test's.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        process = subprocess.Popen(
            [program, "serve", str(configuration)], stdout=log, stderr=log, env=environment
        )
    try:
        _wait(process, port, folder / "registry.log")
        yield RunningRegistry(port, "https" if tls else "http")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def write_login(folder: Path, running: RunningRegistry, password: str = PASSWORD) -> dict[str, str]:
    """Write a config.json as `docker login` does; return the environment that names it."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {running.name: {"auth": auth}}}))
    return {"DOCKER_CONFIG": str(folder)}


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the registry did not start: {log.read_text()}")
