"""What one client of a workload does: every kind of write that S3 has, on names of its own."""

from __future__ import annotations

import enum
import json
import random
import time
from collections.abc import Callable
from typing import Final

from ingot.base.limits import INLINE_BYTES_MAX
from ingot.base.units import MIB
from ingot.s3.dates import NS_PER_S, format_iso8601
from ingot.s3.documents.cors import CorsRule
from ingot.s3.documents.delete import ObjectIdentifier
from ingot.s3.documents.lifecycle import Expiration, Filter, LifecycleRule
from ingot.s3.documents.lock import COMPLIANCE, GOVERNANCE, Retention
from ingot.s3client.client import S3Client
from ingot.s3client.errors import ServiceDeniedError, ServiceError
from ingot.s3client.results import Attributes, WriteConditions
from ingot.testing.ledger import MARKER, NULL, Ledger, Stack, Version, digest
from ingot.testing.readback import EXTRA_BUCKETS, SETTING, setting

KEYS_PER_CLIENT: Final = 4
# Keys that begin like this are for the lifecycle rule, which takes them at once.
BRIEF: Final = "brief/"
# Both sides of the border between the catalog and blobs, of the one between packs and files,
# several frames, and nothing at all.
SIZES_BYTES: Final = (
    *(0, 10, 4096, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 100_000, 256_000),
    2 * MIB + 1,
)
# Written past the page cache.
LARGE_BYTES: Final = 5 * MIB + 4321
VERSIONS_KEPT: Final = 3
_PART_BYTES: Final = 5 * MIB
_DAY_NS: Final = 24 * 3600 * NS_PER_S
_PAST_NS: Final = 1_600_000_000 // 86_400 * _DAY_NS


class Keeps(enum.IntEnum):
    """What a bucket keeps; each keeps what those before it keep."""

    OBJECTS = 0
    VERSIONS = 1
    LOCKS = 2


