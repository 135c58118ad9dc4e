"""`ingot capabilities`: the least capabilities that a service of an appliance works with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_path
from ingot.cli._images import session_in, source_options
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.appliance.plan import Plan
    from ingot.debian.session import Session
    from ingot.vm.guest.services import Guest

_TRIAL_TIMEOUT_S = 40.0
_COMMAND_TIMEOUT_S = 120.0
_END_TIMEOUT_S = 30.0


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_path)
@click.argument("service", metavar="SERVICE")
@click.option(
    "--use",
    metavar="COMMAND",
    help="A shell command of this host that uses the service and succeeds if it works.",
)
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="size=4G|FILE",
    shell_complete=complete_path,
    help="As of `ingot run`.",
)
@click.option("--publish", "-p", "publishes", multiple=True, help="As of `ingot run`.")
@click.option(
    "--data-file", metavar="FILE", shell_complete=complete_path, help="As of `ingot run`."
)
@click.option("--mem", metavar="SIZE", help="Memory.  [default: what the build asks for]")
@source_options
@output_options
def capabilities(printer: Printer, file: str, service: str, **options: Any) -> None:
    """Find the capabilities that SERVICE of the appliance FILE needs.

    The appliance is built and booted once, SERVICE with every capability. What its processes use
    is recorded by the kernel; then each is taken away in turn: if SERVICE still becomes ready, and
    COMMAND succeeds, it is not needed. What is left must hold from a new boot. The result is what
    to write into FILE.

    \b
    Examples:
      ingot capabilities examples/hello.yml dhcp
      ingot capabilities shop.yml web -p 8080:80 --use 'curl -fsS http://127.0.0.1:8080/'
    """
    from ingot.appliance.privileges import config_with, grant, record, recorded, yaml_of
    from ingot.base.errors import Error

    with tempfile.TemporaryDirectory(prefix="ingot-capabilities-") as folder:
        with printer.progress() as progress:
            session, plan = _plan(file, options, progress)
            as_built = config_with(plan, service, ())
            record(plan, service)
            prefix = _write(plan, Path(folder), session)
        with _booted(printer, prefix, options) as guest:
            works = _checks(guest, service, options["use"])
            if options["use"] and not _used(options["use"]):
                raise Error("the command does not succeed though the service has everything")
            used = recorded(_traced(guest))
            printer.note(f"used: {', '.join(used) or 'none'}")
            needed = list(used)
            for name in used:
                fewer = [other for other in needed if other != name]
                if works(config_with(plan, service, fewer)):
                    needed = fewer
                printer.note(f"{name} is {'needed' if name in needed else 'not needed'}")
        # What the starts with more capabilities left behind may have helped those with fewer.
        grant(plan, service, needed)
        with printer.progress() as progress:
            session.progress = progress
            prefix = _write(plan, Path(folder), session)
        with _booted(printer, prefix, options):
            if options["use"] and not _used(options["use"]):
                raise Error(f"from a new boot it does not work with {', '.join(needed) or 'none'}")
    document = {"type": "capabilities", "service": service, "used": used, "needed": sorted(needed)}
    printer.data(document, yaml_of(needed, user=b'"uid": 0' not in as_built))


def _plan(file: str, options: dict[str, Any], progress: Any) -> tuple[Session, Plan]:
    from ingot.appliance.build import plan_appliance
    from ingot.appliance.inputs import inputs_folder, read_inputs
    from ingot.debian.machine import host_machine

    session = session_in(inputs_folder((file,)), options, progress)
    inputs = read_inputs((file,), session)
    return session, plan_appliance(inputs, host_machine().architecture, session)


def _write(plan: Plan, folder: Path, session: Session) -> str:
    from ingot.appliance.build import FORMAT_DEFAULT, BuildOptions, write_outputs
    from ingot.appliance.outputs import find_output

    options = BuildOptions(arch=plan.arch, folder=folder, name="trial")
    write_outputs(plan, [find_output(FORMAT_DEFAULT)], options, session, {})
    return str(folder / "trial")


@contextmanager
def _booted(printer: Printer, prefix: str, options: dict[str, Any]) -> Iterator[Guest]:
    """Boot the build as a machine that is gone afterwards."""
    from ingot.cli._machines import runner_of, starter
    from ingot.cli._started import introduce
    from ingot.vm.guest.services import Guest
    from ingot.vm.lifecycle.stopping import remove
    from ingot.vm.lifecycle.waiting import READY_TIMEOUT_S, wait_ready, wait_stopped
    from ingot.vm.machine import parse_memory_mib
    from ingot.vm.networks.ports import parse_publishes
    from ingot.vm.request import Request

    data = options["data_file"]
    request = Request(
        prefix=prefix,
        name=f"capabilities-{Path(prefix).parent.name[-8:]}",
        memory_mib=None if options["mem"] is None else parse_memory_mib(options["mem"]),
        disks=options["disks"],
        ports=parse_publishes(options["publishes"]),
        metadata=None if data is None else Path(data).read_bytes(),
    )
    started = starter().start(request)
    introduce(printer, started)
    folder = started.folder
    try:
        wait_ready(folder, started.process, READY_TIMEOUT_S)
        guest = Guest(folder.path)
        guest.wait(_COMMAND_TIMEOUT_S)
        yield guest
    finally:
        runner = runner_of(folder)
        runner.kill(folder.path, started.process)
        wait_stopped(started.process, _END_TIMEOUT_S)
        remove(folder, runner)


def _checks(guest: Guest, service: str, use: str | None) -> Callable[[bytes], bool]:
    """Return what tells whether the service works with a config.json."""
    from ingot.appliance.privileges import TRIAL_PATH, trial_script

    script = trial_script(service, _TRIAL_TIMEOUT_S)

    def works(config: bytes) -> bool:
        _shell(guest, f"cat > {TRIAL_PATH}", stdin=config)
        return _shell(guest, script) is not None and (use is None or _used(use))

    return works


def _traced(guest: Guest) -> str:
    from ingot.appliance.privileges import TRACE_PATH
    from ingot.base.errors import Error

    # A guest's answer is limited; programs and numbers are all that counts.
    keep = f"grep -v '^#' {TRACE_PATH} | sed 's/-[0-9]* .* cap=/-0 [0] cap=/' | sort -u"
    text = _shell(guest, keep)
    if text is None:
        raise Error("the guest's kernel recorded nothing")
    return text


def _shell(guest: Guest, script: str, *, stdin: bytes = b"") -> str | None:
    outcome = guest.run(["/bin/busybox", "sh", "-c", script], stdin=stdin)
    return None if outcome.exit_code else outcome.stdout.decode("utf-8", "replace")


def _used(command: str) -> bool:
    """Run the user's command, which says by its exit code whether the service works."""
    import subprocess

    try:
        result = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=_COMMAND_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0
