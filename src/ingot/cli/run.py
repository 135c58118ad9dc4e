"""`ingot run`: boot a build as a machine, attached to the terminal or in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.request import Request
    from ingot.vm.starting import Started


class _RunCommand(click.Command):
    """Understands `--wait=TIMEOUT` beside `--wait`, without taking the next word for a time."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [
            f"--wait-timeout={word.removeprefix('--wait=')}" if word.startswith("--wait=") else word
            for word in args
        ]
        return super().parse_args(ctx, words)


@click.command(cls=_RunCommand)
@click.argument("prefix", metavar="[BUILD]", required=False)
@click.option("--name", help="The machine's name.  [default: the build's]")
@click.option("--cpus", type=int, metavar="N", help="Virtual processors.  [default: 1]")
@click.option("--mem", metavar="SIZE", help="Memory.  [default: what the build asks for]")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="size=4G|FILE[,size=4G][,format=raw|qcow2]",
    help="A disk; created if missing, never overwritten. Repeatable.",
)
@click.option(
    "--publish",
    "-p",
    "publishes",
    multiple=True,
    metavar="[ADDRESS:]HOST:GUEST[/udp]",
    help="Let a port of the guest answer on 127.0.0.1, or on ADDRESS. Repeatable.",
)
@click.option("--ip", "address", metavar="A[/PREFIX]", help="The guest's fixed IPv4 address.")
@click.option(
    "--accel", type=click.Choice(["auto", "kvm", "tcg"]), help="How its processor is run."
)
@click.option("--detach", "-d", is_flag=True, help="Leave it running in the background.")
@click.option("--wait", is_flag=True, help="Return when its services are ready (implies --detach).")
@click.option("--wait-timeout", metavar="DURATION", help="As --wait, for so long.  [default: 5m]")
@click.option("--reset", is_flag=True, help="Forget the flags of earlier runs; keep the disks.")
@output_options
def run(
    printer: Printer, *, detach: bool, wait: bool, wait_timeout: str | None, **flags: Any
) -> None:
    """Boot a built appliance as a machine.

    BUILD is what 'ingot build' wrote: NAME or DIR/NAME. A machine keeps its flags and its disks:
    running it again needs only its name, and flags given then replace those kept.

    Without --detach the terminal is the machine's serial console: every key goes to the machine,
    except Ctrl-], which stops it through its guest, and pulls the plug when typed again. Without
    a terminal, Ctrl-C and SIGTERM do the same.

    \b
    Examples:
      ingot run store
      ingot run store --disk size=4G --publish 9000:9000 --publish 9001:9001 --wait
      ingot run build/store --name second --ip 192.168.65.101 --mem 512M --detach
    """
    from ingot.base.units import parse_duration
    from ingot.cli._machines import starter
    from ingot.vm.lifecycle import READY_TIMEOUT_S

    request = _request(**flags)
    timeout_s = parse_duration(wait_timeout) if wait_timeout else READY_TIMEOUT_S
    if not (detach or wait or wait_timeout):
        _run_attached(printer, request)
        return
    started = starter().start(request)
    _introduce(printer, started)
    if wait or wait_timeout:
        _wait(printer, started, timeout_s)
    else:
        _report(printer, started, "running")


def _request(
    *,
    prefix: str | None,
    name: str | None,
    cpus: int | None,
    mem: str | None,
    disks: tuple[str, ...],
    publishes: tuple[str, ...],
    address: str | None,
    accel: Any,
    reset: bool,
) -> Request:
    from ingot.vm.machine import parse_cpus, parse_memory_mib
    from ingot.vm.networks import parse_address, parse_publishes
    from ingot.vm.request import Request

    return Request(
        prefix=prefix,
        name=name,
        cpus=None if cpus is None else parse_cpus(cpus),
        memory_mib=None if mem is None else parse_memory_mib(mem),
        disks=disks,
        ports=parse_publishes(publishes),
        address=None if address is None else parse_address(address),
        accelerator=accel,
        reset=reset,
    )


def _run_attached(printer: Printer, request: Request) -> None:
    from ingot.cli._attached import Wishes, attend
    from ingot.cli._machines import starter

    wishes = Wishes()
    # From before the start: no signal may end this command and leave the machine behind.
    with wishes.from_signals():
        started = starter().start(request)
        _introduce(printer, started)
        attend(printer, started, wishes)


def _introduce(printer: Printer, started: Started) -> None:
    machine, process = started.machine, started.process
    kind = "KVM" if process.accelerator == "kvm" else "TCG, without hardware virtualisation"
    printer.note(
        f"machine {machine.name}: {kind} ({process.accelerator_reason}); {machine.cpus} CPU,"
        f" {machine.memory_mib} MiB; pid {process.pid}"
    )
    if started.earlier_prefix is not None:
        printer.note(f"it now boots {started.spec.prefix} and no longer {started.earlier_prefix}")
    for disk in machine.disks:
        printer.note(f"disk {disk.path}")
    for port in machine.ports:
        printer.note(f"port {port}")


def _wait(printer: Printer, started: Started, timeout_s: float) -> None:
    import time

    from ingot.vm.lifecycle import wait_ready

    began_s = time.monotonic()
    with printer.progress() as progress, progress.task(f"booting {started.machine.name}"):
        wait_ready(started.folder, started.process, timeout_s)
    _report(printer, started, "ready", after_s=time.monotonic() - began_s)


def _report(
    printer: Printer, started: Started, state: str, *, after_s: float | None = None
) -> None:
    document: dict[str, Any] = {
        "type": "machine",
        "name": started.machine.name,
        "state": state,
        "pid": started.process.pid,
        "accelerator": started.process.accelerator,
        "accelerator_reason": started.process.accelerator_reason,
        "folder": str(started.folder.path),
    }
    text = f"{started.machine.name} is {state}"
    if after_s is not None:
        document["after_s"] = round(after_s, 3)
        text += f" after {after_s:.1f} s"
    printer.data(document, text)
