"""Writes the shell scripts that start, end and log a container: every decision is taken here.

Pure. What they share at run time stands in the init component's `library` and `service`.
"""

from __future__ import annotations

import shlex
import urllib.parse
from collections.abc import Sequence

from ingot.appliance.bundle import Bundle, runtime_mounts
from ingot.appliance.machinery import HOOKS_FOLDER, action_lines, needs_hook
from ingot.appliance.settings import Ready

STOP_TIMEOUT_S = 10.0
LOG_BYTES_MAX = 1_000_000
LOG_FILES_MAX = 5

_SHEBANG = "#!/bin/busybox sh"
_HTTP_PORT = 80
_CRUN = "/usr/bin/crun"


def step_script(bundle: Bundle, container: str) -> str:
    """Return the script that runs an onboot or onshutdown step to its end.

    Its exit code is the step's; `container` is the runtime's name for it.
    """
    return _script(
        f"# Step {bundle.name}. Written by `ingot build`.",
        *_prepare(bundle, container),
        f"exec {_run(bundle, container)}",
    )


def run_script(bundle: Bundle) -> str:
    """Return a service's runit `run` script."""
    name = shlex.quote(bundle.name)
    ready = bundle.settings.ready or Ready()
    depends = [shlex.quote(other) for other in bundle.settings.depends or ()]
    return _script(
        f"# Service {bundle.name}, kept running by runit. Written by `ingot build`.",
        "exec 2>&1",
        ". /usr/lib/ingot/service",
        f"back_off {name}",
        *([f"after {' '.join(depends)}"] if depends else []),
        *_prepare(bundle, bundle.name),
        f"watch_beside {name} {round(ready.timeout_s)} {_check(bundle, ready)}",
        f"exec {_run(bundle, bundle.name)}",
    )


def finish_script(bundle: Bundle) -> str:
    """Return a service's runit `finish` script; runit gives it the exit code."""
    restart = bundle.settings.restart or "always"
    return _script(". /usr/lib/ingot/service", f'ended {shlex.quote(bundle.name)} "$1" {restart}')


def log_script(bundle: Bundle) -> str:
    """Return the script of a service's logger, which rotates by size.

    A log that is kept on a disk goes on where it ended; what was there before this boot is noted,
    so that the console's page shows the words of this one.
    """
    folder = shlex.quote(f"/var/log/{bundle.name}")
    start = shlex.quote(f"/run/log-starts/{bundle.name}")
    return _script(
        f"mkdir -p {folder}",
        f"printf 's{LOG_BYTES_MAX}\\nn{LOG_FILES_MAX}\\n' > {folder}/config",
        f"[ -e {start} ] || [ ! -e {folder}/current ] || wc -l < {folder}/current > {start}",
        f"exec /usr/bin/svlogd -tt {folder}",
    )


def exec_options(bundle: Bundle) -> str:
    """Return the options with which a command joins the service as the service's own user."""
    uid, gid, _ = bundle.user
    rights = ["--no-new-privs"] if bundle.settings.no_new_privileges else []
    return shlex.join(["--user", f"{uid}:{gid}", *rights]) + "\n"


def stop_order(services: Sequence[Bundle]) -> str:
    """Return a line for each service, the last started first: its name and seconds to stop."""
    limits = [
        (
            bundle.name,
            STOP_TIMEOUT_S if (limit := bundle.settings.stop_timeout_s) is None else limit,
        )
        for bundle in reversed(services)
    ]
    return "".join(f"{name} {max(1, round(limit_s))}\n" for name, limit_s in limits)


def announced(services: Sequence[Bundle]) -> str:
    """Return the services whose first words the console shows: those no other depends on."""
    needed = {name for bundle in services for name in bundle.settings.depends or ()}
    return "".join(f"{bundle.name}\n" for bundle in services if bundle.name not in needed)


def _script(*lines: str) -> str:
    return "\n".join((_SHEBANG, *lines)) + "\n"


def _run(bundle: Bundle, container: str) -> str:
    config = f"/{HOOKS_FOLDER}/{container}.json"
    words = ["--config", config] if needs_hook(bundle) else []
    words += ["--bundle", f"/{bundle.folder}", container]
    return f"{_CRUN} run {shlex.join(words)}"


def _prepare(bundle: Bundle, container: str) -> list[str]:
    """Return the commands that make the root file system; a restart finds it made."""
    lines: list[str] = []
    if not bundle.readonly:
        scratch, _, layers = runtime_mounts(bundle)
        top = shlex.quote(scratch.destination)
        overlay = f"-o {shlex.quote(','.join(layers.options))} overlay"
        lines += [
            f"[ -e {top}/upper ] || {{",
            f"  mount -t tmpfs tmpfs {top} && mkdir {top}/upper {top}/work &&",
            f"    mount -t overlay {overlay} {shlex.quote(layers.destination)}",
            "} || exit 1",
        ]
    return lines + action_lines(bundle, container)


def _check(bundle: Bundle, ready: Ready) -> str:
    """Return the command that tells whether a service is ready; by default, that it runs."""
    if ready.url is not None:
        port = urllib.parse.urlsplit(ready.url).port or _HTTP_PORT
        return f"answers {port:04X} {shlex.quote(ready.url)}"
    if ready.port is not None:
        return f"listening {ready.port:04X}"
    if ready.file is not None:
        return f"[ -e {shlex.quote(ready.file)} ]"
    if ready.command is not None:
        return f"timeout 5 {_CRUN} exec {shlex.quote(bundle.name)} {shlex.join(ready.command)}"
    return f"running {shlex.quote(bundle.cgroup)}"
