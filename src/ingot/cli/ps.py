"""`ingot ps`: what machines there are and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.machine import MachineSpec
    from ingot.vm.state.folders import MachineFolder

_COLUMNS = ("machine", "state", "pid", "uptime", "ip", "ports", "accel")


@click.command()
@click.option("--all", "-a", "show_all", is_flag=True, help="List stopped machines too.")
@output_options
def ps(printer: Printer, *, show_all: bool) -> None:
    """List machines.

    STATE is `booting`, `ready`, `failed` or `stopping`, as the guest says of itself; `running`
    if it says nothing; `stopped` if it does not run.

    \b
    Examples:
      ingot ps
      ingot ps --all --json
    """
    from ingot.base.errors import Error
    from ingot.cli._machines import machines, table

    rows = []
    for folder in machines().folders():
        try:
            row = _row(folder)
        except Error as error:
            # One machine of another release must not hide the others.
            printer.warning(error.message)
            continue
        if show_all or row["running"]:
            rows.append(row)
    if printer.as_json:
        for row in rows:
            printer.data({"type": "machine", **row}, None)
        return
    printer.data({}, table(_COLUMNS, [_cells(row) for row in rows]))


def _row(folder: MachineFolder) -> dict[str, Any]:
    import msgspec

    from ingot.base.clock import SystemClock
    from ingot.vm.guest.status import read_status
    from ingot.vm.request import networks_of

    spec = folder.read_spec()
    process = folder.process()
    status = read_status(folder.status_path)
    row: dict[str, Any] = {
        "name": folder.name,
        "runner": spec.runner,
        "state": status.state if process else "stopped",
        "running": process is not None,
        "ip": _address(spec),
        "ip6": spec.address6.address if spec.address6 else None,
        "networks": [msgspec.structs.asdict(network) for network in networks_of(spec)],
        "ports": [msgspec.structs.asdict(port) for port in spec.ports],
        "shares": [msgspec.structs.asdict(share) for share in spec.shares],
        "build": spec.prefix,
        "folder": str(folder.path),
    }
    if process is not None:
        row |= {
            "pid": process.pid,
            "uptime_s": round((SystemClock().now_ns() - process.started_ns) / 1e9, 1),
            "accelerator": process.accelerator,
            "accelerator_reason": process.accelerator_reason,
            "services": status.services,
        }
        if status.state == "failed":
            row["reason"] = status.reason
    return row


def _address(spec: MachineSpec) -> str | None:
    """Return the IPv4 address of the first card, if the host knows it."""
    from ingot.vm.networks.addresses import DEFAULT_GUEST_ADDRESS
    from ingot.vm.request import networks_of

    if spec.address is not None:
        return spec.address.address
    networks = networks_of(spec)
    on_user_network = bool(networks) and networks[0].kind == "user"
    # VMware's own network is the host's to configure.
    return DEFAULT_GUEST_ADDRESS if on_user_network and spec.runner != "vmware" else None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from ingot.base.units import format_duration
    from ingot.vm.machine import PublishedPort

    ports = ", ".join(str(PublishedPort(**port)) for port in row["ports"])
    addresses = ", ".join(filter(None, (row["ip"], row["ip6"])))
    uptime = format_duration(row["uptime_s"]) if row["running"] else "-"
    return (
        row["name"],
        row["state"],
        str(row.get("pid", "-")),
        uptime,
        addresses or "-",
        ports or "-",
        row.get("accelerator", "-"),
    )
