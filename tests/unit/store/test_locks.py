from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.store.fences import Quota, Rules, Versioning, decode_fence, encode_fence
from ingot.store.locks import (
    COMPLIANCE,
    GOVERNANCE,
    Lock,
    LockRule,
    keeps,
    lock_of_new,
    may_retain,
)

NOW_NS = 1_800_000_000 * 10**9
LATER_NS = NOW_NS + 10**9


def ns(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 10**9


def test_a_rule_of_days_counts_seconds_and_one_of_years_the_calendar() -> None:
    assert ns(2026, 3, 3, 4) == LockRule(GOVERNANCE, days=2).until_ns(ns(2026, 3, 1, 4))
    assert ns(2029, 2, 28) == LockRule(GOVERNANCE, years=1).until_ns(ns(2028, 2, 29))
    assert ns(2032, 2, 29) + 7 == LockRule(COMPLIANCE, years=4).until_ns(ns(2028, 2, 29) + 7)


def test_a_new_version_gets_what_was_asked_for_else_the_rule() -> None:
    rule = LockRule(GOVERNANCE, days=1)
    asked = Lock(COMPLIANCE, LATER_NS)
    assert asked == lock_of_new(asked, rule, NOW_NS)
    assert lock_of_new(None, None, NOW_NS) is None
    by_rule = Lock(GOVERNANCE, rule.until_ns(NOW_NS))
    assert by_rule == lock_of_new(None, rule, NOW_NS)
    held = Lock(GOVERNANCE, by_rule.until_ns, hold=True)
    assert held == lock_of_new(Lock(hold=True), rule, NOW_NS)


@pytest.mark.parametrize(
    ("lock", "kept", "kept_from_bypass"),
    [
        (None, False, False),
        (Lock(), False, False),
        (Lock(hold=True), True, True),
        (Lock(GOVERNANCE, LATER_NS), True, False),
        (Lock(GOVERNANCE, NOW_NS), False, False),
        (Lock(COMPLIANCE, LATER_NS), True, True),
        (Lock(COMPLIANCE, NOW_NS), False, False),
        (Lock(GOVERNANCE, LATER_NS, hold=True), True, True),
    ],
)
def test_what_keeps_a_version(lock: Lock | None, kept: bool, kept_from_bypass: bool) -> None:
    assert kept == keeps(lock, NOW_NS, bypass_governance=False)
    assert kept_from_bypass == keeps(lock, NOW_NS, bypass_governance=True)


@pytest.mark.parametrize(
    ("old", "new", "allowed", "allowed_by_bypass"),
    [
        (None, Lock(GOVERNANCE, LATER_NS), True, True),
        (Lock(GOVERNANCE, NOW_NS), Lock(), True, True),
        (Lock(GOVERNANCE, LATER_NS), Lock(GOVERNANCE, LATER_NS + 1), True, True),
        (Lock(GOVERNANCE, LATER_NS), Lock(COMPLIANCE, LATER_NS), True, True),
        (Lock(GOVERNANCE, LATER_NS), Lock(GOVERNANCE, LATER_NS - 1), False, True),
        (Lock(GOVERNANCE, LATER_NS), Lock(), False, True),
        (Lock(COMPLIANCE, LATER_NS), Lock(COMPLIANCE, LATER_NS + 1), True, True),
        (Lock(COMPLIANCE, LATER_NS), Lock(GOVERNANCE, LATER_NS + 1), False, False),
        (Lock(COMPLIANCE, LATER_NS), Lock(COMPLIANCE, LATER_NS - 1), False, False),
        (Lock(COMPLIANCE, LATER_NS), Lock(), False, False),
    ],
)
def test_retention_becomes_more_but_not_less(
    old: Lock | None, new: Lock, allowed: bool, allowed_by_bypass: bool
) -> None:
    assert allowed == may_retain(old, new, NOW_NS, bypass_governance=False)
    assert allowed_by_bypass == may_retain(old, new, NOW_NS, bypass_governance=True)


QUOTAS = st.none() | st.builds(Quota, st.integers(0), st.sampled_from(["", "00c0ffee"]))


@given(
    st.one_of(
        st.builds(
            lambda state, quota: Rules(state, quota=quota), st.sampled_from(Versioning), QUOTAS
        ),
        st.builds(
            Rules,
            st.just(Versioning.ENABLED),
            lockable=st.just(True),
            lock_rule=st.one_of(
                st.none(),
                st.builds(LockRule, st.sampled_from([GOVERNANCE, COMPLIANCE]), st.integers(1)),
            ),
            quota=QUOTAS,
        ),
    )
)
def test_fences_come_back_as_they_were(rules: Rules) -> None:
    assert rules == decode_fence(encode_fence(rules))


def test_fences_of_stores_without_locks_are_what_they_were() -> None:
    fences = [encode_fence(Rules(state)) for state in Versioning]
    assert fences == [b"open", b"enabled", b"suspended"]
