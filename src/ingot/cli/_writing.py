"""The options that say how a command's objects are encrypted and summed up."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_CHECKSUMS = ("CRC32C", "CRC32", "CRC64NVME", "SHA1", "SHA256")


def key_options(command: _Command) -> _Command:
    """Give a command that reads objects `--enc-c`."""
    return _customer(_applied(command))


def writing_options(command: _Command) -> _Command:
    """Give a command that writes objects `--enc-s3`, `--enc-kms`, `--enc-c` and `--checksum`."""
    command = _customer(_applied(command))
    for option in (
        click.option(
            "--enc-kms",
            multiple=True,
            metavar="PREFIX=KEY",
            help="Encrypt by a key that the service knows by this name.",
        ),
        click.option(
            "--enc-s3",
            multiple=True,
            metavar="PREFIX",
            help="Encrypt by keys of the service what is written there, as store/photos/.",
        ),
        click.option(
            "--checksum",
            type=click.Choice(_CHECKSUMS, case_sensitive=False),
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
        envvar="MC_ENCRYPT_KEY",
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
        **said: Any,
    ) -> Any:
        if enc_c or enc_s3 or enc_kms or checksum:
            _use(enc_c, enc_s3, enc_kms, checksum)
        return command(*args, **said)

    return apply  # type: ignore[return-value]


def _use(
    customer: tuple[str, ...], s3: tuple[str, ...], kms: tuple[str, ...], checksum: str | None
) -> None:
    from dataclasses import replace

    from ingot.client.encrypting import parse_encryption
    from ingot.client.wire import current, use

    before = current()
    encryption = parse_encryption(s3=s3, kms=kms, customer=customer)
    use(replace(before, encryption=encryption, checksum=checksum or before.checksum))
    # Of one command line only.
    click.get_current_context().call_on_close(lambda: use(before))
