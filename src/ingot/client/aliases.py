"""Names of S3 endpoints with their keys, from the environment, our file (0600) and mc's."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from ingot.base.atomic import write_atomically
from ingot.base.errors import ConflictError, Error, NotFoundError, UsageError
from ingot.base.locking import exclusive
from ingot.base.paths import config_dir
from ingot.base.secret import Secret

CONFIG_FILE_NAME = "config.json"
CONFIG_SCHEMA = 1
CONFIG_BYTES_MAX = 4 << 20
ADDRESSINGS = ("auto", "path", "virtual")
REGION_DEFAULT = "us-east-1"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_ENVIRONMENT_PREFIXES = ("INGOT_HOST_", "MC_HOST_")
# mc writes these into a fresh configuration; they name no account.
_MC_PLACEHOLDER = "YOUR-ACCESS-KEY-HERE"
_MC_PATH_STYLES = {"auto": "auto", "on": "path", "off": "virtual", "path": "path", "dns": "virtual"}


@dataclass(frozen=True, slots=True)
class Alias:
    """One endpoint and the keys to use there.

    Attributes:
        name: what addresses begin with.
        url: scheme, host and port, without a trailing slash.
        access_key: empty for anonymous requests.
        secret_key: the secret that belongs to it.
        session_token: of temporary credentials, or None.
        addressing: where the bucket's name goes: `auto`, `path` or `virtual` (in the host name).
        region: what requests are signed for.
        origin: where this was read from, for people.
    """

    name: str
    url: str
    access_key: str
    secret_key: Secret
    session_token: Secret | None = None
    addressing: str = "auto"
    region: str = REGION_DEFAULT
    origin: str = ""


def check_name(name: str) -> str:
    """Return `name` if it can be an alias, else raise UsageError."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} cannot be an alias name",
            hint="begin with a letter; then letters, digits, '-' and '_' (64 at most)",
        )
    return name


def check_url(text: str) -> str:
    """Return the endpoint's `scheme://host[:port]`, or raise UsageError."""
    parts = urlsplit(text)
    try:
        wrong = (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
            or parts.port == 0
        )
    except ValueError:  # the port is no number, or out of range
        wrong = True
    if wrong:
        raise UsageError(
            f"{text!r} is not an endpoint URL",
            hint="write it like http://127.0.0.1:9000 or https://s3.example.com, without a path",
        )
    return f"{parts.scheme}://{parts.netloc}"


