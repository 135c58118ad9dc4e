"""The options that say how a command's objects are encrypted and summed up."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ingot.cli._completion import complete_remote
from ingot.cli._habits import always
from ingot.cli._vocabulary import complete_choice

if TYPE_CHECKING:
    from ingot.client.encrypting import Encryption

_Command = TypeVar("_Command", bound=Callable[..., Any])
_CHECKSUMS = ("CRC32C", "CRC32", "CRC64NVME", "SHA1", "SHA256")


def key_options(command: _Command) -> _Command:
    """Give a command that reads objects `--enc-c`."""
    return _customer(_applied(command))


def writing_options(command: _Command) -> _Command:
    """Give a command that writes objects `--enc-…`, `--checksum` and `--disable-multipart`."""
    command = _customer(_applied(command))
    # mc sums up on demand; here nothing goes without.
    command = always("--md5")(command)
    for option in (
        click.option(
            "--disable-multipart", is_flag=True, help="Send files up to 5 GiB in one request each."
        ),
        click.option(
            "--enc-kms",
            multiple=True,
            metavar="PREFIX=KEY",
            envvar=["INGOT_ENC_KMS", "MC_ENC_KMS"],
            help="Encrypt by a key that the service knows by this name.",
        ),
        click.option(
            "--enc-s3",
            multiple=True,
            metavar="PREFIX",
            shell_complete=complete_remote,
            envvar=["INGOT_ENC_S3", "MC_ENC_S3"],
            help="Encrypt by keys of the service what is written there, as store/photos/.",
        ),
        click.option(
            "--checksum",
            type=click.Choice(_CHECKSUMS, case_sensitive=False),
            shell_complete=complete_choice,
            help="Of what is uploaded; CRC32C if not said.",
        ),
    ):
        command = option(command)
    return command


def _customer(command: _Command) -> _Command:
    return click.option(
        "--enc-c",
        multiple=True,
        metavar="PREFIX=KEY",
        envvar=["INGOT_ENC_C", "MC_ENC_C"],
        help="Encrypt and decrypt by this key of yours: 32 bytes, base64 or hex. https only.",
    )(command)


def _applied(command: _Command) -> _Command:
    @functools.wraps(command)
    def apply(
        *args: Any,
        enc_c: tuple[str, ...] = (),
        enc_s3: tuple[str, ...] = (),
        enc_kms: tuple[str, ...] = (),
        checksum: str | None = None,
        disable_multipart: bool = False,
        **said: Any,
    ) -> Any:
        if enc_c or enc_s3 or enc_kms or checksum or disable_multipart:
            from ingot.client.encrypting import parse_encryption

            encryption = parse_encryption(s3=enc_s3, kms=enc_kms, customer=enc_c)
            _use(encryption, checksum, in_one=disable_multipart)
        return command(*args, **said)

    return apply  # type: ignore[return-value] # it takes what the command takes, and more


def _use(encryption: Encryption, checksum: str | None, *, in_one: bool) -> None:
    from dataclasses import replace

    from ingot.base.limits import COPY_BYTES_MAX
    from ingot.client.wire import current, use

    before = current()
    use(
        replace(
            before,
            encryption=encryption,
            checksum=checksum or before.checksum,
            split_from_bytes=COPY_BYTES_MAX + 1 if in_one else None,
        )
    )
    # Of one command line only.
    click.get_current_context().call_on_close(lambda: use(before))
