"""`ingot replicate`: which objects a service copies to another bucket by itself."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli._vocabulary import complete_extras
from ingot.cli.buckets._replicating import backlog, resync, status
from ingot.cli.buckets._rules import check_removal, removal_options
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.replication import Replication
    from ingot.s3client.client import S3Client


@click.group()
def replicate() -> None:
    """Let a service copy what is written to a bucket to another bucket, by rules.

    Both buckets must keep versions. The target is an ARN that the service knows: of a bucket, or
    of a remote target that was set up there.

    \b
    Examples:
      ingot replicate add store/photos --remote-bucket arn:aws:s3:::copies
      ingot replicate ls store/photos
      ingot replicate status store/photos
    """


for _command in (status, backlog, resync):
    replicate.add_command(_command)


@replicate.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--remote-bucket", "arn", required=True, metavar="ARN", help="Where to.")
@click.option("--role", default=None, metavar="ARN", help="Whose rights; Amazon asks for one.")
@click.option("--priority", type=click.IntRange(1), help="Of two rules the higher wins.")
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--tags", metavar="TAGS", help="Only objects with these, as 'a=1&b=2'.")
@click.option("--storage-class", metavar="CLASS", help="Of the copies.")
@click.option("--disable", is_flag=True, help="Keep the rule, but do not carry it out yet.")
@click.option("--id", "rule_id", help="The rule's name.")
@click.option(
    "--replicate",
    "extras",
    default="delete-marker",
    show_default=True,
    metavar="WORDS",
    shell_complete=complete_extras,
    help="Of delete-marker, delete (versions, MinIO), existing-objects, metadata-sync.",
)
@output_options
def add(
    printer: Printer,
    *,
    target: str,
    arn: str,
    role: str | None,
    rule_id: str | None,
    disable: bool,
    **said: Any,
) -> None:
    """Add a rule to the bucket TARGET.

    \b
    Examples:
      ingot replicate add store/photos --remote-bucket arn:aws:s3:::copies --prefix 2026/
    """
    from ingot.client.replication import added, made_rule

    rule = made_rule(arn, rule_id or secrets.token_hex(10), enabled=not disable, **said)

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.put_bucket_replication(address.bucket, added(_now(client, address), rule, role))
        printer.data(
            {"op": "add", "url": str(address), "id": rule.id}, f"added rule {rule.id} to {address}"
        )

    on_buckets(printer, [target], change)


@replicate.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--status", type=click.Choice(["enabled", "disabled"]), help="Only such rules.")
@output_options
def ls(printer: Printer, *, target: str, status: str | None) -> None:
    """Show the rules of the bucket TARGET.

    \b
    Examples:
      ingot replicate ls store/photos
    """
    from ingot.cli._table import table
    from ingot.client.jsonform import REPLICATION
    from ingot.client.replication import conditions, extras
    from ingot.s3.documents import replication

    def show(client: S3Client, address: RemoteAddress) -> None:
        now = _now(client, address)
        config: dict[str, Any] = {"Role": "", "Rules": []}
        if now is not None and status is not None:
            kept = tuple(rule for rule in now.rules if rule.enabled == (status == "enabled"))
            now = now._replace(rules=kept)
        if now is not None:
            config = REPLICATION.to_json(replication.render(now))
        rows = [
            (
                rule.id or "-",
                "on" if rule.enabled else "off",
                str(rule.priority or "-"),
                conditions(rule),
                rule.bucket,
                extras(rule),
            )
            for rule in (now.rules if now else ())
        ]
        headings = ("ID", "STATUS", "PRIORITY", "OBJECTS", "TARGET", "ALSO")
        printer.data(
            {"op": "list", "url": str(address), "config": config},
            table(headings, rows) if rows else None,
        )

    on_buckets(printer, [target], show)


@replicate.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--id", "rule_id", required=True, help="Which rule.")
@click.option("--state", type=click.Choice(["enable", "disable"]), help="Carry it out, or do not.")
@click.option("--priority", type=click.IntRange(1), help="Of two rules the higher wins.")
@click.option("--prefix", default=None, help="Only keys that begin so.")
@click.option("--tags", metavar="TAGS", help="Only objects with these, as 'a=1&b=2'.")
@click.option("--storage-class", metavar="CLASS", help="Of the copies.")
@click.option(
    "--replicate", "extras", metavar="WORDS", shell_complete=complete_extras, help="As with `add`."
)
@output_options
def update(printer: Printer, *, target: str, rule_id: str, state: str | None, **said: Any) -> None:
    """Change a rule of the bucket TARGET: what is said replaces, what is not said stays.

    \b
    Examples:
      ingot replicate update store/photos --id 3f9c… --state disable
    """
    from ingot.client.replication import updated

    enabled = None if state is None else state == "enable"

    def change(client: S3Client, address: RemoteAddress) -> None:
        now = client.get_bucket_replication(address.bucket)
        client.put_bucket_replication(
            address.bucket, updated(now, rule_id, enabled=enabled, **said)
        )
        printer.data({"op": "update", "url": str(address), "id": rule_id}, f"changed {rule_id}")

    on_buckets(printer, [target], change)


@replicate.command()
@click.argument("target", shell_complete=complete_remote)
@removal_options
@output_options
def rm(printer: Printer, *, target: str, rule_id: str | None, every: bool, force: bool) -> None:
    """Remove a rule of the bucket TARGET, or all.

    \b
    Examples:
      ingot replicate rm --id 3f9c… store/photos
    """
    from ingot.client.replication import without

    check_removal(printer, target, rule_id, every=every, force=force)

    def change(client: S3Client, address: RemoteAddress) -> None:
        rest = None
        if rule_id is not None:
            rest = without(client.get_bucket_replication(address.bucket), rule_id)
        if rest is None:
            client.delete_bucket_replication(address.bucket)
        else:
            client.put_bucket_replication(address.bucket, rest)
        what = "all rules" if rule_id is None else f"rule {rule_id}"
        document = {"op": "remove", "url": str(address), "id": rule_id or ""}
        printer.data(document, f"removed {what}")

    on_buckets(printer, [target], change)


@replicate.command()
@click.argument("target", shell_complete=complete_remote)
@output_options
def export(printer: Printer, *, target: str) -> None:
    """Print the rules of the bucket TARGET as JSON, for `ingot replicate import`.

    \b
    Examples:
      ingot replicate export store/photos > rules.json
    """
    import json

    from ingot.client.jsonform import REPLICATION
    from ingot.s3.documents import replication

    def show(client: S3Client, address: RemoteAddress) -> None:
        data = replication.render(client.get_bucket_replication(address.bucket))
        config = REPLICATION.to_json(data)
        text = json.dumps(config, indent=2, ensure_ascii=False)
        printer.data({"op": "export", "url": str(address), "config": config}, text)

    on_buckets(printer, [target], show)


@replicate.command("import")
@click.argument("target", shell_complete=complete_remote)
@click.argument("file", default="-", type=click.Path(allow_dash=True))
@output_options
def import_(printer: Printer, *, target: str, file: str) -> None:
    """Replace the rules of the bucket TARGET by those of FILE (or of standard input).

    \b
    Examples:
      ingot replicate import store/photos rules.json
    """
    from ingot.cli.buckets._settings import read_document
    from ingot.client.jsonform import REPLICATION
    from ingot.s3.documents import replication

    setting = read_document(file, REPLICATION, replication.parse)

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.put_bucket_replication(address.bucket, setting)
        count = len(setting.rules)
        document = {"op": "import", "url": str(address), "rules": count}
        printer.data(document, f"{address} has {count} rules")

    on_buckets(printer, [target], change)


def _now(client: S3Client, address: RemoteAddress) -> Replication | None:
    from ingot.s3client.errors import unless_absent

    return unless_absent(
        lambda: client.get_bucket_replication(address.bucket),
        "ReplicationConfigurationNotFoundError",
    )
