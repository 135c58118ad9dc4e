"""How objects are encrypted by the service, as options say it: by prefixes of addresses; pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from ingot.base.errors import UsageError
from ingot.base.secret import Secret
from ingot.s3client.call import Call

_SSE = "x-amz-server-side-encryption"
_KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"
_CUSTOMER = "x-amz-server-side-encryption-customer"
_COPIED = "x-amz-copy-source-server-side-encryption-customer"
_KEY_BYTES = 32

Kind = Literal["s3", "kms", "c"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with objects whose address begins like this.

    Attributes:
        prefix: `alias[/bucket[/key]]`.
        kind: by keys of the service (`s3`), by a key that it is told the name of (`kms`), or by a
            key that is sent along and that nobody keeps (`c`).
        key: the name of the key; for `c` the key, base64.
    """

    prefix: str
    kind: Kind
    key: Secret | None = None

    def headers(self, lead: str = _CUSTOMER) -> dict[str, str]:
        """Return the headers that say so; `lead` begins those of a key that is sent along."""
        if self.kind == "s3":
            return {_SSE: "AES256"}
        assert self.key is not None, "these kinds have a key"
        if self.kind == "kms":
            return {_SSE: "aws:kms", _KEY_ID: self.key.reveal()}
        md5 = hashlib.md5(base64.b64decode(self.key.reveal()), usedforsecurity=False).digest()
        return {
            f"{lead}-algorithm": "AES256",
            f"{lead}-key": self.key.reveal(),
            f"{lead}-key-md5": base64.b64encode(md5).decode("ascii"),
        }


@dataclass(frozen=True, slots=True)
class Encryption:
    """All that was said; of two rules for one address the longer prefix counts."""

    rules: tuple[Rule, ...] = ()

    def dress(self, alias: str, *, is_secure: bool) -> Callable[[Call], Mapping[str, str]] | None:
        """Return what adds headers to the requests to an alias; None if nothing does.

        Raises:
            UsageError: a key would be sent in the clear.
        """
        rules = [rule for rule in self.rules if f"{rule.prefix}/".startswith(f"{alias}/")]
        if not rules:
            return None
        if not is_secure and any(rule.kind == "c" for rule in rules):
            raise UsageError(
                f"{alias} is reached without TLS: the key of --enc-c would go in the clear",
                hint="use an https:// endpoint",
            )
        return lambda call: self._headers(alias, call)

    def fingerprint(self) -> str:
        """Return what tells these rules from others, and no key."""
        said = repr(
            [(rule.prefix, rule.kind, rule.key and rule.key.reveal()) for rule in self.rules]
        )
        return hashlib.sha256(said.encode()).hexdigest() if self.rules else ""

    def _headers(self, alias: str, call: Call) -> dict[str, str]:
        names = {name for name, _ in call.query if not name.startswith("response-")}
        if not call.key or names - _OF_CONTENT:
            return {}
        headers: dict[str, str] = {}
        rule = self._rule(f"{alias}/{call.bucket}/{call.key}")
        if rule is not None and (rule.kind == "c" or _begins_object(call, names)):
            headers |= rule.headers()
        source = call.headers.get("x-amz-copy-source", "").partition("?")[0]
        origin = self._rule(f"{alias}/{unquote(source).lstrip('/')}") if source else None
        if origin is not None and origin.kind == "c":
            headers |= origin.headers(_COPIED)
        return headers

    def _rule(self, address: str) -> Rule | None:
        fitting = [rule for rule in self.rules if address.startswith(rule.prefix)]
        return max(fitting, key=lambda rule: len(rule.prefix), default=None)


# The queries of requests that are about an object's bytes.
_OF_CONTENT = frozenset({"versionId", "partNumber", "uploadId", "uploads", "select", "select-type"})


def _begins_object(call: Call, names: set[str]) -> bool:
    return (call.method == "PUT" and "uploadId" not in names) or (
        call.method == "POST" and "uploads" in names
    )


def parse_encryption(
    *, s3: Sequence[str] = (), kms: Sequence[str] = (), customer: Sequence[str] = ()
) -> Encryption:
    """Read what options say; each may hold several, separated by commas.

    Args:
        s3: `PREFIX`.
        kms: `PREFIX=KEY`, the key's name.
        customer: `PREFIX=KEY`: 32 bytes, base64 or hexadecimal.

    Raises:
        UsageError: one is not written like this.
    """
    rules = [Rule(prefix, "s3") for prefix in _parts(s3)]
    for text in _parts(kms):
        prefix, key = _pair(text)
        rules.append(Rule(prefix, "kms", Secret(key)))
    for text in _parts(customer):
        prefix, key = _pair(text)
        rules.append(Rule(prefix, "c", Secret(_customer_key(key))))
    return Encryption(tuple(rules))


def _parts(texts: Sequence[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    prefix, separator, key = text.partition("=")
    if not separator or not prefix or not key:
        raise UsageError(f"{prefix!r} has no key", hint="write it like ALIAS/BUCKET/PREFIX=KEY")
    return prefix, key


def _customer_key(text: str) -> str:
    data = b""
    try:
        if len(text) == 2 * _KEY_BYTES:
            data = bytes.fromhex(text)
        else:
            data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        data = b""
    if len(data) != _KEY_BYTES:
        # Not the text itself: it is, or nearly is, a secret.
        raise UsageError(
            "a key of --enc-c must be 32 bytes",
            hint="in base64 (44 characters) or hexadecimal (64)",
        )
    return base64.b64encode(data).decode("ascii")
