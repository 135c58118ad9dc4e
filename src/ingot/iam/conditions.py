"""The Condition block of a policy: its operators, read strictly, held against a request's values.

Source: AWS IAM user guide, "IAM JSON policy elements: Condition operators" and "Conditions with
multiple context keys or values".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, NamedTuple

from ingot.iam.wildcards import Context, Pattern

CONDITION_VALUES_MAX: Final = 100

_Qualifier = Literal["", "ForAllValues", "ForAnyValue"]
# A test of one value of the request against all values of the policy.
_Test = Callable[[str, Context], bool]

_IF_EXISTS: Final = "IfExists"


class Condition(NamedTuple):
    """One operator on one key.

    Attributes:
        key: lower case.
        qualifier: how several values of the request count.
        if_exists: true when the request has no such key.
        negated: the operator's name has a Not: no value may match.
        test: whether a value of the request matches any of the policy's.
        wants_absence: of the operator Null: the key must be absent (or present); else None.
    """

    key: str
    qualifier: _Qualifier
    if_exists: bool
    negated: bool
    test: _Test
    wants_absence: bool | None = None

    def holds(self, context: Context) -> bool:
        """Tell whether the request fulfils it."""
        values = context.get(self.key, ())
        if self.wants_absence is not None:
            return self.wants_absence == (not values)
        if not values:
            return self.if_exists or self.qualifier == "ForAllValues" or self._absent_holds
        outcomes = [self.test(value, context) != self.negated for value in values]
        if self.qualifier == "ForAnyValue":
            return any(outcomes)
        if self.qualifier == "ForAllValues":
            return all(outcomes)
        # Without a qualifier one of several values must match; with a Not all must differ.
        return all(outcomes) if self.negated else any(outcomes)

    @property
    def _absent_holds(self) -> bool:
        return self.negated and self.qualifier == ""


def parse_condition(
    operator: str, key: str, values: Sequence[str], *, variables: bool
) -> Condition:
    """Read one operator, key and its values.

    Args:
        operator: such as `ForAnyValue:StringNotEqualsIfExists`.
        key: such as `aws:SourceIp`.
        values: as text, at least one.
        variables: whether `${…}` is a variable.

    Raises:
        ValueError: the operator is unknown or a value is not of its kind.
    """
    name = operator
    qualifier: _Qualifier = ""
    if name.startswith("ForAllValues:"):
        qualifier, name = "ForAllValues", name.removeprefix("ForAllValues:")
    elif name.startswith("ForAnyValue:"):
        qualifier, name = "ForAnyValue", name.removeprefix("ForAnyValue:")
    if name == "Null":
        if qualifier or len(values) != 1:
            raise ValueError("Null takes one value and no qualifier")
        return Condition(
            key.lower(), "", False, False, _never, wants_absence=_parse_bool(values[0])
        )
    if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    if name not in _OPERATORS:
        raise ValueError(f"the operator {operator!r} is not known")
    if not 1 <= len(values) <= CONDITION_VALUES_MAX:
        raise ValueError(f"a condition takes 1 to {CONDITION_VALUES_MAX} values")
    make, negated = _OPERATORS[name]
    return Condition(key.lower(), qualifier, if_exists, negated, make(values, variables))


def _never(value: str, context: Context) -> bool:
    return False


def _strings(fold: bool) -> Callable[[Sequence[str], bool], _Test]:  # local use
    def make(values: Sequence[str], variables: bool) -> _Test:  # as above
        patterns = [Pattern(value, variables=variables) for value in values]

        def test(value: str, context: Context) -> bool:
            for pattern in patterns:
                wanted = pattern.literal(context)
                if wanted is None:
                    continue
                if wanted == value or (fold and wanted.casefold() == value.casefold()):
                    return True
            return False

        return test

    return make


def _likes(values: Sequence[str], variables: bool) -> _Test:  # as its siblings
    patterns = [Pattern(value, variables=variables) for value in values]
    return lambda value, context: any(pattern.matches(value, context) for pattern in patterns)


def _compared(
    parse: Callable[[str], Decimal | datetime], compare: Callable[[object, object], bool]
) -> Callable[[Sequence[str], bool], _Test]:
    def make(values: Sequence[str], variables: bool) -> _Test:  # as its siblings
        wanted = [parse(value) for value in values]

        def test(value: str, context: Context) -> bool:
            try:
                found = parse(value)
            except ValueError:
                return False
            return any(compare(found, one) for one in wanted)

        return test

    return make


def _bools(values: Sequence[str], variables: bool) -> _Test:  # as its siblings
    wanted = {_parse_bool(value) for value in values}
    return lambda value, context: value.lower() in {str(one).lower() for one in wanted}


def _binaries(values: Sequence[str], variables: bool) -> _Test:  # as its siblings
    try:
        wanted = {base64.b64decode(value, validate=True) for value in values}
    except (binascii.Error, ValueError) as error:
        raise ValueError("a value is no base64") from error

    def test(value: str, context: Context) -> bool:
        try:
            return base64.b64decode(value, validate=True) in wanted
        except (binascii.Error, ValueError):
            return False

    return test


def _addresses(values: Sequence[str], variables: bool) -> _Test:  # as its siblings
    networks = [ipaddress.ip_network(value, strict=False) for value in values]

    def test(value: str, context: Context) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in networks)

    return test


def _parse_bool(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _parse_number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no number") from error
    if not number.is_finite():
        raise ValueError(f"{text!r} is no number")
    return number


def _parse_date(text: str) -> datetime:
    if text.isascii() and text.isdigit():
        try:
            return datetime.fromtimestamp(int(text), UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{text!r} is no instant") from error
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _less(a: object, b: object) -> bool:
    return a < b  # type: ignore[operator,no-any-return] # both come from one parser


def _less_or_equal(a: object, b: object) -> bool:
    return _less(a, b) or a == b


def _ordered(
    kind: str, parse: Callable[[str], Decimal | datetime]
) -> dict[str, tuple[Callable[[Sequence[str], bool], _Test], bool]]:
    return {
        f"{kind}Equals": (_compared(parse, lambda a, b: a == b), False),
        f"{kind}NotEquals": (_compared(parse, lambda a, b: a == b), True),
        f"{kind}LessThan": (_compared(parse, _less), False),
        f"{kind}LessThanEquals": (_compared(parse, _less_or_equal), False),
        f"{kind}GreaterThan": (_compared(parse, lambda a, b: _less(b, a)), False),
        f"{kind}GreaterThanEquals": (_compared(parse, lambda a, b: _less_or_equal(b, a)), False),
    }


_OPERATORS: Final[dict[str, tuple[Callable[[Sequence[str], bool], _Test], bool]]] = {
    "StringEquals": (_strings(False), False),
    "StringNotEquals": (_strings(False), True),
    "StringEqualsIgnoreCase": (_strings(True), False),
    "StringNotEqualsIgnoreCase": (_strings(True), True),
    "StringLike": (_likes, False),
    "StringNotLike": (_likes, True),
    **_ordered("Numeric", _parse_number),
    **_ordered("Date", _parse_date),
    "Bool": (_bools, False),
    "BinaryEquals": (_binaries, False),
    "IpAddress": (_addresses, False),
    "NotIpAddress": (_addresses, True),
    "ArnEquals": (_likes, False),
    "ArnLike": (_likes, False),
    "ArnNotEquals": (_likes, True),
    "ArnNotLike": (_likes, True),
}
OPERATORS: Final = frozenset(_OPERATORS) | {"Null"}