class AliasBook:
    """All aliases a user has. Precedence: environment, then our file, then mc's.

    Args:
        path: our file; it need not exist.
        environment: the process's variables (`INGOT_HOST_<alias>`, `MC_HOST_<alias>`, …).
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._found: dict[str, Alias] | None = None

    @classmethod
    def default(cls) -> Self:
        """Return the user's own book."""
        return cls(config_dir() / CONFIG_FILE_NAME, os.environ)

    def all(self) -> dict[str, Alias]:
        """Return every alias by name, in order of names.

        Raises:
            Error: a file or variable cannot be read or holds nonsense.
        """
        if self._found is None:
            found = {**self._from_mc(), **self._from_own(), **self._from_environment()}
            self._found = {name: found[name] for name in sorted(found)}
        return self._found

    def get(self, name: str) -> Alias:
        """Return one alias.

        Raises:
            NotFoundError: there is none; the hint has the nearest name.
        """
        aliases = self.all()
        if name in aliases:
            return aliases[name]
        raise NotFoundError(f"there is no alias {name!r}", hint=self.suggestion(name))

    def nearest(self, name: str) -> str | None:
        """Return the alias whose name is most like `name`, if any is."""
        import difflib

        near = difflib.get_close_matches(name, list(self.all()), n=1, cutoff=0.6)
        return near[0] if near else None

    def suggestion(self, name: str) -> str:
        """Return the hint for an unknown alias."""
        if near := self.nearest(name):
            return f"did you mean {near!r}? 'ingot alias list' shows them all"
        return f"add it with 'ingot alias set {name} URL'"

    @property
    def path(self) -> Path:
        """Where aliases are stored."""
        return self._path

    def put(self, alias: Alias) -> None:
        """Store `alias` in our file, durably; replaces one of the same name."""
        self.put_all([alias], replace=True)

    # Two `alias set` at once must not lose one another's entry: hence the locks.
    def put_all(self, aliases: Iterable[Alias], *, replace: bool) -> None:
        """Store all of them in our file, durably, or none.

        Raises:
            ConflictError: our file has another one of that name, and `replace` is false.
        """
        with exclusive(self._path):
            document = self._read_own()
            own = document["aliases"]
            for alias in aliases:
                fields = _fields(alias)
                if not replace and own.get(alias.name, fields) != fields:
                    raise ConflictError(
                        f"there is another alias {alias.name!r}; nothing was stored",
                        hint="add --overwrite to replace it",
                    )
                own[alias.name] = fields
            self._write(document)

    def remove(self, name: str) -> None:
        """Forget an alias of our file.

        Raises:
            NotFoundError: our file has none of that name.
        """
        with exclusive(self._path):
            document = self._read_own()
            if document["aliases"].pop(name, None) is None:
                raise self._cannot_remove(name)
            self._write(document)

    def _cannot_remove(self, name: str) -> NotFoundError:
        if other := self.all().get(name):
            return NotFoundError(
                f"the alias {name!r} is not kept by ingot, it comes from {other.origin}",
                hint="remove it there",
            )
        return NotFoundError(f"there is no alias {name!r}", hint=self.suggestion(name))

    def _from_environment(self) -> dict[str, Alias]:
        found = {}
        variables = {**self._from_mcs_variables(), **self._environment}
        for prefix in reversed(_ENVIRONMENT_PREFIXES):  # the first one wins
            for variable, value in variables.items():
                if variable.startswith(prefix) and value:
                    name = variable.removeprefix(prefix)
                    found[name] = _parse_variable(name, variable, value)
        return found

    def _from_mcs_variables(self) -> dict[str, str]:
        """Return the lines `NAME=VALUE` of the file that mc takes for more variables."""
        path = self._environment.get("MC_CONFIG_ENV_FILE")
        if not path:
            return {}
        try:
            text = Path(path).read_text(errors="replace")
        except OSError as error:
            raise Error(f"{path}, which MC_CONFIG_ENV_FILE names: {error.strerror}") from error
        lines = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
        return {name.strip(): value.strip(" \"'") for name, sign, value in lines if sign}

    def _from_own(self) -> dict[str, Alias]:
        document = _read_json(self._path)
        if _is_of_mc(document):
            # Whoever has one folder for both: those are read as mc's.
            return {}
        return {
            name: parse_entry(name, fields, str(self._path))
            for name, fields in self._checked(document)["aliases"].items()
        }

    def _from_mc(self) -> dict[str, Alias]:
        folder = self._environment.get("MC_CONFIG_DIR")
        home = self._environment.get("HOME")
        if not folder and not home:
            return {}
        path = (Path(folder) if folder else Path(home or "", ".mc")) / "config.json"
        try:
            document = _read_json(path)
        except Error:
            return {}
        # mc's version 10 says "aliases", version 9 and older "hosts".
        entries = document.get("aliases") or document.get("hosts") or {}
        found = {}
        for name, fields in entries.items() if isinstance(entries, dict) else ():
            # What is wrong in another program's file is not ours to complain about.
            with contextlib.suppress(Error):
                alias = parse_entry(name, fields, str(path))
                if not is_placeholder(alias):
                    found[name] = alias
        return found

    def _read_own(self) -> dict[str, Any]:
        document = _read_json(self._path)
        if _is_of_mc(document):
            raise Error(f"{self._path} is mc's, which is only read", hint="choose another folder")
        return self._checked(document)

    def _checked(self, document: dict[str, Any]) -> dict[str, Any]:
        document = document or {"schema": CONFIG_SCHEMA}
        if document.get("schema") != CONFIG_SCHEMA:
            raise Error(
                f"{self._path}: schema {document.get('schema')!r} is not known",
                hint="it was written by a newer ingot; update this one",
            )
        if not isinstance(document.setdefault("aliases", {}), dict):
            raise Error(f"{self._path}: 'aliases' must be an object")
        return document

    def _write(self, document: dict[str, Any]) -> None:
        data = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self._path, data.encode(), mode=0o600)
        self._found = None


