import pytest

from ingot.iam.conditions import parse_condition

CONTEXT = {
    "aws:sourceip": ["192.0.2.7"],
    "aws:securetransport": ["false"],
    "aws:useragent": ["Curl/8"],
    "aws:currenttime": ["2026-11-27T12:00:00Z"],
    "aws:epochtime": ["1795780800"],
    "s3:max-keys": ["10"],
    "s3:prefix": ["home/ann/"],
    "aws:username": ["ann"],
    "aws:tagkeys": ["color", "size"],
    "s3:digest": ["aGVsbG8="],
}


def holds(operator: str, key: str, *values: str) -> bool:
    return parse_condition(operator, key, values, variables=True).holds(CONTEXT)


@pytest.mark.parametrize(
    ("operator", "key", "values", "expected"),
    [
        ("StringEquals", "s3:prefix", ["home/ann/"], True),
        ("StringEquals", "s3:prefix", ["home/*"], False),
        ("StringEquals", "S3:Prefix", ["x", "home/${aws:username}/"], True),
        ("StringEquals", "s3:prefix", ["${aws:userid}"], False),
        ("StringNotEquals", "s3:prefix", ["x", "y"], True),
        ("StringNotEquals", "s3:prefix", ["x", "home/ann/"], False),
        ("StringEqualsIgnoreCase", "aws:UserAgent", ["CURL/8"], True),
        ("StringNotEqualsIgnoreCase", "aws:UserAgent", ["CURL/8"], False),
        ("StringLike", "s3:prefix", ["home/*"], True),
        ("StringNotLike", "s3:prefix", ["home/*"], False),
        ("NumericEquals", "s3:max-keys", ["10.0"], True),
        ("NumericNotEquals", "s3:max-keys", ["10"], False),
        ("NumericLessThan", "s3:max-keys", ["10"], False),
        ("NumericLessThanEquals", "s3:max-keys", ["10"], True),
        ("NumericGreaterThan", "s3:max-keys", ["9"], True),
        ("NumericGreaterThanEquals", "s3:max-keys", ["11"], False),
        ("NumericEquals", "s3:prefix", ["10"], False),
        ("DateLessThan", "aws:CurrentTime", ["2026-11-28"], True),
        ("DateGreaterThan", "aws:CurrentTime", ["2026-11-27T12:00:00+01:00"], True),
        ("DateEquals", "aws:CurrentTime", ["1795780800"], True),
        ("DateGreaterThanEquals", "aws:EpochTime", ["2026-11-27T12:00:00Z"], True),
        ("Bool", "aws:SecureTransport", ["false"], True),
        ("Bool", "aws:SecureTransport", ["true"], False),
        ("BinaryEquals", "s3:digest", ["aGVsbG8="], True),
        ("BinaryEquals", "s3:prefix", ["aGVsbG8="], False),
        ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "192.0.2.0/24"], True),
        ("IpAddress", "aws:SourceIp", ["2001:db8::/32"], False),
        ("NotIpAddress", "aws:SourceIp", ["192.0.2.7"], False),
        ("ArnLike", "s3:prefix", ["home/*/"], True),
        ("ArnNotEquals", "s3:prefix", ["home/*/"], False),
        ("Null", "aws:TokenIssueTime", ["true"], True),
        ("Null", "s3:prefix", ["true"], False),
        ("Null", "s3:prefix", ["false"], True),
    ],
)
def test_each_operator(operator: str, key: str, values: list[str], expected: bool) -> None:
    assert expected == holds(operator, key, *values)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),
        ("NumericLessThan", False),
        ("NumericLessThanIfExists", True),
        ("NotIpAddress", True),
        ("IpAddress", False),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
    ],
)
def test_what_the_request_does_not_say(operator: str, expected: bool) -> None:
    value = "192.0.2.7" if "Ip" in operator else "1"
    assert expected == holds(operator, "aws:absent", value)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAllValues:StringEquals", ["color", "size", "shape"], True),
        ("ForAllValues:StringEquals", ["color"], False),
        ("ForAnyValue:StringEquals", ["color"], True),
        ("ForAnyValue:StringEquals", ["shape"], False),
        ("ForAllValues:StringNotEquals", ["shape"], True),
        ("ForAnyValue:StringNotEquals", ["color"], True),
        ("StringEquals", ["size"], True),
        ("StringNotEquals", ["size"], False),
    ],
)
def test_keys_of_several_values(operator: str, values: list[str], expected: bool) -> None:
    assert expected == holds(operator, "aws:TagKeys", *values)


def test_an_address_within_ipv6_is_its_ipv4_address() -> None:
    condition = parse_condition("IpAddress", "aws:SourceIp", ["192.0.2.0/24"], variables=True)
    assert condition.holds({"aws:sourceip": ["::ffff:192.0.2.9"]})
    assert not condition.holds({"aws:sourceip": ["no address"]})


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("StringMatches", ["x"]),
        ("ForSomeValues:StringEquals", ["x"]),
        ("NumericEquals", ["ten"]),
        ("NumericEquals", ["NaN"]),
        ("DateEquals", ["yesterday"]),
        ("DateEquals", ["9" * 30]),
        ("Bool", ["perhaps"]),
        ("BinaryEquals", ["?"]),
        ("IpAddress", ["192.0.2.0/40"]),
        ("Null", ["true", "false"]),
        ("ForAnyValue:Null", ["true"]),
        ("StringEquals", []),
    ],
)
def test_what_is_no_condition(operator: str, values: list[str]) -> None:
    with pytest.raises(ValueError):  # each has words of its own
        parse_condition(operator, "aws:key", values, variables=True)
