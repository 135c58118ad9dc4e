"""Policies in the AWS language: read strictly, with a place and a reason for every mistake.

Source: AWS IAM user guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from ingot.base.errors import UsageError
from ingot.iam.conditions import Condition, parse_condition
from ingot.iam.wildcards import Context, Pattern

ARN_PREFIX: Final = "arn:aws:s3:::"
POLICY_BYTES_MAX: Final = 20 * 1024
STATEMENTS_MAX: Final = 100
# Values of one condition key, actions or resources of one statement.
ITEMS_MAX: Final = 200

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_POLICY_KEYS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS: Final = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)
_ANYBODY: Final = "*"
_ADMINISTRATION: Final = "admin:"

Effect = Literal["Allow", "Deny"]


class PolicyError(UsageError):
    """A policy is not well-formed; the message begins with the place of the mistake."""

    slug = "malformed-policy"


class Matcher(NamedTuple):
    """Patterns of which one must match, or with a Not none."""

    patterns: tuple[Pattern, ...]
    negated: bool

    def matches(self, value: str, context: Context) -> bool:
        """Tell whether the value is meant."""
        found = any(pattern.matches(value, context) for pattern in self.patterns)
        return found != self.negated


class Principals(NamedTuple):
    """Whom a resource's policy speaks of: names of users, or anybody."""

    names: frozenset[str]
    negated: bool

    def matches(self, name: str | None) -> bool:
        """Tell whether somebody is meant; None is who gave no name."""
        found = _ANYBODY in self.names or (name is not None and name in self.names)
        return found != self.negated


class Statement(NamedTuple):
    """One statement.

    Attributes:
        effect: what it does to requests that it is about.
        principals: of a resource's policy; None in one of an identity.
        actions: `s3:GetObject` and so on, in lower case.
        resources: ARNs.
        conditions: all must hold.
    """

    effect: Effect
    principals: Principals | None
    actions: Matcher
    resources: Matcher
    conditions: tuple[Condition, ...]


class Policy(NamedTuple):
    """A policy; its statements count together, in no order."""

    statements: tuple[Statement, ...]

    @property
    def is_public(self) -> bool:
        """Whether it gives anything to everybody without a condition."""
        return any(
            statement.effect == "Allow"
            and statement.principals is not None
            and statement.principals.matches(None)
            and not statement.conditions
            for statement in self.statements
        )


def parse_bucket_policy(data: bytes, bucket: str) -> Policy:
    """Read the policy of a bucket: it names principals, and only this bucket and its objects.

    Raises:
        PolicyError: it is not well-formed, too large, or speaks of something else.
    """
    policy = _parse(_load(data), has_principals=True)
    for number, statement in enumerate(policy.statements):
        for pattern in statement.resources.patterns:
            name = pattern.text.removeprefix(ARN_PREFIX).partition("/")[0]
            if pattern.text.startswith(ARN_PREFIX) and Pattern(name).matches(bucket, {}):
                continue
            raise PolicyError(
                f"Statement[{number}].Resource: {pattern.text!r} is not in the bucket",
                hint=f"name {ARN_PREFIX}{bucket} and {ARN_PREFIX}{bucket}/*",
            )
    return policy


def parse_identity_policy(data: bytes) -> Policy:
    """Read the policy of a user, group or access key: it names no principals.

    Raises:
        PolicyError: it is not well-formed or too large.
    """
    return _parse(_load(data), has_principals=False)


