"""`ingot admin accesskey`: further keys of users, which may allow less and may end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli._completion import complete_alias
from ingot.cli._policyfile import policy_of
from ingot.cli._table import table
from ingot.cli.admin._names import complete_key, complete_made_key, complete_user
from ingot.cli.admin._service import (
    administered,
    on_each,
    secret_given,
    secret_options,
    state,
)
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.identities import KeyWish
    from ingot.s3client.client import S3Client
    from ingot.s3client.identityresults import AccessKeyInfo, AccessKeys

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def accesskey() -> None:
    """Keep further access keys of users.

    A key may do what its owner may, or less by a policy of its own, and it may end.

    \b
    Examples:
      ingot admin accesskey create store ann --expiry-duration 30d
      ingot admin accesskey list store
      ingot admin accesskey remove store KEY
    """


def _key_options(command: _Command) -> _Command:
    for option in (
        click.option(
            "--policy",
            metavar="FILE",
            type=click.Path(allow_dash=True),
            help="It may do only what this policy allows too; - is standard input.",
        ),
        click.option("--name", metavar="TEXT", help="What people call it."),
        click.option("--description", metavar="TEXT", help="What it is for."),
        click.option("--expiry", metavar="MOMENT", help="When it ends: 2027-01-31."),
        click.option(
            "--expiry-duration", metavar="DURATION", help="In how long it ends: 30d, 12h."
        ),
        click.option(
            "--secret-key",
            metavar="SECRET",
            help="The secret key; other users of this machine can see it.",
        ),
    ):
        command = option(command)
    return command


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("owner", metavar="[USER]", required=False, shell_complete=complete_user)
@click.option("--access-key", metavar="KEY", help="The access key; made up if not given.")
@_key_options
@secret_options
@output_options
def create(
    printer: Printer,
    *,
    target: str,
    owner: str | None,
    access_key: str | None,
    generate: bool,
    **said: str | None,
) -> None:
    """Make an access key of a user, or of whoever the alias's keys belong to.

    What of it is not given is made up, and shown once.

    \b
    Examples:
      ingot admin accesskey create store ann
      ingot admin accesskey create store ann --policy less.json --expiry 2027-01-31
      ingot admin accesskey create store ann --access-key backup --secret-key-file secret
    """
    from ingot.base.newkeys import random_access_key, random_secret_key

    wish = _wish(printer, said, generate=generate)
    key, secret = access_key or random_access_key(), wish.secret or random_secret_key()
    with administered(target) as client:
        wish.make(client, key, secret, owner or "")
    fields = {"name": wish.name, "description": wish.description, "expiration": wish.expiration}
    document = {"accessKey": key, **{name: text for name, text in fields.items() if text}}
    text = f"Access key: {visible(key)}"
    if wish.secret is None:
        document["secretKey"] = secret.reveal()
        text += f"\nSecret key: {secret.reveal()}"
    if wish.expiration:
        text += f"\nEnds:       {wish.expiration}"
    printer.data(document, text)
    if wish.secret is None:
        printer.note("keep the secret key; it is shown this once")


@accesskey.command("list")
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("users", metavar="[USER...]", nargs=-1, shell_complete=complete_user)
@click.option("--self", "own", is_flag=True, help="Those of whom the alias's keys belong to.")
@click.option("--all", "everybody", is_flag=True, help="Those of everybody.")
@click.option("--users-only", "kind", flag_value="users-only", help="Only whose there are.")
@click.option("--svcacc-only", "kind", flag_value="svcacc-only", help="Only those that were made.")
@click.option("--temp-only", "kind", flag_value="sts-only", help="Only temporary ones.")
@output_options
def list_(
    printer: Printer,
    *,
    target: str,
    users: tuple[str, ...],
    own: bool,
    everybody: bool,
    kind: str | None,
) -> None:
    """List the access keys of users, of everybody, or one's own.

    \b
    Examples:
      ingot admin accesskey list store
      ingot admin accesskey list store ann bob
    """
    from ingot.client.identities import listed_keys

    rows: list[tuple[str, ...]] = []
    with administered(target) as client:
        found = listed_keys(client, users, own=own, everybody=everybody, kind=kind or "all")
    for name, keys in found.items():
        made, temporary = keys.service_accounts or [], keys.sts_keys or []
        document = {
            "user": name,
            "stsKeys": [_document(key) for key in temporary],
            "svcaccs": [_document(key) for key in made],
        }
        printer.data(document, None)
        rows += _rows(name, keys) if kind != "users-only" else [(name,)]
    headings = ("USER", "ACCESS KEY", "STATE", "ENDS", "NAME")[
        : None if kind != "users-only" else 1
    ]
    if rows and not printer.as_json:
        printer.data({}, table(headings, rows))
    if not rows:
        printer.note("there are no access keys")


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, shell_complete=complete_key)
@output_options
def info(printer: Printer, *, target: str, keys: tuple[str, ...]) -> None:
    """Tell what access keys are, without their secret.

    \b
    Examples:
      ingot admin accesskey info store KEY
      ingot admin accesskey info --json store KEY
    """
    import json

    from ingot.cli.buckets._settings import table as facts

    def act(client: S3Client, key: str) -> None:
        found = client.info_service_account(key)
        rows = [
            ("user", found.parent_user),
            ("state", state(found.enabled is not False)),
            ("policy", "all that the user may do" if found.implied_policy else "its own"),
            ("ends", found.ends or "never"),
            *((name, text) for name, text in _texts(found) if text),
        ]
        text = facts(key, rows)
        document = _document(found)
        if found.policy and not found.implied_policy:
            document["policy"] = json.loads(found.policy)
            text += f"\n{json.dumps(document['policy'], indent=2, ensure_ascii=False)}"
        printer.data({**document, "accessKey": key}, text)

    on_each(target, keys, printer, act)


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("key", metavar="KEY", shell_complete=complete_made_key)
@_key_options
@secret_options
@output_options
def edit(printer: Printer, *, target: str, key: str, generate: bool, **said: str | None) -> None:
    """Change an access key; what is not said stays as it is.

    \b
    Examples:
      ingot admin accesskey edit store KEY --expiry 2027-01-31
      ingot admin accesskey edit store KEY --policy less.json
      ingot admin accesskey edit store KEY --generate
    """
    import dataclasses

    from ingot.base.newkeys import random_secret_key

    wish = _wish(printer, said, generate=generate)
    document, text = {"accessKey": key}, f"changed {visible(key)}"
    if generate:
        made = random_secret_key()
        wish = dataclasses.replace(wish, secret=made)
        document["secretKey"] = made.reveal()
        text += f"\nSecret key: {made.reveal()}"
    with administered(target) as client:
        wish.change(client, key)
    printer.data(document, text)
    if generate:
        printer.note("keep the secret key; it is shown this once")


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, shell_complete=complete_made_key)
@output_options
def enable(printer: Printer, *, target: str, keys: tuple[str, ...]) -> None:
    """Let access keys sign again.

    \b
    Examples:
      ingot admin accesskey enable store KEY
    """
    _set_status(printer, target, keys, enabled=True)


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, shell_complete=complete_made_key)
@output_options
def disable(printer: Printer, *, target: str, keys: tuple[str, ...]) -> None:
    """Let access keys sign no more.

    \b
    Examples:
      ingot admin accesskey disable store KEY
    """
    _set_status(printer, target, keys, enabled=False)


@accesskey.command()
@click.argument("target", metavar="ALIAS", shell_complete=complete_alias)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True, shell_complete=complete_made_key)
@output_options
def remove(printer: Printer, *, target: str, keys: tuple[str, ...]) -> None:
    """Take access keys away.

    \b
    Examples:
      ingot admin accesskey remove store KEY
    """

    def act(client: S3Client, key: str) -> None:
        client.delete_service_account(key)
        printer.data({"accessKey": key}, f"removed {visible(key)}")

    on_each(target, keys, printer, act)


def _set_status(printer: Printer, target: str, keys: tuple[str, ...], *, enabled: bool) -> None:
    from ingot.client.identities import update_key

    def act(client: S3Client, key: str) -> None:
        # The words that all services know.
        update_key(client, key, newStatus="on" if enabled else "off")
        printer.data({"accessKey": key}, f"{visible(key)} is {state(enabled)}")

    on_each(target, keys, printer, act)


def _wish(printer: Printer, said: dict[str, str | None], *, generate: bool) -> KeyWish:
    from ingot.base.clock import SystemClock
    from ingot.client.identities import KeyWish, expiration_of

    now_ns = SystemClock().now_ns()
    return KeyWish(
        secret=secret_given(printer, said["secret_key"], said["file"], generate=generate),
        policy=policy_of(said["policy"]) if said["policy"] is not None else None,
        name=said["name"],
        description=said["description"],
        expiration=expiration_of(said["expiry"], said["expiry_duration"], now_ns),
    )


def _rows(user: str, keys: AccessKeys) -> Iterator[tuple[str, ...]]:
    for key in keys.service_accounts or ():
        shown = "-" if key.enabled is None else state(key.enabled)
        yield user, key.access_key, shown, key.ends or "never", key.name or "-"
    for key in keys.sts_keys or ():
        yield user, key.access_key, "temporary", key.ends or "never", key.name or "-"


def _document(key: AccessKeyInfo) -> dict[str, Any]:
    """Return what is known of a key as mc's JSON has it; what is not, is not there."""
    document: dict[str, Any] = {"accessKey": key.access_key}
    if key.parent_user:
        document["parentUser"] = key.parent_user
    if key.enabled is not None:
        document["accountStatus"] = state(key.enabled)
        document["impliedPolicy"] = key.implied_policy
    document |= {name: text for name, text in _texts(key) if text}
    if key.ends:
        document["expiration"] = key.ends
    return document


def _texts(key: AccessKeyInfo) -> tuple[tuple[str, str], ...]:
    return ("name", key.name), ("description", key.description)
