"""Settings as people ask for them: rules from options, JSON forms, public access; all pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import NotFoundError, UsageError
from ingot.cli._table import fitted, table
from ingot.client.jsonform import CORS, LIFECYCLE, REPLICATION, xml_of
from ingot.client.lifecycle import Wish, actions, applied, conditions, replaced, without
from ingot.client.publicaccess import (
    PERMISSIONS,
    access,
    parse_policy,
    prefixes,
    render_policy,
    with_access,
)
from ingot.client.replication import added, extras, made_rule, updated
from ingot.client.validity import parse_validity
from ingot.s3.documents import cors, lifecycle, replication
from ingot.s3.documents.lifecycle import Expiration, Filter, LifecycleRule, Transition

NS_PER_DAY = 86_400 * 10**9
names = st.text("abc/.-*é", min_size=1, max_size=6)
days = st.none() | st.integers(1, 99)
rules = st.lists(
    st.builds(
        LifecycleRule,
        names,
        st.booleans(),
        st.builds(
            Filter,
            st.just("") | names,
            st.lists(st.tuples(names, names), max_size=2).map(tuple),
            days,
            days,
        ),
        st.none() | st.builds(Expiration, days, st.none(), st.booleans(), st.booleans()),
        st.lists(st.builds(Transition, names, days, st.none()), max_size=2).map(tuple),
        st.none(),
        st.just(()),
        days,
        days,
    ),
    max_size=3,
)


@given(rules)
def test_lifecycle_rules_come_back_from_json(found: list[LifecycleRule]) -> None:
    data = lifecycle.render(found)
    assert lifecycle.parse(LIFECYCLE.to_xml(LIFECYCLE.to_json(data))) == lifecycle.parse(data)


@given(
    st.lists(
        st.builds(
            cors.CorsRule,
            st.lists(names.map(lambda name: name.replace("*", "").strip() or "x"), min_size=1).map(
                tuple
            ),
            st.just(("GET",)),
            st.just(()),
            st.just(("etag",)),
            days,
            st.none(),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_cors_rules_come_back_from_json(found: list[cors.CorsRule]) -> None:
    assert cors.parse(CORS.to_xml(CORS.to_json(cors.render(found)))) == found


def test_replication_rules_come_back_from_json() -> None:
    rule = made_rule(
        *("arn:aws:s3:::b", "id"),
        enabled=True,
        priority=None,
        prefix="a/",
        tags="x=1&y=2",
        storage_class="GLACIER",
        extras="delete-marker,existing-objects",
    )
    setting = added(None, rule, "role")
    assert setting.rules[0].priority == 1
    assert extras(setting.rules[0]) == "delete-marker,existing-objects"
    data = replication.render(setting)
    assert replication.parse(REPLICATION.to_xml(REPLICATION.to_json(data))) == setting
    off = updated(
        setting,
        "id",
        enabled=False,
        priority=None,
        prefix=None,
        tags=None,
        storage_class=None,
        extras="",
    )
    assert (off.rules[0].enabled, off.rules[0].prefix, extras(off.rules[0])) == (False, "a/", "-")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"Rules": null}', b"<a/>", b"[" * 100_000])
def test_what_is_no_document(text: bytes) -> None:
    with pytest.raises(UsageError):
        lifecycle.parse(xml_of(text, LIFECYCLE))


class TestLifecycle:
    def test_what_is_not_said_stays(self) -> None:
        rule = applied(LifecycleRule("x"), Wish(prefix="a/", larger_bytes=5, expire_days=3))
        assert (conditions(rule.filter), actions(rule)) == ("a/*, > 5 B", "expire after 3 d")
        rule = applied(rule, Wish(transition_days=1, transition_class="COLD", abort_days=2))
        assert actions(rule) == "expire after 3 d; move to COLD after 1 d; abort uploads after 2 d"
        rule = applied(rule, Wish(expire_date_ns=NS_PER_DAY, expire_all=True))
        assert rule.expiration == Expiration(date_ns=NS_PER_DAY, all_versions=True)
        rule = applied(rule, Wish(noncurrent_expire_days=4, noncurrent_expire_keep=2))
        assert "expire older versions after 4 d but the newest 2" in actions(rule)
        assert replaced([rule], rule) == [rule]
        assert without([rule], "x") == []
        with pytest.raises(NotFoundError):
            without([rule], "y")


class TestValidity:
    @pytest.mark.parametrize(
        ("text", "expected_ns"),
        [
            ("1d", NS_PER_DAY),
            ("1y", 365 * NS_PER_DAY),
            # 1972 is a leap year.
            ("3Y", (3 * 365 + 1) * NS_PER_DAY),
        ],
    )
    def test_its_end(self, text: str, expected_ns: int) -> None:
        assert parse_validity(text).until_ns(0) == expected_ns

    def test_a_leap_day_has_an_end_too(self) -> None:
        leap_day_ns = (2 * 365 + 31 + 28) * NS_PER_DAY
        end_ns = parse_validity("1y").until_ns(leap_day_ns)
        assert end_ns - leap_day_ns == 366 * NS_PER_DAY


class TestPublicAccess:
    @given(
        st.lists(st.tuples(names.map(lambda n: n.replace("*", "")), st.sampled_from(PERMISSIONS)))
    )
    def test_what_was_set_last_holds(self, steps: list[tuple[str, str]]) -> None:
        policy = parse_policy(b"")
        for prefix, word in steps:
            for other in list(prefixes(policy, "b")):
                policy = with_access(policy, "b", other, "private")
            policy = with_access(policy, "b", prefix, word)
            policy = parse_policy(render_policy(policy))
            assert access(policy, "b", prefix) == word
            assert access(policy, "b2", prefix) == "private"

    def test_statements_of_others_stay(self) -> None:
        theirs: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::1:user/x"},
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::b/*",
        }
        policy = with_access({"Statement": [theirs]}, "b", "a/", "download")
        assert policy["Statement"][0] == theirs
        assert with_access(policy, "b", "a/", "private")["Statement"] == [theirs]

    @pytest.mark.parametrize(
        "more",
        [
            {"Effect": "Deny"},
            {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
            {"Resource": "arn:aws:s3:::b/a/deeper/*"},
        ],
    )
    def test_what_no_word_says_is_custom(self, more: dict[str, Any]) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::b/a/*"],
            **more,
        }
        assert access({"Statement": [statement]}, "b", "a/") == "custom"


def test_tables_are_cut_to_their_room() -> None:
    assert fitted([3, 50, 20], 40) == [3, 18, 19]
    assert fitted([3, 5], 4) == [3, 5]
    assert table(("A", "B"), [("long\x1b", "x"), ("y", "zz")]) == (
        "A         B\nlong\\x1b  x\ny         zz"
    )
