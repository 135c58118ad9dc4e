"""`ingot retention`: until when objects must stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import choice_of, on_buckets, on_versions, version_options
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.client.versions import Chosen
    from ingot.s3.documents.lock import LockConfiguration, Retention
    from ingot.s3client.client import S3Client

# Services that never heard of a retention for this object, or lock for this bucket.
_NOTHING = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"})


@click.group()
def retention() -> None:
    """Say until when objects must stay; the bucket must have been made with object lock.

    \b
    Examples:
      ingot mb --with-lock store/ledger
      ingot retention set --default compliance 1y store/ledger
      ingot retention info store/ledger/2026.csv
    """


@retention.command("set")
@click.argument("mode", type=click.Choice(["governance", "compliance"], case_sensitive=False))
@click.argument("validity")
@click.argument("target", shell_complete=complete_remote)
@click.option("--default", is_flag=True, help="For all new objects of the bucket TARGET.")
@click.option("--bypass", is_flag=True, help="Shorten one in governance mode, if you may.")
@version_options
@output_options
def set_(
    printer: Printer,
    *,
    mode: str,
    validity: str,
    target: str,
    default: bool,
    bypass: bool,
    **which: Any,
) -> None:
    """Keep TARGET for VALIDITY, 30d or 1y, from now on.

    In governance mode those who have the right to may shorten it; in compliance mode nobody may.

    \b
    Examples:
      ingot retention set governance 30d store/ledger/2026.csv
      ingot retention set --recursive compliance 1y store/ledger/2025/
      ingot retention set --default governance 30d store/ledger
    """
    from ingot.base.clock import SystemClock
    from ingot.client.validity import parse_validity
    from ingot.s3.documents.lock import LockConfiguration, Retention

    time = parse_validity(validity)
    mode = mode.upper()
    if default:
        _check_default(bypass=bypass, **which)
        configuration = LockConfiguration(default=time.default(mode))

        def put_default(client: S3Client, address: RemoteAddress) -> None:
            client.put_object_lock_configuration(address.bucket, configuration)
            document = {"op": "set", "urlpath": str(address), "enabled": "Enabled"}
            document |= {"mode": mode, "validity": str(time)}
            printer.data(document, f"new objects of {address} stay {validity} ({mode})")

        on_buckets(printer, [target], put_default)
        return
    value = Retention(mode, time.until_ns(SystemClock().now_ns()))

    def put(client: S3Client, item: Chosen) -> None:
        client.put_object_retention(
            item.address.bucket,
            item.address.key,
            value,
            version_id=item.version_id,
            bypass=bypass,
        )
        document = {**_document("set", item), **_values(value), "validity": str(time)}
        printer.data(document, f"{visible(str(item))} {_words(value)}")

    on_versions(printer, [target], choice_of(**which), put)


@retention.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--default", is_flag=True, help="That of new objects of the bucket TARGET.")
@click.option(
    "--bypass", is_flag=True, help="Of those in governance mode; you must have the right."
)
@version_options
@output_options
def clear(printer: Printer, *, target: str, default: bool, bypass: bool, **which: Any) -> None:
    """Let TARGET be removed again; one in compliance mode cannot be let go.

    \b
    Examples:
      ingot retention clear --bypass store/ledger/2026.csv
      ingot retention clear --default store/ledger
    """
    from ingot.s3.documents.lock import LockConfiguration

    if default:
        _check_default(bypass=bypass, **which)

        def clear_default(client: S3Client, address: RemoteAddress) -> None:
            client.put_object_lock_configuration(address.bucket, LockConfiguration())
            document = {"op": "clear", "urlpath": str(address), "enabled": "Enabled"}
            printer.data(document, f"new objects of {address} may be removed")

        on_buckets(printer, [target], clear_default)
        return

    def put(client: S3Client, item: Chosen) -> None:
        client.put_object_retention(
            item.address.bucket,
            item.address.key,
            None,
            version_id=item.version_id,
            bypass=bypass,
        )
        printer.data(_document("clear", item), f"{visible(str(item))} may be removed")

    on_versions(printer, [target], choice_of(**which), put)


@retention.command()
@click.argument("target", shell_complete=complete_remote)
@click.option("--default", is_flag=True, help="That of new objects of the bucket TARGET.")
@version_options
@output_options
def info(printer: Printer, *, target: str, default: bool, **which: Any) -> None:
    """Tell until when TARGET must stay.

    \b
    Examples:
      ingot retention info store/ledger/2026.csv
      ingot retention info --default store/ledger
      ingot retention info --recursive --versions store/ledger/
    """
    from ingot.s3client.errors import unless_absent

    if default:
        _check_default(bypass=False, **which)
        on_buckets(
            printer,
            [target],
            lambda client, address: _tell_default(
                printer, address, client.get_object_lock_configuration(address.bucket)
            ),
        )
        return

    def show(client: S3Client, item: Chosen) -> None:
        value = unless_absent(
            lambda: client.get_object_retention(
                item.address.bucket, item.address.key, version_id=item.version_id
            ),
            *_NOTHING,
        )
        document = {**_document("info", item), **_values(value)}
        printer.data(document, f"{visible(str(item))} {_words(value)}")

    on_versions(printer, [target], choice_of(**which), show)


def _tell_default(
    printer: Printer, address: RemoteAddress, configuration: LockConfiguration
) -> None:
    default = configuration.default
    document: dict[str, Any] = {"op": "info", "urlpath": str(address)}
    document["enabled"] = "Enabled" if configuration.enabled else ""
    if default is None:
        printer.data(document, f"new objects of {address} may be removed")
        return
    in_days = default.days is not None
    count = default.days if in_days else default.years
    document |= {"mode": default.mode, "validity": f"{count}{'DAYS' if in_days else 'YEARS'}"}
    unit = "d" if in_days else "y"
    printer.data(document, f"new objects of {address} stay {count}{unit} ({default.mode})")


def _check_default(*, bypass: bool, **which: Any) -> None:
    from ingot.base.errors import UsageError

    if bypass or any(which.values()):
        raise UsageError("--default is about new objects, so no other option goes with it")


def _document(act: str, item: Chosen) -> dict[str, Any]:
    document = {"op": act, "urlpath": str(item.address)}
    if item.version_id:
        document["versionID"] = item.version_id
    return document


def _values(value: Retention | None) -> dict[str, str]:
    from ingot.cli._objects import iso_time

    return {} if value is None else {"mode": value.mode, "until": iso_time(value.until_ns)}


def _words(value: Retention | None) -> str:
    from ingot.cli._objects import local_time

    if value is None:
        return "may be removed"
    return f"must stay until {local_time(value.until_ns)} ({value.mode})"
