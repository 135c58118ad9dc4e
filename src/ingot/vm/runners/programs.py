"""What runners share that drive a hypervisor by its programs: calls, and the guest's process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ingot.base.atomic import write_atomically
from ingot.base.errors import Error, MissingToolError
from ingot.vm.machine import Machine
from ingot.vm.runners.contract import Plan
from ingot.vm.state.folders import MachineFolder

_TIMEOUT_S = 120.0
_PROCESS_TIMEOUT_S = 20.0
_POLL_S = 0.05
_ERROR = re.compile(r"^(VBoxManage: )?error: ", re.IGNORECASE)
_REASONS_MAX = 3


class RefusedError(Error):
    """A hypervisor's program ended with an error; `said` is what it said."""

    slug = "hypervisor"

    def __init__(self, message: str, *, said: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.said = said


def require(program: str, hint: str) -> None:
    """Make sure that a program is installed.

    Raises:
        MissingToolError: it is not.
    """
    if shutil.which(program) is None:
        raise MissingToolError(f"{program} is not installed", hint=hint)


def call(command: Sequence[str], directory: Path) -> str:
    """Run a hypervisor's program in a machine's folder and return what it printed.

    Raises:
        RefusedError: it failed, or took too long.
    """
    shown = " ".join(command[:3])
    try:
        result = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
            # Their words are read: never translated.
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise MissingToolError(f"{command[0]} is not installed any more") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"machine {directory.name!r}: {shown} does not return") from error
    if result.returncode:
        said = f"{result.stderr}\n{result.stdout}".strip()
        raise RefusedError(f"machine {directory.name!r}: {shown}: {_gist(said)}", said=said)
    return result.stdout


def _gist(said: str) -> str:
    """Return the reason out of what a program said, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [words for line in lines if (words := _ERROR.sub("", line)) != line]
    return "; ".join((reasons or lines)[:_REASONS_MAX]) or "it said nothing"


def carry_out(plan: Plan, machine: Machine) -> None:
    """Write the plan's files and run its commands; what they say goes to the hypervisor log.

    Raises:
        RefusedError: one fails.
    """
    log = MachineFolder(machine.directory).hypervisor_log
    for name, text in plan.files.items():
        write_atomically(machine.directory / name, text.encode(), mode=0o600)
    log.write_text("")
    for command in plan.commands:
        try:
            said = call(command, machine.directory)
        except RefusedError as error:
            said = error.said
            raise
        finally:
            with log.open("a") as file:
                file.write(f"{' '.join(command)}\n{said}\n")


def await_process(machine: Machine, wanted: Callable[[list[str]], bool]) -> int:
    """Return the id of the process in which the machine's guest runs.

    Args:
        machine: the machine that was just started.
        wanted: tells the process by the words of its command line.

    Raises:
        Error: there is none.
    """
    deadline_s = time.monotonic() + _PROCESS_TIMEOUT_S
    while (pid := find_process(wanted)) is None:
        if time.monotonic() >= deadline_s:
            raise Error(
                f"machine {machine.name!r} was started, but no process of this host is it",
                hint="the hypervisor must run on this host",
            )
        time.sleep(_POLL_S)
    return pid


def find_process(wanted: Callable[[list[str]], bool]) -> int | None:
    """Return the first process of this host whose command line is wanted; None if there is none."""
    return next((pid for pid, words in _command_lines() if wanted(words)), None)


def _command_lines() -> Iterable[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                data = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue  # it has ended, or is not ours to see
            # The kernel's own threads have no command line.
            if data:
                yield int(name), data.decode("utf-8", "replace").rstrip("\0").split("\0")
