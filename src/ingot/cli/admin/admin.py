"""`ingot admin`: users, groups, policies and access keys of a service, and what it is."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_alias
from ingot.cli.admin._access_keys import accesskey
from ingot.cli.admin._groups import group
from ingot.cli.admin._policies import policy
from ingot.cli.admin._service import administered
from ingot.cli.admin._users import user
from ingot.cli.printer import Printer, output_options


@click.group()
def admin() -> None:
    """Administer a service: who may use it, and what for.

    Services with MinIO's admin API have it, and the alias needs an administrator's keys.

    \b
    Examples:
      ingot admin info store
      ingot admin user add store ann
      ingot admin policy create store look look.json
      ingot admin policy attach store look --user ann
      ingot admin accesskey create store ann --expiry-duration 30d
    """


for _group in (user, group, policy, accesskey):
    admin.add_command(_group)


@admin.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@output_options
def info(printer: Printer, *, target: str) -> None:
    """Tell what a service is, and what it holds.

    \b
    Examples:
      ingot admin info store
      ingot admin info --json store
    """
    from ingot.cli.buckets._settings import table
    from ingot.client.serverfacts import facts_of

    with administered(target) as client:
        told = client.server_info()
    text = "\n".join(table(facts.title, facts.rows) for facts in facts_of(told))
    printer.data({"info": told}, text)