class Client:
    """One client.

    Args:
        client: how it talks.
        bucket: where the objects are.
        ledger: notes what was wanted and acknowledged.
        rng: decides what it does.
        index: which of all it is.
        count: how many there are.
        keeps: what the bucket keeps.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        ledger: Ledger,
        rng: random.Random,
        *,
        index: int,
        count: int,
        keeps: Keeps,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._ledger = ledger
        self._rng = rng
        self._keeps = keeps
        self._names = [f"{index}/{number}" for number in range(KEYS_PER_CLIENT)]
        self._brief = f"{BRIEF}{index}"
        settings = [self._put_policy, self._put_cors, self._put_lifecycle, self._put_tagging]
        self._settings = settings[index::count]
        self._buckets = EXTRA_BUCKETS[index::count]
        deeds: list[tuple[int, Callable[[], None]]] = [
            *((30, self._put), (10, self._copy), (10, self._delete), (3, self._large)),
            *((6, self._upload), (3, self._abort), (4, self._refused), (6, self._brief_put)),
            *((8, self._tag), (4, self._delete_batch), (4, self._remove)),
            *((5, self._set), (6, self._change_bucket)),
        ]
        if keeps >= Keeps.VERSIONS:
            deeds += [(5, self._remove), (14, self._prune)]
        if keeps >= Keeps.LOCKS:
            deeds += [(6, self._put_locked), (5, self._retain), (5, self._hold)]
            deeds += [(4, self._remove_in_vain)]
        self._weights = [weight for weight, _ in deeds]
        self._deeds = [deed for _, deed in deeds]

    def act(self) -> None:
        """Do one thing.

        Raises:
            ServiceError: the server refused or failed.
            NetworkError: the server is gone.
        """
        self._rng.choices(self._deeds, weights=self._weights)[0]()

    def _write(self, key: str, version: Version, kind: str, send: Callable[[], str | None]) -> None:
        """Send what makes a new version and note it."""
        old = self._ledger.stack(key)
        overwrites = kind == "put" and old != ()
        kept = old if self._keeps >= Keeps.VERSIONS else ()
        self._ledger.begin(key, (version, *kept), "overwrite" if overwrites else kind)
        self._ledger.acknowledge(key, send())

    def _put(self) -> None:
        self._put_content(self._rng.choice(self._names), self._rng.choice(SIZES_BYTES))

    def _large(self) -> None:
        self._put_content(self._rng.choice(self._names), LARGE_BYTES)

    def _brief_put(self) -> None:
        self._put_content(self._brief, self._rng.choice(SIZES_BYTES[:-1]))

    def _put_content(
        self, key: str, size_bytes: int, version: Version | None = None, **headers: str
    ) -> None:
        content = self._rng.randbytes(size_bytes)
        tags = self._tags() if self._rng.random() < 0.3 else {}  # a share of them
        attributes = Attributes(content_headers=headers, tags=tags)
        base = version or Version("")
        wanted = base._replace(content=digest(content), tags=_as_header(tags))

        def send() -> str | None:
            return self._client.put_object(
                self._bucket, key, content, attributes=attributes
            ).version_id

        self._write(key, wanted, "put", send)

    def _refused(self) -> None:
        """Put what is refused when its body has arrived: nothing of it may stay."""
        content = self._rng.randbytes(self._rng.choice(SIZES_BYTES[-2:]))
        key = self._rng.choice(self._names)
        try:
            self._client.put_object(
                self._bucket, key, content, conditions=WriteConditions(if_match="other")
            )
        except ServiceError as error:
            if error.code not in {"PreconditionFailed", "NoSuchKey"}:
                raise

    def _copy(self) -> None:
        key, source = self._rng.sample(self._names, 2)
        held = self._object(source)
        if held is not None:
            wanted = Version(held.content, None, held.tags)

            def send() -> None:
                self._client.copy_object(self._bucket, source, self._bucket, key)

            self._write(key, wanted, "copy", send)

    def _upload(self) -> None:
        key = self._rng.choice(self._names)
        content = self._rng.randbytes(_PART_BYTES + self._rng.choice(SIZES_BYTES[1:]))
        started = self._client.create_multipart_upload(self._bucket, key)
        parts = [
            self._client.upload_part(self._bucket, key, started.upload_id, number, part)
            for number, part in enumerate((content[:_PART_BYTES], content[_PART_BYTES:]), 1)
        ]

        def send() -> None:
            self._client.complete_multipart_upload(self._bucket, key, started.upload_id, parts)

        self._write(key, Version(digest(content)), "complete", send)

    def _abort(self) -> None:
        key = self._rng.choice(self._names)
        started = self._client.create_multipart_upload(self._bucket, key)
        part = self._rng.randbytes(self._rng.choice(SIZES_BYTES[1:]))
        self._client.upload_part(self._bucket, key, started.upload_id, 1, part)
        self._client.abort_multipart_upload(self._bucket, key, started.upload_id)

    def _delete(self) -> None:
        key = self._rng.choice(self._names)
        self._ledger.begin(key, self._deleted(key), "delete")
        self._client.delete_object(self._bucket, key)
        self._ledger.acknowledge(key)

    def _delete_batch(self) -> None:
        for key in self._names:
            self._ledger.begin(key, self._deleted(key), "delete batch")
        items = [ObjectIdentifier(key) for key in self._names]
        assert not self._client.delete_objects(self._bucket, items)
        for key in self._names:
            self._ledger.acknowledge(key)

    def _deleted(self, key: str) -> Stack:
        return (Version(MARKER), *self._ledger.stack(key)) if self._keeps else ()

    def _remove(self) -> None:
        """Remove a version for good."""
        key = self._rng.choice(self._names)
        stack = self._ledger.stack(key)
        removable = [version for version in stack if _may_go(version)]
        if removable:
            version = self._rng.choice(removable)
            rest = tuple(other for other in stack if other is not version)
            self._ledger.begin(key, rest, "remove")
            self._client.delete_object(self._bucket, key, version_id=version.id, bypass=True)
            self._ledger.acknowledge(key)

    def _prune(self) -> None:
        """Remove an old version of each key that has many, in one request."""
        items = []
        for key in (*self._names, self._brief):
            stack = self._ledger.stack(key)
            old = [version for version in stack[VERSIONS_KEPT:] if _may_go(version)]
            if old:
                rest = tuple(version for version in stack if version is not old[-1])
                self._ledger.begin(key, rest, "remove batch")
                items.append(ObjectIdentifier(key, old[-1].id))
        if items:
            assert not self._client.delete_objects(self._bucket, items, bypass=True)
        for item in items:
            self._ledger.acknowledge(item.key)

    def _tag(self) -> None:
        tags = self._tags() if self._rng.random() < 0.8 else {}  # a share of them

        def send(key: str, version_id: str | None) -> None:
            if tags:
                self._client.put_object_tagging(self._bucket, key, tags, version_id=version_id)
            else:
                self._client.delete_object_tagging(self._bucket, key, version_id=version_id)

        self._annotate("tag", lambda version: version._replace(tags=_as_header(tags)), send)

    def _put_locked(self) -> None:
        key, size_bytes = self._rng.choice(self._names), self._rng.choice(SIZES_BYTES)
        if self._rng.random() < 0.5:  # half of them
            header = {"x-amz-object-lock-legal-hold": "ON"}
            self._put_content(key, size_bytes, Version("", held=True), **header)
            return
        mode = COMPLIANCE if self._rng.random() < 0.1 else GOVERNANCE  # some stay
        until = format_iso8601(self._until_ns())
        header = {
            "x-amz-object-lock-mode": mode,
            "x-amz-object-lock-retain-until-date": until,
        }
        self._put_content(key, size_bytes, Version("", retention=f"{mode} {until}"), **header)

    def _retain(self) -> None:
        until_ns = self._until_ns()
        retention = Retention(GOVERNANCE, until_ns)

        def send(key: str, version_id: str | None) -> None:
            self._client.put_object_retention(
                self._bucket, key, retention, version_id=version_id, bypass=True
            )

        wanted = f"{GOVERNANCE} {format_iso8601(until_ns)}"
        self._annotate("retention", lambda version: version._replace(retention=wanted), send)

    def _hold(self) -> None:
        on = self._rng.random() < 0.4  # more are taken off than put on

        def send(key: str, version_id: str | None) -> None:
            self._client.put_object_legal_hold(self._bucket, key, on=on, version_id=version_id)

        self._annotate("legal hold", lambda version: version._replace(held=on), send)

    def _remove_in_vain(self) -> None:
        """Try to remove what is locked: it has to stay."""
        key = self._rng.choice(self._names)
        locked = [v for v in self._ledger.stack(key) if (v.held or v.retention) and v.id]
        if locked:
            version = self._rng.choice(locked)
            try:
                self._client.delete_object(self._bucket, key, version_id=version.id)
            except ServiceDeniedError:
                return
            raise AssertionError(f"{key}: {version} is locked, and its removal was acknowledged")

    def _annotate(
        self,
        kind: str,
        change: Callable[[Version], Version],
        send: Callable[[str, str | None], None],
    ) -> None:
        """Change what is said of a version of one key."""
        key = self._rng.choice(self._names)
        stack = self._ledger.stack(key)
        choices = [
            place
            for place, version in enumerate(stack)
            if version.content != MARKER
            and version.id is not None
            and not version.retention.startswith(COMPLIANCE)
        ]
        if choices:
            place = self._rng.choice(choices)
            version = stack[place]
            wanted = (*stack[:place], change(version), *stack[place + 1 :])
            self._ledger.begin(key, wanted, kind)
            send(key, None if version.id == NULL else version.id)
            self._ledger.acknowledge(key)

    def _set(self) -> None:
        if self._settings:
            self._rng.choice(self._settings)()

    def _put_policy(self) -> None:
        statement = {
            "Sid": self._word(),
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self._bucket}/public/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
        self._setting(
            "policy", policy, lambda: self._client.put_bucket_policy(self._bucket, policy)
        )

    def _put_cors(self) -> None:
        rules = [CorsRule((f"https://{self._word()}.test",), ("GET",))]
        self._setting("cors", rules, lambda: self._client.put_bucket_cors(self._bucket, rules))

    def _put_lifecycle(self) -> None:
        rules = lifecycle_rules(self._word())

        def send() -> None:
            self._client.put_bucket_lifecycle_configuration(self._bucket, rules)

        self._setting("lifecycle", rules, send)

    def _put_tagging(self) -> None:
        tags = self._tags()
        self._setting("tagging", tags, lambda: self._client.put_bucket_tagging(self._bucket, tags))

    def _setting(self, name: str, value: object, send: Callable[[], None]) -> None:
        self._ledger.begin(SETTING + name, (setting(value),), "setting")
        send()
        self._ledger.acknowledge(SETTING + name)

    def _change_bucket(self) -> None:
        """Make another bucket, let it keep versions, or delete it, in turn."""
        if not self._buckets:
            return
        bucket = self._rng.choice(self._buckets)
        name = SETTING + bucket
        stack = self._ledger.stack(name)
        if not stack:
            self._ledger.begin(name, (setting(None),), "create bucket")
            self._client.create_bucket(bucket)
        elif stack[0] == setting(None):
            self._ledger.begin(name, (setting("Enabled"),), "bucket's rules")
            self._client.put_bucket_versioning(bucket, "Enabled")
        else:
            self._ledger.begin(name, (), "delete bucket")
            self._client.delete_bucket(bucket)
        self._ledger.acknowledge(name)

    def _object(self, key: str) -> Version | None:
        stack = self._ledger.stack(key)
        return stack[0] if stack and stack[0].content != MARKER else None

    def _tags(self) -> dict[str, str]:
        return {"colour": self._word(), "size": self._word()}

    def _word(self) -> str:
        return self._rng.randbytes(6).hex()

    def _until_ns(self) -> int:
        now_s = time.time_ns() // NS_PER_S
        return now_s * NS_PER_S + self._rng.randint(1, 100) * _DAY_NS


def lifecycle_rules(name: str) -> list[LifecycleRule]:
    """Return rules that take what is brief, under a name that tells them from others."""
    rule = LifecycleRule(
        id=name, filter=Filter(prefix=BRIEF), expiration=Expiration(date_ns=_PAST_NS)
    )
    return [rule]


def _as_header(tags: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in tags.items())


def _may_go(version: Version) -> bool:
    """Tell whether somebody who bypasses governance can remove it."""
    return not (version.id is None or version.held or version.retention.startswith(COMPLIANCE))
