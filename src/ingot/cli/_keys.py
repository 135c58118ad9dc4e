"""Where commands take keys from, so that secrets need not stand in arguments."""

from __future__ import annotations

import json
import os
import sys

import click

from ingot.base.errors import Error, UsageError
from ingot.base.secret import Secret

KEYS_BYTES_MAX = 16 * 1024


def read_keys(
    access_key: str | None, secret_key: str | None, file: str | None
) -> tuple[str, Secret]:
    """Return the access key and the secret: arguments, file, variables, prompt or input.

    Raises:
        UsageError: they are given twice, not at all, or not in a form that is known.
        Error: the file cannot be read.
    """
    if file is not None:
        if access_key is not None:
            raise UsageError("keys are given both as arguments and by --access-key-file")
        return _parse(_read(file), file)
    if access_key is not None and secret_key is not None:
        return access_key, Secret(secret_key)
    if access_key is None and (found := os.environ.get("INGOT_ACCESS_KEY")):
        access_key, secret_key = found, os.environ.get("INGOT_SECRET_KEY")
        if secret_key is not None:
            return access_key, Secret(secret_key)
    if sys.stdin.isatty():
        if access_key is None:
            access_key = str(click.prompt("Access key", err=True))
        return access_key, Secret(str(click.prompt("Secret key", hide_input=True, err=True)))
    if access_key is None:
        return _parse(_read("-"), "standard input")
    lines = _read("-").split()
    if len(lines) != 1:
        raise UsageError("no secret key was given", hint="write it as one line to standard input")
    return access_key, Secret(lines[0])


def read_secret_key(given: str | None, file: str | None) -> Secret:
    """Return the secret key of somebody else: argument, file, prompt (typed twice) or input.

    Raises:
        UsageError: it is given twice, not at all, or in several lines.
        Error: the file cannot be read.
    """
    if given is not None and file is not None:
        raise UsageError("the secret key is given both as an argument and by --secret-key-file")
    if given is not None:
        return Secret(given)
    if file is None and sys.stdin.isatty():
        typed = click.prompt("Secret key", hide_input=True, confirmation_prompt=True, err=True)
        return Secret(str(typed))
    lines = _read(file or "-").splitlines()
    if len(lines) != 1 or not lines[0]:
        origin = "standard input" if file in (None, "-") else file
        raise UsageError(
            f"{origin} does not hold a secret key", hint="write it there as the only line"
        )
    return Secret(lines[0])


def no_keys(*given: str | None) -> tuple[str, Secret]:
    """Return what stands for no keys at all.

    Raises:
        UsageError: some were given.
    """
    if any(one is not None for one in given):
        raise UsageError("--anonymous goes without keys")
    return "", Secret("")


def read_token(file: str | None) -> Secret | None:
    """Return the session token of temporary keys: of a file, or of INGOT_SESSION_TOKEN.

    Raises:
        UsageError: the file does not hold one word.
        Error: it cannot be read.
    """
    if file is None:
        token = os.environ.get("INGOT_SESSION_TOKEN")
        return Secret(token) if token else None
    words = _read(file).split()
    if len(words) != 1:
        raise UsageError(f"{file} does not hold a session token")
    return Secret(words[0])


def read_file(file: str, limit_bytes: int) -> bytes:
    """Return what a file, or standard input (`-`), holds, up to a limit.

    Raises:
        Error: it cannot be read.
    """
    try:
        if file == "-":
            return sys.stdin.buffer.read(limit_bytes)
        with open(file, "rb") as opened:
            return opened.read(limit_bytes)
    except OSError as error:
        raise Error(f"cannot read {file}: {error.strerror}") from error


def _read(file: str) -> str:
    try:
        return read_file(file, KEYS_BYTES_MAX).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not text") from error


def _parse(text: str, origin: str) -> tuple[str, Secret]:
    """Read two lines, or JSON with `accessKey`/`secretKey` or `access_key`/`secret_key`."""
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        for access, secret in (("accessKey", "secretKey"), ("access_key", "secret_key")):
            if isinstance(document.get(access), str) and isinstance(document.get(secret), str):
                return document[access], Secret(document[secret])
    lines = text.split()
    if len(lines) == 2:
        return lines[0], Secret(lines[1])
    # What is there may hold a secret, so it is not repeated.
    raise UsageError(
        f"{origin} does not hold an access key and a secret key",
        hint="write them on two lines, or as JSON with accessKey and secretKey",
    )
