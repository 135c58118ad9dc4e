"""`ingot ilm`: rules by which objects expire and move."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._restore import restore
from ingot.cli.buckets._rules import check_removal, removal_options, rule_options, wish_of
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.lifecycle import LifecycleRule
    from ingot.s3client.client import S3Client


@click.group()
def ilm() -> None:
    """Let objects expire, or move to another storage class, by rules of their bucket.

    \b
    Examples:
      ingot ilm rule add --expire-days 30 --prefix tmp/ store/photos
      ingot ilm rule ls store/photos
      ingot ilm restore --days 7 store/archive/2024.tar
    """


ilm.add_command(restore)


@ilm.group()
def rule() -> None:
    """Keep the rules of a bucket.

    \b
    Examples:
      ingot ilm rule add --expire-days 30 store/photos
      ingot ilm rule export store/photos > rules.json
    """


@rule.command()
@click.argument("target", shell_complete=complete_remote)
@rule_options
@output_options
def add(printer: Printer, *, target: str, **said: Any) -> None:
    """Add a rule to the bucket TARGET.

    \b
    Examples:
      ingot ilm rule add --expire-days 30 --prefix tmp/ store/photos
      ingot ilm rule add --noncurrent-expire-days 7 --noncurrent-expire-newer 3 store/photos
      ingot ilm rule add --transition-days 90 --transition-tier GLACIER store/photos
      ingot ilm rule add --abort-days 2 store/photos
    """
    from ingot.client.lifecycle import applied
    from ingot.s3.documents.lifecycle import LifecycleRule

    made = applied(LifecycleRule(secrets.token_hex(10)), wish_of(**said))

    def change(client: S3Client, address: RemoteAddress) -> None:
        _put(client, address, [*_rules(client, address), made])
        printer.data({"target": str(address), "id": made.id}, f"added rule {made.id} to {address}")

    on_buckets(printer, [target], change)


@rule.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--id", "rule_id", required=True, help="Which rule.")
@click.option("--enable/--disable", "enabled", default=None, help="Carry it out, or do not.")
@rule_options
@output_options
def edit(printer: Printer, *, target: str, rule_id: str, enabled: bool | None, **said: Any) -> None:
    """Change a rule of the bucket TARGET: what is said replaces, what is not said stays.

    \b
    Examples:
      ingot ilm rule edit --id 3f9c… --expire-days 60 store/photos
      ingot ilm rule edit --id 3f9c… --disable store/photos
    """
    from ingot.client.lifecycle import applied, replaced, rule_of

    wish = wish_of(**said)

    def change(client: S3Client, address: RemoteAddress) -> None:
        rules = _rules(client, address)
        made = applied(rule_of(rules, rule_id), wish)
        if enabled is not None:
            made = made._replace(enabled=enabled)
        _put(client, address, replaced(rules, made))
        printer.data({"target": str(address), "id": rule_id}, f"changed rule {rule_id}")

    on_buckets(printer, [target], change)


@rule.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--expiry", is_flag=True, help="Only rules by which something is removed.")
@click.option("--transition", is_flag=True, help="Only rules by which something moves.")
@output_options
def ls(printer: Printer, *, target: str, expiry: bool, transition: bool) -> None:
    """Show the rules of the bucket TARGET.

    \b
    Examples:
      ingot ilm rule ls store/photos
    """
    from ingot.cli._table import table
    from ingot.client.jsonform import LIFECYCLE
    from ingot.client.lifecycle import actions, conditions, expires, moves
    from ingot.s3.documents import lifecycle

    def show(client: S3Client, address: RemoteAddress) -> None:
        rules = _rules(client, address)
        if expiry or transition:
            rules = [
                one for one in rules if (expiry and expires(one)) or (transition and moves(one))
            ]
        config = {"Rules": [], **LIFECYCLE.to_json(lifecycle.render(rules))}
        document = {"target": str(address), "config": config}
        rows = [
            (
                one.id or "-",
                "on" if one.enabled else "off",
                conditions(one.filter),
                actions(one),
            )
            for one in rules
        ]
        text = table(("ID", "STATUS", "OBJECTS", "ACTIONS"), rows) if rows else None
        printer.data(document, text)

    on_buckets(printer, [target], show)


@rule.command()
@click.argument("target", shell_complete=complete_remote)
@removal_options
@output_options
def rm(printer: Printer, *, target: str, rule_id: str | None, every: bool, force: bool) -> None:
    """Remove a rule of the bucket TARGET, or all.

    \b
    Examples:
      ingot ilm rule rm --id 3f9c… store/photos
      ingot ilm rule rm --all --force store/photos
    """
    from ingot.client.lifecycle import without

    check_removal(printer, target, rule_id, every=every, force=force)

    def change(client: S3Client, address: RemoteAddress) -> None:
        rest = [] if rule_id is None else without(_rules(client, address), rule_id)
        if rest:
            _put(client, address, rest)
        else:
            client.delete_bucket_lifecycle(address.bucket)
        what = "all rules" if rule_id is None else f"rule {rule_id}"
        document = {"target": str(address), "id": rule_id or "", "all": every}
        printer.data(document, f"removed {what}")

    on_buckets(printer, [target], change)


@rule.command()
@click.argument("target", shell_complete=complete_remote)
@output_options
def export(printer: Printer, *, target: str) -> None:
    """Print the rules of the bucket TARGET as JSON, for `ingot ilm rule import`.

    \b
    Examples:
      ingot ilm rule export store/photos > rules.json
    """
    import json

    from ingot.client.jsonform import LIFECYCLE
    from ingot.s3.documents import lifecycle

    def show(client: S3Client, address: RemoteAddress) -> None:
        rules = client.get_bucket_lifecycle_configuration(address.bucket)
        config = LIFECYCLE.to_json(lifecycle.render(rules))
        text = json.dumps(config, indent=2, ensure_ascii=False)
        printer.data({"target": str(address), "config": config}, text)

    on_buckets(printer, [target], show)


@rule.command("import")
@click.argument("target", shell_complete=complete_remote)
@click.argument("file", default="-", type=click.Path(allow_dash=True))
@output_options
def import_(printer: Printer, *, target: str, file: str) -> None:
    """Replace the rules of the bucket TARGET by those of FILE (or of standard input).

    They are written as JSON, as `ingot ilm rule export`, mc and Amazon's command line write them,
    or as XML.

    \b
    Examples:
      ingot ilm rule import store/photos rules.json
      ingot ilm rule export store/photos | ingot ilm rule import store/films
    """
    from ingot.cli.buckets._settings import read_document
    from ingot.client.jsonform import LIFECYCLE
    from ingot.s3.documents import lifecycle

    rules = read_document(file, LIFECYCLE, lifecycle.parse)

    def change(client: S3Client, address: RemoteAddress) -> None:
        _put(client, address, rules)
        printer.data(
            {"target": str(address), "rules": len(rules)}, f"{address} has {len(rules)} rules"
        )

    on_buckets(printer, [target], change)


def _rules(client: S3Client, address: RemoteAddress) -> list[LifecycleRule]:
    from ingot.s3client.errors import unless_absent

    return (
        unless_absent(
            lambda: client.get_bucket_lifecycle_configuration(address.bucket),
            "NoSuchLifecycleConfiguration",
        )
        or []
    )


def _put(client: S3Client, address: RemoteAddress, rules: Sequence[LifecycleRule]) -> None:
    client.put_bucket_lifecycle_configuration(address.bucket, rules)
