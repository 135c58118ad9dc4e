"""`ingot port`: where a machine's published ports answer on the host."""

from __future__ import annotations

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.argument("guest_port", metavar="[PORT[/udp]]", required=False)
@output_options
def port(printer: Printer, *, name: str, guest_port: str | None) -> None:
    """Print where a machine's published ports answer on this host.

    With PORT, a port of the guest, only the address of that one is printed, for use in scripts.

    \b
    Examples:
      ingot port store
      curl "http://$(ingot port store 9000)/minio/health/live"
    """
    import msgspec

    from ingot.base.errors import NotFoundError
    from ingot.cli._machines import machines
    from ingot.vm.networks.ports import parse_guest_port

    ports = machines().folder(name).read_spec().ports
    if guest_port is not None:
        wanted = parse_guest_port(guest_port)
        ports = tuple(port for port in ports if (port.guest_port, port.protocol) == wanted)
        if not ports:
            raise NotFoundError(
                f"machine {name!r} does not publish port {guest_port}",
                hint=f"'ingot port {name}' lists what it publishes",
            )
    for one in ports:
        text = one.endpoint
        if guest_port is None:
            text = f"{one.guest_port}/{one.protocol} -> {one.endpoint}"
        printer.data({"type": "port", "name": name, **msgspec.structs.asdict(one)}, text)
