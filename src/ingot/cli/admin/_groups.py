"""`ingot admin group`: users who have policies together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_alias
from ingot.cli.admin._names import complete_group, complete_member, complete_user
from ingot.cli.admin._service import administered, joined, on_each, state
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.s3client.client import S3Client


@click.group()
def group() -> None:
    """Keep groups of users, who have the policies of their groups besides their own.

    \b
    Examples:
      ingot admin group add store staff ann bob
      ingot admin policy attach store readonly --group staff
      ingot admin group info store staff
    """


@group.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("name", metavar="GROUP", shell_complete=complete_group)
@click.argument("members", metavar="USER...", nargs=-1, required=True, shell_complete=complete_user)
@output_options
def add(printer: Printer, *, target: str, name: str, members: tuple[str, ...]) -> None:
    """Add users to a group, which is made if there is none.

    \b
    Examples:
      ingot admin group add store staff ann bob
    """
    with administered(target) as client:
        client.update_group_members(name, members)
    said = f"added {visible(joined(members))} to {visible(name)}"
    printer.data({"groupName": name, "members": [*members]}, said)


@group.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("name", metavar="GROUP", shell_complete=complete_group)
@click.argument("members", metavar="[USER...]", nargs=-1, shell_complete=complete_member)
@output_options
def remove(printer: Printer, *, target: str, name: str, members: tuple[str, ...]) -> None:
    """Remove users from a group; or the group itself, if it has no members.

    \b
    Examples:
      ingot admin group remove store staff bob
      ingot admin group remove store staff
    """
    with administered(target) as client:
        client.update_group_members(name, members, remove=True)
    document: dict[str, Any] = {"groupName": name}
    if members:
        document["members"] = [*members]
        printer.data(document, f"removed {visible(joined(members))} from {visible(name)}")
    else:
        printer.data(document, f"removed {visible(name)}")


@group.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="GROUP...", nargs=-1, required=True, shell_complete=complete_group)
@output_options
def info(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Tell who is in groups, and what policies they have.

    \b
    Examples:
      ingot admin group info store staff
    """
    from ingot.cli.buckets._settings import table

    def act(client: S3Client, name: str) -> None:
        found = client.get_group(name)
        document: dict[str, Any] = {
            "groupName": name,
            "members": found.members or [],
            "groupStatus": found.status,
        }
        if found.policy:
            document["groupPolicy"] = found.policy
        rows = [
            ("state", found.status),
            ("policies", joined(found.policies)),
            ("members", joined(found.members)),
        ]
        printer.data(document, table(name, rows))

    on_each(target, names, printer, act)


@group.command("list")
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@output_options
def list_(printer: Printer, *, target: str) -> None:
    """List the names of groups.

    \b
    Examples:
      ingot admin group list store
    """
    with administered(target) as client:
        names = client.list_groups()
    printer.data({"groups": names}, "\n".join(map(visible, names)) or None)
    if not names:
        printer.note("there are no groups; add one with 'ingot admin group add'")


@group.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="GROUP...", nargs=-1, required=True, shell_complete=complete_group)
@output_options
def enable(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Let the policies of groups count again.

    \b
    Examples:
      ingot admin group enable store staff
    """
    _set_status(printer, target, names, enabled=True)


@group.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="GROUP...", nargs=-1, required=True, shell_complete=complete_group)
@output_options
def disable(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Let the policies of groups count no more; their members keep their own.

    \b
    Examples:
      ingot admin group disable store staff
    """
    _set_status(printer, target, names, enabled=False)


def _set_status(printer: Printer, target: str, names: tuple[str, ...], *, enabled: bool) -> None:
    def act(client: S3Client, name: str) -> None:
        client.set_group_status(name, enabled=enabled)
        document = {"groupName": name, "groupStatus": state(enabled)}
        printer.data(document, f"{visible(name)} is {state(enabled)}")

    on_each(target, names, printer, act)
