"""`ingot event`: which events of a bucket are told to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli._vocabulary import complete_events
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.notification import Hook
    from ingot.s3client.client import S3Client


@click.group()
def event() -> None:
    """Say which events of a bucket are told to which targets of its service.

    \b
    Examples:
      ingot event add store/photos arn:minio:sqs::1:webhook --event put,delete --suffix .jpg
      ingot event ls store/photos
    """


@event.command()
@click.argument("target", shell_complete=complete_remote)
@click.argument("arn")
@click.option(
    "--event",
    "words",
    default="put,delete,get",
    show_default=True,
    metavar="EVENTS",
    shell_complete=complete_events,
    help="put, delete, get, replica, ilm, scanner, or names as s3:ObjectCreated:Put.",
)
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--suffix", default="", help="Only keys that end so.")
@click.option("--ignore-existing", "-p", is_flag=True, help="The same again is fine.")
@output_options
def add(
    printer: Printer,
    *,
    target: str,
    arn: str,
    words: str,
    prefix: str,
    suffix: str,
    ignore_existing: bool,
) -> None:
    """Tell events of the bucket TARGET to the target of the service that ARN names.

    \b
    Examples:
      ingot event add store/photos arn:minio:sqs::1:webhook
      ingot event add store/photos arn:aws:sqs:eu-1:12:queue --event put --prefix in/
    """
    from ingot.base.errors import ConflictError
    from ingot.client.hooks import made_hook, same_hook

    hook = made_hook(arn, words, prefix=prefix, suffix=suffix)

    def change(client: S3Client, address: RemoteAddress) -> None:
        now = client.get_bucket_notification_configuration(address.bucket)
        known = next((one for one in now.hooks if same_hook(one, hook)), None)
        if known is None:
            client.put_bucket_notification_configuration(
                address.bucket, now._replace(hooks=(*now.hooks, hook))
            )
        elif not ignore_existing:
            raise ConflictError(f"{address} tells that already", hint="see 'ingot event ls'")
        printer.data(_document(known or hook), f"{address} tells {arn}")

    on_buckets(printer, [target], change)


@event.command()
@click.argument("target", shell_complete=complete_remote)
@click.argument("arn", required=False)
@click.option(
    "--event",
    "words",
    metavar="EVENTS",
    shell_complete=complete_events,
    help="Only what was added for these.",
)
@click.option("--prefix", help="Only what was added with this prefix.")
@click.option("--suffix", help="Only what was added with this suffix.")
@click.option("--force", is_flag=True, help="Without ARN: forget all, do not ask.")
@output_options
def rm(
    printer: Printer,
    *,
    target: str,
    arn: str | None,
    words: str | None,
    prefix: str | None,
    suffix: str | None,
    force: bool,
) -> None:
    """Tell ARN nothing any more, or nobody.

    \b
    Examples:
      ingot event rm store/photos arn:minio:sqs::1:webhook
      ingot event rm store/photos arn:minio:sqs::1:webhook --prefix in/
      ingot event rm --force store/photos
    """
    from ingot.base.errors import NotFoundError, UsageError
    from ingot.client.hooks import matches

    if arn is None and not printer.confirm(f"Forget all events of {target}?", yes=force):
        raise UsageError("nothing was removed", hint="name an ARN, or add --force to forget all")

    def change(client: S3Client, address: RemoteAddress) -> None:
        now = client.get_bucket_notification_configuration(address.bucket)
        gone = [one for one in now.hooks if matches(one, arn, words, prefix, suffix)]
        if not gone and arn is not None:
            raise NotFoundError(f"{address} tells nothing of that to {arn}")
        kept = tuple(one for one in now.hooks if one not in gone)
        if gone:
            client.put_bucket_notification_configuration(address.bucket, now._replace(hooks=kept))
        for one in gone:
            printer.data(_document(one), f"{address} tells {one.arn} no more")

    on_buckets(printer, [target], change)


@event.command()
@click.argument("target", shell_complete=complete_remote)
@click.argument("arn", required=False)
@output_options
def ls(printer: Printer, *, target: str, arn: str | None) -> None:
    """Show what the bucket TARGET tells, to ARN or to all.

    \b
    Examples:
      ingot event ls store/photos
    """
    from ingot.cli._table import table

    def show(client: S3Client, address: RemoteAddress) -> None:
        now = client.get_bucket_notification_configuration(address.bucket)
        hooks = [one for one in now.hooks if arn in (None, one.arn)]
        if printer.as_json:
            for one in hooks:
                printer.data(_document(one), None)
        elif hooks:
            rows = [(one.arn, ",".join(one.events), one.prefix, one.suffix) for one in hooks]
            printer.data({}, table(("ARN", "EVENTS", "PREFIX", "SUFFIX"), rows))

    on_buckets(printer, [target], show)


def _document(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id or "",
        "arn": hook.arn,
        "event": list(hook.events),
        "prefix": hook.prefix,
        "suffix": hook.suffix,
    }
