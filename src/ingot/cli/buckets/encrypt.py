"""`ingot encrypt`: how a bucket's new objects are encrypted by the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3.documents.encryption import BucketEncryption
    from ingot.s3client.client import S3Client

_NEVER_SET = "ServerSideEncryptionConfigurationNotFoundError"


@click.group()
def encrypt() -> None:
    """Say how the service encrypts new objects of a bucket that come without a wish of their own.

    \b
    Examples:
      ingot encrypt set sse-s3 store/photos
      ingot encrypt set sse-kms my-key store/photos
      ingot encrypt info store/photos
    """


@encrypt.command("set")
@click.argument("algorithm", type=click.Choice(["sse-s3", "sse-kms"], case_sensitive=False))
@click.argument(
    "rest", nargs=-1, required=True, metavar="[KEY] TARGET", shell_complete=complete_remote
)
@output_options
def set_(printer: Printer, *, algorithm: str, rest: tuple[str, ...]) -> None:
    """Encrypt new objects of TARGET with the service's key, or with a KMS key.

    \b
    Examples:
      ingot encrypt set sse-s3 store/photos
      ingot encrypt set sse-kms arn:aws:kms:eu-1:12:key/9 store/photos
    """
    from ingot.base.errors import UsageError
    from ingot.s3.documents.encryption import SSE_KMS, SSE_S3, BucketEncryption

    with_kms = algorithm.lower() == "sse-kms"
    *keys, target = rest
    if len(keys) > with_kms:
        raise UsageError(
            "too many arguments", hint="sse-s3 takes no key, sse-kms takes one before the bucket"
        )
    setting = BucketEncryption(SSE_KMS if with_kms else SSE_S3, keys[0] if keys else None)

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.put_bucket_encryption(address.bucket, setting)
        printer.data(_document("set", address, setting), _words(address, setting))

    on_buckets(printer, [target], change)


@encrypt.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def info(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Tell how new objects are encrypted.

    \b
    Examples:
      ingot encrypt info store/photos
    """
    from ingot.s3client.errors import unless_absent

    def show(client: S3Client, address: RemoteAddress) -> None:
        setting = unless_absent(lambda: client.get_bucket_encryption(address.bucket), _NEVER_SET)
        printer.data(_document("info", address, setting), _words(address, setting))

    on_buckets(printer, targets, show)


@encrypt.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def clear(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Go back to what the service does by itself; objects that are there stay as they are.

    \b
    Examples:
      ingot encrypt clear store/photos
    """

    def change(client: S3Client, address: RemoteAddress) -> None:
        client.delete_bucket_encryption(address.bucket)
        printer.data(_document("clear", address, None), _words(address, None))

    on_buckets(printer, targets, change)


def _document(act: str, address: RemoteAddress, setting: BucketEncryption | None) -> dict[str, Any]:
    document: dict[str, Any] = {"op": act, "url": str(address)}
    if setting is not None:
        document["encryption"] = {"algorithm": setting.algorithm, "keyId": setting.key_id or ""}
    return document


def _words(address: RemoteAddress, setting: BucketEncryption | None) -> str:
    if setting is None:
        return f"{address} has no encryption of its own"
    key = f" with the key {setting.key_id}" if setting.key_id else ""
    return f"new objects of {address} are encrypted by {setting.algorithm}{key}"
