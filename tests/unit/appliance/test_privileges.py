"""Capabilities that a service uses: read off the kernel's trace, given to a service of a plan."""

import json
import subprocess
from collections.abc import Callable

import pytest

from ingot.appliance.capabilities import NUMBERED
from ingot.appliance.plan import Plan
from ingot.appliance.privileges import (
    config_with,
    grant,
    record,
    recorded,
    trial_script,
    yaml_of,
)
from ingot.base.errors import NotFoundError

MakePlan = Callable[[str], Plan]

WEB = "init: [component:init]\nservices: [{name: web, image: 'component:hardened'}]\n"
TRACE = """\
# tracer: nop
            crun-125     [000] .N.1.    36.347307: ingot: (cap_capable+0x0/0x80) cap=1 opts=0
          udhcpc-149     [000] .....    36.859536: ingot: (cap_capable+0x0/0x80) cap=12 opts=4
      my web app-150     [000] .....    36.859999: ingot: (cap_capable+0x0/0x80) cap=21 opts=0
          udhcpc-149     [000] .....    37.859536: ingot: (cap_capable+0x0/0x80) cap=12 opts=4
          udhcpc-0 [0] cap=10 opts=0
          future-7       [000] .....    38.000000: ingot: (cap_capable+0x0/0x80) cap=63 opts=0
"""


def text(plan: Plan, path: str) -> str:
    entry = plan.root.get(path)
    assert entry is not None
    assert entry.content is not None
    return entry.content.read().decode()


def test_the_kernel_s_numbers_are_in_their_order() -> None:
    assert NUMBERED[0] == "CAP_CHOWN"
    assert NUMBERED[21] == "CAP_SYS_ADMIN"
    assert NUMBERED[40] == "CAP_CHECKPOINT_RESTORE"
    assert len(NUMBERED) == 41


def test_what_the_runtime_uses_is_not_the_service_s() -> None:
    assert recorded(TRACE) == ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"]
    assert recorded("") == []


def test_a_recorded_start_begins_with_everything(make: MakePlan) -> None:
    plan = make(WEB)
    before = text(plan, "etc/service/web/run").splitlines()
    record(plan, "web")
    after = text(plan, "etc/service/web/run")
    assert after.splitlines()[-1] == before[-1]
    assert after.index("set_event_pid") < after.index("--config /run/ingot/trial.json")
    subprocess.run(["sh", "-n"], input=after, text=True, check=True)
    config = json.loads(text(plan, "containers/services/web/config.json"))
    assert set(config["process"]["capabilities"]["effective"]) == set(NUMBERED)


def test_a_grant_is_ambient_for_other_users_than_root(make: MakePlan) -> None:
    plan = make(WEB)
    grant(plan, "web", ["CAP_CHOWN"])
    document = json.loads(text(plan, "containers/services/web/config.json"))
    assert document["process"]["user"]["uid"] == 1000
    assert all(held == ["CAP_CHOWN"] for held in document["process"]["capabilities"].values())
    assert document["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    grant(plan, "web", [])
    document = json.loads(config_with(plan, "web", []))
    assert all(held == [] for held in document["process"]["capabilities"].values())


def test_another_service_is_not_found(make: MakePlan) -> None:
    with pytest.raises(NotFoundError, match="has no service 'shop'"):
        record(make(WEB), "shop")


def test_the_result_is_yaml() -> None:
    assert yaml_of([], user=True) == "capabilities: [none]"
    assert yaml_of(["CAP_KILL", "CAP_CHOWN"], user=False) == "capabilities: [CAP_CHOWN, CAP_KILL]"
    assert yaml_of(["CAP_KILL"], user=True) == "capabilities: [CAP_KILL]\nambient: [CAP_KILL]"


def test_a_trial_is_shell() -> None:
    subprocess.run(["sh", "-n"], input=trial_script("web", 5.0), text=True, check=True)
