"""`ingot run`: boot a build as a machine, attached to the terminal or in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_path
from ingot.cli._started import WaitCommand
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.request import Request


@click.command(cls=WaitCommand)
@click.argument("prefix", metavar="[BUILD]", required=False, shell_complete=complete_path)
@click.option("--name", help="The machine's name.  [default: the build's]")
@click.option("--cpus", type=int, metavar="N", help="Virtual processors.  [default: 1]")
@click.option("--mem", metavar="SIZE", help="Memory.  [default: what the build asks for]")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="size=4G|FILE[,size=4G][,format=raw|qcow2]",
    shell_complete=complete_path,
    help="A disk; created if missing, never overwritten. Repeatable.",
)
@click.option(
    "--publish",
    "-p",
    "publishes",
    multiple=True,
    metavar="[ADDRESS:]HOST:GUEST[/udp]",
    help="Let a port of the guest answer on 127.0.0.1, or on ADDRESS, as [::1]. Repeatable.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="user|tap=IF|bridge=BR|none",
    help="A network card, and what it is plugged into.  [default: user]. Repeatable.",
)
@click.option(
    "--ip",
    "addresses",
    multiple=True,
    metavar="A[/PREFIX][,gateway=G][,dns=D]",
    help="A fixed address of the guest's first card; one for IPv4, one for IPv6.",
)
@click.option(
    "--boot",
    type=click.Choice(["kernel", "disk", "iso"]),
    help="Which form of the build to boot.  [default: the first there is]",
)
@click.option(
    "--uefi/--no-uefi", default=None, help="UEFI firmware, or BIOS.  [default: what BUILD needs]"
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="DIR:NAME[:ro]",
    help="A folder of the host in the guest, at /run/shares/NAME. Repeatable.",
)
@click.option("--data", metavar="TEXT", help="Metadata for the guest; '' takes it away.")
@click.option(
    "--data-file",
    metavar="FILE",
    shell_complete=complete_path,
    help="Metadata for the guest, from a file; - is standard input.",
)
@click.option(
    "--data-as",
    "metadata_way",
    type=click.Choice(["fw-cfg", "cd"]),
    help="How metadata reaches the guest.  [default: fw-cfg on QEMU, else cd]",
)
@click.option(
    "--accel", type=click.Choice(["auto", "kvm", "tcg"]), help="How its processor is run."
)
@click.option(
    "--runner",
    type=click.Choice(["qemu", "libvirt", "virtualbox", "vmware"]),
    help="What it runs on.  [default: qemu]",
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

    BUILD is what 'ingot build' wrote, NAME or DIR/NAME, or the file of a disk or CD image. A
    machine keeps its flags and its disks: running it again needs only its name, and flags given
    then replace those kept.

    Without --detach the terminal is the machine's serial console: every key goes to the machine,
    except Ctrl-], which stops it through its guest, and pulls the plug when typed again. Without
    a terminal, Ctrl-C and SIGTERM do the same.

    \b
    Examples:
      ingot run store
      ingot run store --disk size=4G --publish 9000:9000 --publish 9001:9001 --wait
      ingot run build/store --name second --ip 192.168.65.101 --mem 512M --detach
      ingot run --boot iso --uefi store
      ingot run store --data-file settings.json --detach
      ingot run web --share ./site:site:ro --wait
      ingot run store --runner libvirt --detach
      ingot run store --network bridge=br0 --ip 10.1.2.3/24,gateway=10.1.2.1 --detach
      ingot run store --network tap=tap0 --ip fd00:1::5/64 --ip 10.1.2.3/24 --detach
      ingot run store --publish '[::1]:9000:9000' --publish 5353:53/udp --detach
    """
    from ingot.cli._machines import starter
    from ingot.cli._started import await_ready, introduce, report, wait_timeout_s

    request = _request(**flags)
    timeout_s = wait_timeout_s(wait=wait, wait_timeout=wait_timeout)
    if timeout_s is None and not detach:
        _run_attached(printer, request)
        return
    if timeout_s is not None:
        _check_wait(request)
    started = starter().start(request)
    introduce(printer, started)
    if timeout_s is None:
        report(printer, started.folder, started.process, "running")
    else:
        await_ready(printer, started.folder, started.process, timeout_s)


def _check_wait(request: Request) -> None:
    """Make sure, before anything starts, that the guest can say when it is ready.

    Raises:
        UsageError: its hypervisor gives it no port to say so.
    """
    from ingot.cli._machines import machines, refuse_without_channels
    from ingot.vm.request import machine_name
    from ingot.vm.runners.choice import runner_named

    folder = machines().folder(machine_name(request))
    kept = folder.read_spec().runner if folder.exists() else "qemu"
    runner = runner_named(request.runner or kept)
    refuse_without_channels(folder, runner, "waiting until services are ready")


def _request(
    *,
    prefix: str | None,
    name: str | None,
    cpus: int | None,
    mem: str | None,
    disks: tuple[str, ...],
    publishes: tuple[str, ...],
    networks: tuple[str, ...],
    addresses: tuple[str, ...],
    accel: Any,
    runner: Any,
    shares: tuple[str, ...],
    boot: Any,
    uefi: bool | None,
    data: str | None,
    metadata_way: Any,
    data_file: str | None,
    reset: bool,
) -> Request:
    from ingot.vm.disks.shares import parse_shares
    from ingot.vm.machine import parse_cpus, parse_memory_mib
    from ingot.vm.networks.addresses import parse_addresses
    from ingot.vm.networks.ports import parse_publishes
    from ingot.vm.request import Request

    return Request(
        prefix=prefix,
        name=name,
        cpus=None if cpus is None else parse_cpus(cpus),
        memory_mib=None if mem is None else parse_memory_mib(mem),
        disks=disks,
        ports=parse_publishes(publishes),
        networks=networks,
        addresses=parse_addresses(addresses),
        accelerator=accel,
        runner=runner,
        shares=parse_shares(shares),
        boot=boot,
        uefi=uefi,
        metadata=_metadata(data, data_file),
        metadata_way=metadata_way,
        reset=reset,
    )


def _metadata(text: str | None, file: str | None) -> bytes | None:
    """Return what the guest is told; None if nothing was said about it.

    Raises:
        UsageError: both are given, or the file cannot be read.
    """
    from ingot.base.errors import UsageError
    from ingot.vm.request import METADATA_BYTES_MAX

    if file is None:
        return None if text is None else text.encode()
    if text is not None:
        raise UsageError("--data and --data-file are two ways to say one thing; give one")
    try:
        with click.open_file(file, "rb") as stream:
            data: bytes = stream.read(METADATA_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"--data-file {file}: {error.strerror}") from error
    return data


def _run_attached(printer: Printer, request: Request) -> None:
    from ingot.cli._attached import Wishes, attend
    from ingot.cli._machines import starter
    from ingot.cli._started import introduce

    wishes = Wishes()
    # From before the start: no signal may end this command and leave the machine behind.
    with wishes.from_signals():
        started = starter().start(request)
        introduce(printer, started)
        attend(printer, started, wishes)
