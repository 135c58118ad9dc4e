import pytest

from ingot.s3.documents.lock import Retention
from ingot.s3.errors import S3Error
from ingot.s3.lockheaders import (
    AskedLock,
    format_lock_headers,
    parse_bypass,
    parse_lock_headers,
    parse_lockable,
)

NOW_NS = 1_800_000_000 * 10**9
MODE = "x-amz-object-lock-mode"
UNTIL = "x-amz-object-lock-retain-until-date"
HOLD = "x-amz-object-lock-legal-hold"
LATER = "2027-06-01T00:00:00.000Z"
LATER_NS = 1_811_808_000 * 10**9


def test_what_is_asked_for_is_read() -> None:
    assert parse_lock_headers({"content-type": "text/plain"}, NOW_NS) is None
    assert AskedLock(None, hold=True) == parse_lock_headers({HOLD: "ON"}, NOW_NS)
    assert AskedLock(None, hold=False) == parse_lock_headers({HOLD: "OFF"}, NOW_NS)
    headers = {MODE: "COMPLIANCE", UNTIL: LATER}
    expected = AskedLock(Retention("COMPLIANCE", LATER_NS), hold=False)
    assert expected == parse_lock_headers(headers, NOW_NS)


@pytest.mark.parametrize(
    "headers",
    [
        {MODE: "GOVERNANCE"},
        {UNTIL: LATER},
        {MODE: "governance", UNTIL: LATER},
        {MODE: "GOVERNANCE", UNTIL: "tomorrow"},
        {MODE: "GOVERNANCE", UNTIL: "2027-06-01T00:00:00"},
        {MODE: "GOVERNANCE", UNTIL: "2020-01-01T00:00:00Z"},
        {HOLD: "on"},
    ],
)
def test_what_cannot_be_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        parse_lock_headers(headers, NOW_NS)
    assert caught.value.code == "InvalidArgument"


def test_answers_say_what_keeps_a_version() -> None:
    assert format_lock_headers("", 0, hold=False) == {}
    assert format_lock_headers("", 0, hold=True) == {HOLD: "ON"}
    expected = {MODE: "GOVERNANCE", UNTIL: LATER}
    assert expected == format_lock_headers("GOVERNANCE", LATER_NS, hold=False)


def test_switches_are_true_false_or_absent() -> None:
    assert parse_bypass({"x-amz-bypass-governance-retention": "True"})
    assert not parse_bypass({})
    assert parse_lockable({"x-amz-bucket-object-lock-enabled": "true"})
    with pytest.raises(S3Error, match="must be true or false"):
        parse_lockable({"x-amz-bucket-object-lock-enabled": "yes"})