def _is_of_mc(document: Mapping[str, object]) -> bool:
    return "version" in document and "schema" not in document


def is_placeholder(alias: Alias) -> bool:
    """Tell whether it is one of the examples that mc writes, which name no account."""
    return alias.access_key == _MC_PLACEHOLDER


def _fields(alias: Alias) -> dict[str, str]:
    fields = {
        "url": alias.url,
        "accessKey": alias.access_key,
        "secretKey": alias.secret_key.reveal(),
        "path": alias.addressing,
        "region": alias.region,
    }
    if alias.session_token is not None:
        fields["sessionToken"] = alias.session_token.reveal()
    return fields


def _read_json(path: Path) -> dict[str, Any]:
    """Return the object that the file holds; empty when there is no file."""
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Error(f"{path}: {error.strerror}") from error
    return parse_document(data, str(path))


def parse_document(data: bytes, origin: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Error: it is none, or it is too large.
    """
    if len(data) > CONFIG_BYTES_MAX:
        raise Error(f"{origin}: larger than {CONFIG_BYTES_MAX} bytes")
    try:
        document = json.loads(data)
    except ValueError as error:
        raise Error(f"{origin}: not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Error(f"{origin}: the top must be an object")
    return document


def parse_entry(name: str, fields: object, origin: str) -> Alias:
    """Read one alias as our file and mc's have it.

    Raises:
        Error: it is no alias.
    """
    if not isinstance(fields, dict):
        raise Error(f"{origin}: alias {name!r} must be an object")
    values: dict[str, str] = {}
    for field in ("url", "accessKey", "secretKey", "sessionToken", "path", "lookup", "region"):
        value = fields.get(field) or ""
        if not isinstance(value, str):
            raise Error(f"{origin}: alias {name!r}: {field!r} must be a string")
        values[field] = value
    style = values["path"] or values["lookup"] or "auto"
    addressing = style if style in ADDRESSINGS else _MC_PATH_STYLES.get(style, "auto")
    try:
        url = check_url(values["url"])
    except UsageError as error:
        raise Error(f"{origin}: alias {name!r}: {error.message}", hint=error.hint) from error
    return Alias(
        name=name,
        url=url,
        access_key=values["accessKey"],
        secret_key=Secret(values["secretKey"]),
        session_token=Secret(values["sessionToken"]) if values["sessionToken"] else None,
        addressing=addressing,
        region=values["region"] or REGION_DEFAULT,
        origin=origin,
    )


def _parse_variable(name: str, variable: str, value: str) -> Alias:
    """Read `http(s)://ACCESS:SECRET[:TOKEN]@host[:port]`; keys may be percent-encoded."""
    scheme, separator, rest = value.partition("://")
    # A secret may hold '/' and '@' as they are; a host cannot.
    keys, _, host = rest.rpartition("@")
    access, _, secrets = keys.partition(":")
    secret, _, token = secrets.partition(":")
    try:
        url = check_url(f"{scheme}{separator}{host}")
    except UsageError:
        # The value holds a secret, so it is not repeated.
        raise UsageError(
            f"the variable {variable} is no endpoint",
            hint="write it like https://ACCESS:SECRET@host:port",
        ) from None
    return Alias(
        name=name,
        url=url,
        access_key=unquote(access),
        secret_key=Secret(unquote(secret)),
        session_token=Secret(unquote(token)) if token else None,
        origin=f"the variable {variable}",
    )
