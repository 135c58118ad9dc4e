"""`ingot capabilities` on a real service: one boot to record and try, one to prove the result."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("machines"),
    pytest.mark.timeout(900),
]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

# As another user than root: it wants a low port, and owns what root owns.
WEB = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
services:
  - {name: dhcp, image: component:dhcp}
  - name: web
    image: component:tool
    uid: 1000
    gid: 1000
    tmpfs: ["/tmp:mode=1777"]
    command:
      - /usr/bin/busybox
      - sh
      - -c
      - 'cd /tmp && echo hi > index.html && chown 5 index.html && exec busybox httpd -f -p 80'
    ready: {port: 80}
    depends: [dhcp]
"""


def test_a_service_keeps_what_it_needs(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    component = tmp_path / "components/tool/component.yml"
    component.parent.mkdir(parents=True)
    component.write_text("packages: [busybox-static]\n")
    (tmp_path / "web.yml").write_text(WEB)
    port = free_port()
    use = f"curl -fsS --noproxy '*' --max-time 20 --retry 3 http://127.0.0.1:{port}/"
    result = cli(
        *("capabilities", tmp_path / "web.yml", "web", "--json"),
        *("--publish", f"{port}:80", "--use", use),
        timeout_s=600,
    )
    found = json.loads(result.stdout)
    assert found["needed"] == ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]
    assert set(found["needed"]) <= set(found["used"])
    assert not [line for line in cli("ps", "--all").stdout.splitlines() if "capabilities-" in line]


def test_a_service_that_is_not_there_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("init: [component:init]\n")
    result = cli("capabilities", tmp_path / "web.yml", "web", check=False, timeout_s=300)
    assert result.returncode == 5
    assert "has no service 'web'" in result.stderr
