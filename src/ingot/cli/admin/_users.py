"""`ingot admin user`: who may sign, besides root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_alias
from ingot.cli._table import table
from ingot.cli.admin._names import complete_user
from ingot.cli.admin._service import (
    administered,
    joined,
    on_each,
    secret_given,
    secret_options,
    state,
)
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.identities import Member
    from ingot.s3client.client import S3Client


@click.group()
def user() -> None:
    """Keep users. Their name is their access key.

    A new user may do nothing until a policy is attached to them or to one of their groups.

    \b
    Examples:
      ingot admin user add store ann
      ingot admin user list store
      ingot admin user disable store ann
    """


@user.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("name", metavar="NAME")
@click.argument("secret_key", metavar="[SECRET]", required=False)
@secret_options
@output_options
def add(
    printer: Printer,
    *,
    target: str,
    name: str,
    secret_key: str | None,
    file: str | None,
    generate: bool,
) -> None:
    """Add a user, or give one another secret key; they are enabled then.

    The secret key is asked for on a terminal, or read from standard input (one line). SECRET, as mc
    takes it, can be seen by other users of this machine.

    \b
    Examples:
      ingot admin user add store ann
      ingot admin user add store ann --generate
      ingot admin user add store ann --secret-key-file ann.secret
      pass show store/ann | ingot admin user add store ann
    """
    from ingot.base.newkeys import random_secret_key
    from ingot.cli._keys import read_secret_key

    secret = secret_given(printer, secret_key, file, generate=generate)
    if secret is None:
        secret = random_secret_key() if generate else read_secret_key(None, None)
    with administered(target) as client:
        client.add_user(name, secret)
    document = {"accessKey": name, "userStatus": state(True)}
    text = f"added {visible(name)}"
    if generate:
        document["secretKey"] = secret.reveal()
        text += f"\nSecret key: {secret.reveal()}"
    printer.data(document, text)
    if generate:
        printer.note("keep the secret key; it is shown this once")


@user.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_user)
@output_options
def disable(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Let users sign no more, nor their access keys.

    \b
    Examples:
      ingot admin user disable store ann
    """
    _set_status(printer, target, names, enabled=False)


@user.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_user)
@output_options
def enable(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Let users sign again.

    \b
    Examples:
      ingot admin user enable store ann
    """
    _set_status(printer, target, names, enabled=True)


@user.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_user)
@output_options
def remove(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Remove users, with their access keys.

    \b
    Examples:
      ingot admin user remove store ann
    """

    def act(client: S3Client, name: str) -> None:
        client.remove_user(name)
        printer.data({"accessKey": name}, f"removed {visible(name)}")

    on_each(target, names, printer, act)


@user.command("list")
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@output_options
def list_(printer: Printer, *, target: str) -> None:
    """List users, with their policies and their groups'.

    \b
    Examples:
      ingot admin user list store
    """
    from ingot.client.identities import Members

    rows = []
    with administered(target) as client:
        for member in Members(client).all():
            printer.data(_document(member), None)
            groups = joined([f"{group} ({joined(has)})" for group, has in member.groups.items()])
            rows.append((member.name, state(member.enabled), _policies(member), groups))
    if rows and not printer.as_json:
        printer.data({}, table(("NAME", "STATE", "POLICIES", "BY GROUPS"), rows))
    if not rows:
        printer.note("there are no users; add one with 'ingot admin user add'")


@user.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_user)
@output_options
def info(printer: Printer, *, target: str, names: tuple[str, ...]) -> None:
    """Tell what users have: their state, policies and groups.

    \b
    Examples:
      ingot admin user info store ann
    """
    from ingot.cli.buckets._settings import table as facts
    from ingot.client.identities import Members

    def act(client: S3Client, name: str) -> None:
        member = Members(client).get(name)
        rows = [("state", state(member.enabled)), ("policies", _policies(member))]
        rows += [(f"group {group}", joined(has)) for group, has in member.groups.items()]
        printer.data(_document(member), facts(name, rows))

    on_each(target, names, printer, act)


def _set_status(printer: Printer, target: str, names: tuple[str, ...], *, enabled: bool) -> None:
    def act(client: S3Client, name: str) -> None:
        client.set_user_status(name, enabled=enabled)
        document = {"accessKey": name, "userStatus": state(enabled)}
        printer.data(document, f"{visible(name)} is {state(enabled)}")

    on_each(target, names, printer, act)


def _policies(member: Member) -> str:
    return joined([name for name in member.policies.split(",") if name])


def _document(member: Member) -> dict[str, Any]:
    document: dict[str, Any] = {"accessKey": member.name, "userStatus": state(member.enabled)}
    if member.policies:
        document["policyName"] = member.policies
    if member.groups:
        groups = member.groups.items()
        document["memberOf"] = [{"name": name, "policies": policies} for name, policies in groups]
    return document
