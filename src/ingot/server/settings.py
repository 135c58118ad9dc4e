"""Every setting of the server in one table: environment names, type, default and meaning.

A value comes from the command line, else from the environment (Ingot's name before MinIO's),
else from a file that a `…_FILE` variable names, else from the table's default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from ingot.base.errors import UsageError
from ingot.base.secret import Secret
from ingot.base.units import MIB, parse_duration, parse_size
from ingot.server.process.address import Address, parse_address

ACCESS_KEY_LENGTH_MIN = 3
SECRET_KEY_LENGTH_MIN = 8
WORKERS_MAX = 64
WORKERS_DEFAULT_MAX = 4
_SECRET_FILE_BYTES_MAX = 4096
_ACCESS_LOG_FORMATS = ("off", "text", "json")


class SettingRow(NamedTuple):
    """One setting.

    Attributes:
        name: the field of `Settings`.
        variables: environment variables, the first one set wins.
        parse: reads the text; raises UsageError.
        default: the value when nothing is given (computed by calling it).
        doc: one sentence for the reference page.
        from_file: whether each variable also has a `…_FILE` form that names a file to read.
    """

    name: str
    variables: tuple[str, ...]
    parse: Callable[[str], Any]
    default: Callable[[], Any]
    doc: str
    from_file: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What one server runs with; see `SETTINGS` for each field's meaning."""

    data_dir: Path
    address: Address
    console_address: Address
    root_user: str | None
    root_password: Secret | None
    region: str
    domains: tuple[str, ...]
    workers: int
    access_log: str
    json_log: bool
    show_keys: bool
    metrics_public: bool
    metrics_token: Secret | None
    stop_timeout_s: float
    upload_expiry_s: float
    lifecycle_interval_s: float
    garbage_delay_s: float
    scrub_rate_bytes: int
    scrub_interval_s: float


def default_workers() -> int:
    """Return one worker per processor this process may use, four at most.

    The catalog has one writer at a time, so more processes add memory but hardly any writes.
    """
    return min(len(os.sched_getaffinity(0)), WORKERS_DEFAULT_MAX)


