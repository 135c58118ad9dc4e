"""`ingot ready`: whether a service can serve requests."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_alias
from ingot.cli.printer import Printer, output_options

_ANSWER_TIMEOUT_S = 10.0


@click.command()
@click.argument("name", metavar="ALIAS", shell_complete=complete_alias)
@click.option("--cluster-read", is_flag=True, help="It is enough if it can be read from.")
@click.option(
    "--maintenance", is_flag=True, help="Would it stay so with the node that answers taken down?"
)
@click.option(
    "--timeout",
    default="0s",
    show_default=True,
    metavar="DURATION",
    help="Wait so long for it to become ready; 0s asks once.",
)
@output_options
def ready(
    printer: Printer, *, name: str, cluster_read: bool, maintenance: bool, timeout: str
) -> None:
    """Tell whether a service can serve requests; else the exit code is 7.

    Services other than Ingot and MinIO do not tell.

    \b
    Examples:
      ingot ready store
      ingot ready store --timeout 30s && ingot mirror ./photos store/photos
    """
    from ingot.base.units import parse_duration
    from ingot.client import health
    from ingot.client.aliases import AliasBook
    from ingot.s3client.endpoint import Endpoint

    alias = AliasBook.default().get(name)
    path = health.CLUSTER_READ_PATH if cluster_read else health.CLUSTER_PATH
    if maintenance:
        path += health.MAINTENANCE_QUERY
    with health.patient_transport(_ANSWER_TIMEOUT_S) as transport:
        endpoint = Endpoint.parse(alias.url)
        health.wait_until_ready(transport, endpoint, path, timeout_s=parse_duration(timeout))
    printer.data({"alias": name, "healthy": True}, f"{name} is ready")