def _load(data: bytes) -> dict[str, Any]:
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyError(
            f"the policy has {len(data)} bytes",
            hint=f"{POLICY_BYTES_MAX} are the most; join statements by wildcards",
        )
    try:
        document = json.loads(data, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise PolicyError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise PolicyError("the policy is no JSON text in UTF-8") from error
    if not isinstance(document, dict):
        raise PolicyError("the policy is no JSON object")
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise PolicyError(f"{repeated!r} is there twice in one object")
    return found


def _parse(document: dict[str, Any], *, has_principals: bool) -> Policy:
    _check_keys("", document, _POLICY_KEYS)
    version = document.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise PolicyError(f"Version: {version!r} is not known", hint=f'use "{_VERSIONS[0]}"')
    statements = document.get("Statement")
    items = [statements] if isinstance(statements, dict) else statements
    if not isinstance(items, list) or not items:
        raise PolicyError("Statement: there is none")
    if len(items) > STATEMENTS_MAX:
        raise PolicyError(f"Statement: {len(items)} are more than {STATEMENTS_MAX}")
    variables = version == _VERSIONS[0]
    return Policy(
        tuple(
            _Reader(f"Statement[{number}]", item, variables=variables).statement(
                has_principals=has_principals
            )
            for number, item in enumerate(items)
        )
    )


class _Reader:
    """Reads one statement, and knows where it stands."""

    def __init__(self, place: str, item: Any, *, variables: bool) -> None:
        if not isinstance(item, dict):
            raise PolicyError(f"{place}: a statement is an object")
        self._place, self._item, self._variables = place, item, variables

    def statement(self, *, has_principals: bool) -> Statement:
        item = self._item
        _check_keys(self._place, item, _STATEMENT_KEYS)
        effect = item.get("Effect")
        if effect not in {"Allow", "Deny"}:
            raise PolicyError(f'{self._place}.Effect: must be "Allow" or "Deny"')
        return Statement(
            effect=effect,
            principals=self._principals(wanted=has_principals),
            actions=(actions := self._matcher("Action", lower=True)),
            resources=self._resources(actions, optional=not has_principals),
            conditions=tuple(self._conditions()),
        )

    def _principals(self, *, wanted: bool) -> Principals | None:
        name = self._one_of("Principal", "NotPrincipal", optional=not wanted)
        if name is None:
            return None
        place = f"{self._place}.{name}"
        if not wanted:
            raise PolicyError(f"{place}: only the policy of a bucket names principals")
        value = self._item[name]
        if value == _ANYBODY:
            return Principals(frozenset({_ANYBODY}), name != "Principal")
        if not isinstance(value, dict) or set(value) != {"AWS"}:
            raise PolicyError(f'{place}: must be "*" or {{"AWS": [names]}}')
        names = [_user_name(f"{place}.AWS", one) for one in _texts(f"{place}.AWS", value["AWS"])]
        return Principals(frozenset(names), name != "Principal")

    def _matcher(self, noun: str, *, lower: bool) -> Matcher:
        name = self._one_of(noun, f"Not{noun}", optional=False)
        assert name is not None, "it is not optional"
        place = f"{self._place}.{name}"
        texts = _texts(place, self._item[name])
        if lower:
            texts = [_action(place, text) for text in texts]
        # Actions have no variables.
        patterns = tuple(self._pattern(place, text, variables=not lower) for text in texts)
        return Matcher(patterns, name != noun)

    def _resources(self, actions: Matcher, *, optional: bool) -> Matcher:
        """Read the resources, which administration has none of."""
        named = {"Resource", "NotResource"}.intersection(self._item)
        administers = not actions.negated and all(
            pattern.text.startswith(_ADMINISTRATION) for pattern in actions.patterns
        )
        if optional and administers and not named:
            return Matcher((), negated=True)
        return self._matcher("Resource", lower=False)

    def _conditions(self) -> Iterable[Condition]:
        block = self._item.get("Condition", {})
        place = f"{self._place}.Condition"
        if not isinstance(block, dict):
            raise PolicyError(f"{place}: must be an object")
        for operator, keys in block.items():
            if not isinstance(keys, dict) or not keys:
                raise PolicyError(f"{place}.{operator}: must be an object of keys and values")
            for key, value in keys.items():
                where = f"{place}.{operator}.{key}"
                texts = _texts(where, value, scalars=True)
                try:
                    yield parse_condition(operator, key, texts, variables=self._variables)
                except ValueError as error:
                    raise PolicyError(f"{where}: {error}") from error

    def _pattern(self, place: str, text: str, *, variables: bool) -> Pattern:
        try:
            return Pattern(text, variables=variables and self._variables)
        except ValueError as error:
            raise PolicyError(f"{place}: {error}") from error

    def _one_of(self, first: str, second: str, *, optional: bool) -> str | None:
        found = [name for name in (first, second) if name in self._item]
        if len(found) == 1:
            return found[0]
        if not found and optional:
            return None
        raise PolicyError(f"{self._place}: needs either {first} or {second}")


def _check_keys(place: str, item: dict[str, Any], known: frozenset[str]) -> None:
    for name in item:
        if name not in known:
            where = f"{place}.{name}" if place else name
            raise PolicyError(f"{where}: not known here", hint=f"one of {', '.join(sorted(known))}")


def _texts(place: str, value: Any, *, scalars: bool = False) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= ITEMS_MAX:
        raise PolicyError(f"{place}: takes 1 to {ITEMS_MAX} values")
    texts: list[str] = []
    for item in items:
        if isinstance(item, str):
            texts.append(item)
        elif scalars and isinstance(item, bool):
            texts.append(str(item).lower())
        elif scalars and isinstance(item, int | float):
            texts.append(str(item))
        else:
            raise PolicyError(f"{place}: {item!r} is no text")
    return texts


def _action(place: str, text: str) -> str:
    service, colon, name = text.partition(":")
    if text != _ANYBODY and not (colon and service and name):
        raise PolicyError(f"{place}: {text!r} is no action", hint="such as s3:GetObject")
    return text.lower()


def _user_name(place: str, text: str) -> str:
    """Return `NAME` of `arn:aws:iam:::user/NAME`, or what stands for itself."""
    if not text.startswith("arn:"):
        return text
    prefix, slash, name = text.partition(":user/")
    if not (slash and name and prefix.startswith("arn:aws:iam:")):
        raise PolicyError(f"{place}: {text!r} is no user", hint="such as arn:aws:iam:::user/NAME")
    return name