def load(environment: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """Return the settings; `overrides` are the command line's, None meaning "not given".

    Raises:
        UsageError: a value is malformed, half a key pair is given, or there is no data directory.
    """
    values: dict[str, Any] = {}
    for row in SETTINGS:
        override = overrides.get(row.name)
        values[row.name] = override if override is not None else _from_environment(row, environment)
    if values["data_dir"] is None:
        raise UsageError(
            "no data directory is given", hint="run 'ingot server DIR' or set INGOT_DATA_DIR"
        )
    _check_key_pair(values["root_user"], values["root_password"])
    return Settings(**values)


def parsed_options(texts: Mapping[str, str | None]) -> dict[str, Any]:
    """Return command-line texts (by setting name) as values; those not given are left out.

    Raises:
        UsageError: a text is malformed.
    """
    rows = {row.name: row for row in SETTINGS}
    return {
        name: _parsed(rows[name], f"--{name.replace('_', '-')}", text)
        for name, text in texts.items()
        if text is not None
    }


def _from_environment(row: SettingRow, environment: Mapping[str, str]) -> Any:
    for variable in row.variables:
        text = environment.get(variable)
        if text:
            return _parsed(row, variable, text)
        path = environment.get(f"{variable}_FILE") if row.from_file else None
        if path:
            return _parsed(row, f"{variable}_FILE", _read_secret_file(variable, path))
    return row.default()


def _parsed(row: SettingRow, origin: str, text: str) -> Any:
    try:
        return row.parse(text)
    except UsageError as error:
        raise UsageError(f"{origin}: {error.message}", hint=error.hint) from error


def _read_secret_file(variable: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_SECRET_FILE_BYTES_MAX + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{variable}_FILE: cannot read {path}: {error}") from error
    if len(text) > _SECRET_FILE_BYTES_MAX or not text.strip():
        raise UsageError(f"{variable}_FILE: {path} is empty or too long for a key")
    return text.strip()


def _check_key_pair(user: str | None, password: Secret | None) -> None:
    if (user is None) != (password is None):
        given, missing = ("user", "password") if password is None else ("password", "user")
        raise UsageError(
            f"a root {given} is given, but no root {missing}",
            hint="set INGOT_ROOT_USER and INGOT_ROOT_PASSWORD both, or neither",
        )


def _text(text: str) -> str:
    return text


def _access_key(text: str) -> str:
    if len(text) < ACCESS_KEY_LENGTH_MIN:
        raise UsageError(f"an access key needs at least {ACCESS_KEY_LENGTH_MIN} characters")
    # '/' and '=' would break the signature's credential scope, ',' its parameter list.
    if any(character in "/=," or not "!" <= character <= "~" for character in text):
        raise UsageError("an access key is printable ASCII without spaces, '/', '=' and ','")
    return text


def _secret_key(text: str) -> Secret:
    if len(text) < SECRET_KEY_LENGTH_MIN:
        raise UsageError(f"a secret key needs at least {SECRET_KEY_LENGTH_MIN} characters")
    return Secret(text)


def _data_dir(text: str) -> Path:
    # MINIO_VOLUMES may list drives or spell a range of them; a single path may hold spaces.
    words = text.split()
    if "{" in text or (len(words) > 1 and all(word[0] in "/.~" for word in words)):
        raise UsageError(
            f"{text!r} names several drives; a server has one data directory",
            hint="give one directory",
        )
    return Path(text)


def _domains(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower().strip(".") for name in text.split(",") if name.strip())


def _workers(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= WORKERS_MAX:
        raise UsageError(f"{text!r} is not a number of workers from 1 to {WORKERS_MAX}")
    return int(text)


def _access_log(text: str) -> str:
    if text not in _ACCESS_LOG_FORMATS:
        raise UsageError(f"{text!r} is none of {', '.join(_ACCESS_LOG_FORMATS)}")
    return text


def _switch(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in {"1", "on", "true", "yes"}:
        return True
    if lowered in {"0", "off", "false", "no"}:
        return False
    raise UsageError(f"{text!r} is neither on nor off")


def _is_public(text: str) -> bool:
    if text not in {"public", "token", "jwt"}:
        raise UsageError(f"{text!r} is neither public nor token")
    return text == "public"


SETTINGS: tuple[SettingRow, ...] = (
    SettingRow(
        "data_dir",
        ("INGOT_DATA_DIR", "MINIO_VOLUMES"),
        _data_dir,
        lambda: None,
        "The directory that holds the buckets, the catalog and the generated keys.",
    ),
    SettingRow(
        "address",
        ("INGOT_ADDRESS", "MINIO_ADDRESS"),
        parse_address,
        lambda: parse_address(":9000"),
        "Where the S3 API listens; an empty host is every interface.",
    ),
    SettingRow(
        "console_address",
        ("INGOT_CONSOLE_ADDRESS", "MINIO_CONSOLE_ADDRESS"),
        parse_address,
        lambda: parse_address(":9001"),
        "Where the console listens.",
    ),
    SettingRow(
        "root_user",
        ("INGOT_ROOT_USER", "MINIO_ROOT_USER", "MINIO_ACCESS_KEY"),
        _access_key,
        lambda: None,
        "The root access key, 3 characters or more; generated once if neither key is given.",
        from_file=True,
    ),
    SettingRow(
        "root_password",
        ("INGOT_ROOT_PASSWORD", "MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"),
        _secret_key,
        lambda: None,
        "The root secret key, 8 characters or more.",
        from_file=True,
    ),
    SettingRow(
        "region",
        ("INGOT_REGION", "MINIO_SITE_REGION", "MINIO_REGION"),
        _text,
        str,
        "The region that signatures must name; by default any, and buckets are in us-east-1.",
    ),
    SettingRow(
        "domains",
        ("INGOT_DOMAIN", "MINIO_DOMAIN"),
        _domains,
        lambda: (),
        "Domains, comma-separated, whose subdomains are buckets (virtual-host style).",
    ),
    SettingRow(
        "workers",
        ("INGOT_WORKERS",),
        _workers,
        default_workers,
        "How many processes serve; by default one per processor, four at most.",
    ),
    SettingRow(
        "access_log",
        ("INGOT_ACCESS_LOG",),
        _access_log,
        lambda: "off",
        "A line per request on standard error: json, text or off.",
    ),
    SettingRow(
        "json_log",
        ("INGOT_JSON_LOG",),
        _switch,
        lambda: False,
        "Write the server's own log as JSON lines.",
    ),
    SettingRow(
        "show_keys",
        ("INGOT_SHOW_KEYS",),
        _switch,
        lambda: False,
        "Print generated keys at start even when standard error is no terminal.",
    ),
    SettingRow(
        "metrics_public",
        ("INGOT_METRICS_AUTH", "MINIO_PROMETHEUS_AUTH_TYPE"),
        _is_public,
        lambda: False,
        "Who may read the metrics: `public` is everybody, `token` (or `jwt`) who has the token.",
    ),
    SettingRow(
        "metrics_token",
        ("INGOT_METRICS_TOKEN",),
        _secret_key,
        lambda: None,
        "The bearer token for the metrics; without one they are closed unless public.",
        from_file=True,
    ),
    SettingRow(
        "stop_timeout_s",
        ("INGOT_STOP_TIMEOUT",),
        parse_duration,
        lambda: 10.0,
        "How long requests in flight may take to finish once the server is told to stop.",
    ),
    SettingRow(
        "upload_expiry_s",
        ("INGOT_UPLOAD_EXPIRY", "MINIO_API_STALE_UPLOADS_EXPIRY"),
        parse_duration,
        lambda: 24 * 3600.0,
        "How long a multipart upload may get no part before it is aborted; 0 keeps it for ever.",
    ),
    SettingRow(
        "lifecycle_interval_s",
        ("INGOT_LIFECYCLE_INTERVAL",),
        parse_duration,
        lambda: 3600.0,
        "How often the lifecycle rules of buckets are applied.",
    ),
    SettingRow(
        "garbage_delay_s",
        ("INGOT_GARBAGE_DELAY",),
        parse_duration,
        lambda: 15 * 60.0,
        "How long the bytes of overwritten and deleted objects stay for those who still read them.",
    ),
    SettingRow(
        "scrub_rate_bytes",
        ("INGOT_SCRUB_RATE",),
        parse_size,
        lambda: 8 * MIB,
        "How much the scrubber reads per second to find damage early, such as `8MiB`; 0 is off.",
    ),
    SettingRow(
        "scrub_interval_s",
        ("INGOT_SCRUB_INTERVAL",),
        parse_duration,
        lambda: 7 * 24 * 3600.0,
        "From the beginning of one pass of the scrubber over everything to that of the next.",
    ),
)

assert [row.name for row in SETTINGS] == [field.name for field in fields(Settings)]
