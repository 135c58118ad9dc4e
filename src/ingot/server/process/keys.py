"""The root key pair: given by the settings, or generated once and kept in the data directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from ingot.base.atomic import write_atomically
from ingot.base.errors import Error, NotFoundError
from ingot.base.newkeys import random_access_key, random_secret_key
from ingot.base.secret import Secret
from ingot.server.settings import Settings

KEYS_FILE = "root-keys.json"


class RootKeys(NamedTuple):
    """The pair that may do everything; `generated` if Ingot made it."""

    access_key: str
    secret_key: Secret
    generated: bool


def of_settings(settings: Settings) -> RootKeys | None:
    """Return the pair that the settings give, or None if they leave it to the data directory."""
    if settings.root_user is None or settings.root_password is None:
        return None
    return RootKeys(settings.root_user, settings.root_password, generated=False)


def generate() -> RootKeys:
    """Return a fresh random pair."""
    return RootKeys(random_access_key(), random_secret_key(), generated=True)


def stored(data_dir: Path) -> RootKeys:
    """Return the pair that was generated for this data directory.

    Raises:
        NotFoundError: none was generated here yet.
        Error: the file is unreadable or damaged.
    """
    path = data_dir / KEYS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return RootKeys(
            str(document["access_key"]), Secret(str(document["secret_key"])), generated=True
        )
    except FileNotFoundError as error:
        raise NotFoundError(
            f"no keys are stored in {data_dir}",
            hint="they are generated when 'ingot server' first starts without root keys",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Error(
            f"cannot read {path}: {type(error).__name__}",
            hint="restore the file from a backup, or remove it to have new keys generated",
        ) from error


def stored_or_generated(data_dir: Path) -> RootKeys:
    """Return the stored pair, generating and storing it (mode 0600) the first time.

    Call it with the data directory's lock held.
    """
    if os.path.lexists(data_dir / KEYS_FILE):
        return stored(data_dir)
    keys = generate()
    document = {
        "schema": 1,
        "access_key": keys.access_key,
        "secret_key": keys.secret_key.reveal(),
    }
    write_atomically(data_dir / KEYS_FILE, json.dumps(document).encode() + b"\n", mode=0o600)
    return keys
