"""Finds out which capabilities a service uses: a build that records them, and trials with fewer.

Pure. In the machine a kernel probe records every check of a capability that the service's processes
pass; `crun`, which starts them with its own rights, is told apart by its name.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any

from ingot.appliance.capabilities import KNOWN, NUMBERED
from ingot.appliance.plan import Plan
from ingot.appliance.seccomp import convert_profile
from ingot.base.errors import NotFoundError
from ingot.oci.tree import Entry, file

TRIAL_PATH = "/run/ingot/trial.json"
TRACE_PATH = "/sys/kernel/tracing/trace"

_PROFILE = "usr/share/containers/seccomp.json"
_RECORD = f"""\
trace={TRACE_PATH.rpartition("/")[0]}
if [ ! -e $trace/trace ]; then
  mount -t tracefs tracefs $trace
  echo 'p:ingot cap_capable cap=$arg3:u32 opts=$arg4:u32' > $trace/kprobe_events
  echo 4096 > $trace/buffer_size_kb
  echo 1 > $trace/options/event-fork
  # Checks that the kernel makes for itself, which nothing depends on, are not recorded.
  echo '!(opts & 2)' > $trace/events/kprobes/ingot/filter
  echo 1 > $trace/events/kprobes/ingot/enable
fi
echo $$ > $trace/set_event_pid
[ ! -e {TRIAL_PATH} ] || exec /usr/bin/crun run --config {TRIAL_PATH} --bundle """
_CHECKED = re.compile(r"^ *(?P<program>.+)-\d+ +\[\d+\].* cap=(?P<number>\d+) ", re.MULTILINE)
_RUNTIME = "crun"
# What gives most away is tried without first.
_BROAD = ("CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE")


def record(plan: Plan, service: str) -> None:
    """Have the service of a plan start with every capability, and its use of them recorded.

    Raises:
        NotFoundError: the appliance has no such service.
    """
    run = _entry(plan, f"etc/service/{service}/run", service)
    assert run.content is not None
    head, marker, last = run.content.read().decode().rpartition("exec /usr/bin/crun run ")
    bundle = f"/containers/services/{service}"
    trial = f"{_RECORD}{shlex.join([bundle, service])}\n"
    plan.root.add(file(run.path, f"{head}{trial}{marker}{last}", 0o755))
    grant(plan, service, KNOWN)


def grant(plan: Plan, service: str, names: Collection[str]) -> None:
    """Give the service of a plan these capabilities alone."""
    path = f"containers/services/{service}/config.json"
    plan.root.add(file(path, config_with(plan, service, names)))


def recorded(trace: str) -> list[str]:
    """Return the capabilities that the kernel's trace shows, those that give most away first."""
    numbers = {
        int(match["number"])
        for match in _CHECKED.finditer(trace)
        if not match["program"].strip().startswith(_RUNTIME)
    }
    names = {NUMBERED[number] for number in numbers if number < len(NUMBERED)}
    return [name for name in _BROAD if name in names] + sorted(names - set(_BROAD))


def config_with(plan: Plan, service: str, names: Collection[str]) -> bytes:
    """Return the service's config.json with these capabilities, and system calls to fit.

    Raises:
        NotFoundError: the appliance has no such service.
    """
    entry = _entry(plan, f"containers/services/{service}/config.json", service)
    assert entry.content is not None
    config: dict[str, Any] = json.loads(entry.content.read())
    granted = sorted(names)
    process = config["process"]
    # As another user, a program has only what is ambient.
    ambient = granted if process["user"]["uid"] else process["capabilities"]["ambient"]
    process["capabilities"] = {
        **dict.fromkeys(("bounding", "permitted", "inheritable", "effective"), granted),
        "ambient": [name for name in ambient if name in names],
    }
    profile = plan.root.resolve(_PROFILE)
    if "seccomp" in config["linux"] and profile is not None and profile.content is not None:
        config["linux"]["seccomp"] = convert_profile(
            profile.content.read(), arch=plan.arch, capabilities=granted
        )
    return json.dumps(config, sort_keys=True).encode()


def trial_script(service: str, timeout_s: float) -> str:
    """Return commands that start the service anew and succeed if it is ready, and stays so."""
    name = shlex.quote(service)
    ready = f"/run/ingot/ready/{name}"
    tries = round(timeout_s * 5)
    return "\n".join(
        (
            f"/usr/bin/sv -w 30 force-stop /etc/service/{name} > /dev/null",
            f"rm -f {ready} /run/ingot/failures/{name}",
            f"/usr/bin/sv up /etc/service/{name} > /dev/null",
            f"for try in $(seq {tries}); do [ -e {ready} ] && break; sleep 0.2; done",
            f"sleep 1; [ -e {ready} ]",
        )
    )


def yaml_of(names: Sequence[str], *, user: bool) -> str:
    """Return the lines of an appliance file that give a service these capabilities."""
    listed = f"[{', '.join(sorted(names)) or 'none'}]"
    lines = [f"capabilities: {listed}"]
    # Without this a program of another user than root would have none of them.
    if names and user:
        lines.append(f"ambient: {listed}")
    return "\n".join(lines)


def _entry(plan: Plan, path: str, service: str) -> Entry:
    entry = plan.root.get(path)
    if entry is None or entry.content is None:
        raise NotFoundError(
            f"{plan.name} has no service {service!r}",
            hint=f"it has: {', '.join(plan.services) or 'none'}",
        )
    return entry
