"""`ingot admin policy`: what users and groups may do, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_alias, complete_path
from ingot.cli._policyfile import policy_of
from ingot.cli._table import table
from ingot.cli.admin._names import complete_group, complete_policy, complete_user
from ingot.cli.admin._service import administered, joined, on_each
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.s3client.client import S3Client
    from ingot.s3client.identityresults import PolicyEntities


@click.group()
def policy() -> None:
    """Keep policies, and say who has them.

    readonly, readwrite, writeonly, diagnostics and consoleAdmin are there from the beginning.

    \b
    Examples:
      ingot admin policy create store look look.json
      ingot admin policy attach store look --user ann
      ingot admin policy entities store
    """


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("name", metavar="POLICY", shell_complete=complete_policy)
@click.argument("file", type=click.Path(allow_dash=True), shell_complete=complete_path)
@output_options
def create(printer: Printer, *, target: str, name: str, file: str) -> None:
    """Keep the policy of FILE (`-` is standard input) under a name; replaces one of that name.

    \b
    Examples:
      ingot admin policy create store look look.json
      ingot admin policy info store look | ingot admin policy create other look -
    """
    from ingot.s3client.errors import ServiceError

    written = policy_of(file)
    with administered(target) as client:
        try:
            client.add_canned_policy(name, written.data)
        except ServiceError as error:
            raise written.located(error) from error
    printer.data({"policy": name, "isGroup": False}, f"created {visible(name)}")


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument(
    "names", metavar="POLICY...", nargs=-1, required=True, shell_complete=complete_policy
)
@output_options
def remove(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Remove policies that nobody has.

    \b
    Examples:
      ingot admin policy remove store look
    """

    def act(client: S3Client, name: str) -> None:
        client.remove_canned_policy(name)
        printer.data({"policy": name, "isGroup": False}, f"removed {visible(name)}")

    on_each(target, names, printer, act)


@policy.command("list")
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@output_options
def list_(printer: Printer, *, target: str) -> None:
    """List the names of policies; with --json, what they say too.

    \b
    Examples:
      ingot admin policy list store
    """
    with administered(target) as client:
        for name, document in client.list_canned_policies().items():
            told = {"PolicyName": name, "Policy": document}
            printer.data({"policy": name, "policyInfo": told, "isGroup": False}, visible(name))


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("name", metavar="POLICY", shell_complete=complete_policy)
@output_options
def info(printer: Printer, *, target: str, name: str) -> None:
    """Print a policy, for `ingot admin policy create`.

    \b
    Examples:
      ingot admin policy info store look
      ingot admin policy info store look > look.json
    """
    import json

    with administered(target) as client:
        found = client.info_canned_policy(name)
    told: dict[str, Any] = {"PolicyName": found.policy_name, "Policy": found.policy}
    moments = (("CreateDate", found.create_date), ("UpdateDate", found.update_date))
    told |= {field: moment for field, moment in moments if moment}
    text = json.dumps(found.policy, indent=2, ensure_ascii=False)
    printer.data({"policy": name, "policyInfo": told, "isGroup": False}, text)


def _holder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--user", "-u", metavar="USER", help="The user.", shell_complete=complete_user
        ),
        click.option(
            "--group", "-g", metavar="GROUP", help="The group.", shell_complete=complete_group
        ),
    ):
        command = option(command)
    return command


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument(
    "names", metavar="POLICY...", nargs=-1, required=True, shell_complete=complete_policy
)
@_holder_options
@output_options
def attach(
    printer: Printer, *, target: str, names: tuple[str, ...], user: str | None, group: str | None
) -> None:
    """Give policies to a user, or to a group.

    \b
    Examples:
      ingot admin policy attach store look --user ann
      ingot admin policy attach store look readonly --group staff
    """
    with administered(target) as client:
        _associate(printer, client.attach_policy, names, user, group, word="attached")


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument(
    "names", metavar="POLICY...", nargs=-1, required=True, shell_complete=complete_policy
)
@_holder_options
@output_options
def detach(
    printer: Printer, *, target: str, names: tuple[str, ...], user: str | None, group: str | None
) -> None:
    """Take policies from a user, or from a group.

    \b
    Examples:
      ingot admin policy detach store look --user ann
    """
    with administered(target) as client:
        _associate(printer, client.detach_policy, names, user, group, word="detached")


@policy.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.option(
    "--user",
    "-u",
    "users",
    multiple=True,
    metavar="USER",
    help="What this user has.",
    shell_complete=complete_user,
)
@click.option(
    "--group",
    "-g",
    "groups",
    multiple=True,
    metavar="GROUP",
    help="What this has.",
    shell_complete=complete_group,
)
@click.option(
    "--policy",
    "-p",
    "names",
    multiple=True,
    metavar="POLICY",
    help="Who has this.",
    shell_complete=complete_policy,
)
@output_options
def entities(
    printer: Printer,
    *,
    target: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    names: tuple[str, ...],
) -> None:
    """Tell who has which policies; of all, or of those that are named.

    \b
    Examples:
      ingot admin policy entities store
      ingot admin policy entities store --user ann --user bob
      ingot admin policy entities store --policy look
    """
    import msgspec

    with administered(target) as client:
        found = client.policy_entities(users=users, groups=groups, policies=names)
    printer.data({"result": msgspec.to_builtins(found)}, _tables(found) or None)


def _tables(found: PolicyEntities) -> str:
    tables = []
    if found.user_mappings:
        rows = [
            (
                *(one.user, joined(one.policies)),
                joined([f"{g.group} ({joined(g.policies)})" for g in one.member_of_mappings or ()]),
            )
            for one in found.user_mappings
        ]
        tables.append(table(("USER", "POLICIES", "BY GROUPS"), rows))
    if found.group_mappings:
        pairs = [(one.group, joined(one.policies)) for one in found.group_mappings]
        tables.append(table(("GROUP", "POLICIES"), pairs))
    if found.policy_mappings:
        rows = [
            (one.policy, joined(one.users), joined(one.groups)) for one in found.policy_mappings
        ]
        tables.append(table(("POLICY", "USERS", "GROUPS"), rows))
    return "\n\n".join(tables)


def _associate(
    printer: Printer,
    change: Callable[..., list[str]],
    names: tuple[str, ...],
    user: str | None,
    group: str | None,
    *,
    word: str,
) -> None:
    from ingot.base.errors import UsageError
    from ingot.client.identities import changed_policies

    if bool(user) == bool(group):
        raise UsageError("name one user or one group: --user USER, or --group GROUP")
    holder = {"user": user} if user else {"group": group}
    changed = changed_policies(lambda: change(names, **holder))
    document = {f"policies{word.capitalize()}": [*names], **holder}
    said = f"{word} {visible(joined(names))}: {visible(user or group or '')}"
    printer.data(document, said)
    if same := [name for name in names if name not in changed]:
        printer.note(f"this was so already: {joined(same)}")
