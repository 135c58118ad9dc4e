"""Aliases out of what other programs keep: mc's configuration, AWS profiles."""

from __future__ import annotations

import configparser
from collections.abc import Collection, Mapping
from pathlib import Path

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.secret import Secret
from ingot.client.aliases import (
    CONFIG_BYTES_MAX,
    REGION_DEFAULT,
    Alias,
    check_name,
    check_url,
    is_placeholder,
    parse_document,
    parse_entry,
)

_PROFILE_PREFIX = "profile "


def parse_mc(data: bytes, origin: str, names: Collection[str]) -> list[Alias]:
    """Read mc's `config.json`, or the one entry that `mc alias export` prints.

    Args:
        data: what it holds.
        origin: what people call it.
        names: those that are wanted, all if empty. One entry alone has no name, so it needs one.

    Raises:
        NotFoundError: a name that is wanted is not in it.
        UsageError: a name cannot be an alias; or one entry was not given one name.
        Error: it is not what mc writes.
    """
    document = parse_document(data, origin)
    if "url" in document:
        if len(names) != 1:
            raise UsageError(
                f"{origin} holds one alias without a name", hint="write its name after the file"
            )
        return [parse_entry(check_name(name), document, origin) for name in names]
    entries = document.get("aliases") or document.get("hosts")
    if not isinstance(entries, dict):
        raise Error(f"{origin} holds no aliases", hint="it should be mc's config.json")
    found = {
        name: parse_entry(check_name(name), fields, origin)
        for name, fields in entries.items()
        if not names or name in names
    }
    _check_found(names, found, origin)
    return [alias for alias in found.values() if names or not is_placeholder(alias)]


def read_aws(environment: Mapping[str, str], names: Collection[str]) -> list[Alias]:
    """Read the profiles of AWS's files that hold keys.

    Args:
        environment: `AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE` and `HOME` say where they are.
        names: the profiles that are wanted, all if empty.

    Raises:
        NotFoundError: a profile that is wanted is not there, or holds no keys.
        UsageError: a name cannot be an alias, or an endpoint is none.
        Error: a file cannot be read.
    """
    folder = Path(environment.get("HOME", "")) / ".aws"
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials")
    config = Path(environment.get("AWS_CONFIG_FILE") or folder / "config")
    profiles: dict[str, dict[str, str]] = {}
    # What stands in the credentials file wins, as it does for AWS's own tools.
    for path in (config, credentials):
        for section, values in _read_ini(path).items():
            profiles.setdefault(section.removeprefix(_PROFILE_PREFIX), {}).update(values)
    found = {
        name: _alias_of(check_name(name), values, str(credentials))
        for name, values in profiles.items()
        if (not names or name in names) and values.get("aws_access_key_id")
    }
    _check_found(names, found, f"{credentials} or {config}, with keys")
    return list(found.values())


def _alias_of(name: str, values: Mapping[str, str], origin: str) -> Alias:
    region = values.get("region") or REGION_DEFAULT
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    token = values.get("aws_session_token")
    return Alias(
        name=name,
        url=check_url(values.get("endpoint_url") or f"https://s3.{region}.{domain}"),
        access_key=values["aws_access_key_id"],
        secret_key=Secret(values.get("aws_secret_access_key", "")),
        session_token=Secret(token) if token else None,
        region=region,
        origin=origin,
    )


def _read_ini(path: Path) -> dict[str, dict[str, str]]:
    """Return the values by section; nothing when there is no file."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_string(file.read(CONFIG_BYTES_MAX))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Error(f"cannot read {path}: {error.strerror}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # The parser's words would repeat the line, which may hold a secret.
        raise Error(f"{path} is not a file of profiles") from error
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _check_found(names: Collection[str], found: Collection[str], origin: str) -> None:
    if missing := [name for name in names if name not in found]:
        raise NotFoundError(f"{', '.join(missing)}: not in {origin}")
