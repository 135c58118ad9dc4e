"""Settings of buckets and objects: what one side writes the other reads, and S3's rules hold."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.s3 import lifecyclerules, xml
from ingot.s3.documents import cors, encryption, lifecycle, lock, notification, replication
from ingot.s3.errors import S3Error
from ingot.s3.events import EVENTS

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).filter(xml.expressible)
# An element's text of white space only, or with some around it, is not what these fields hold.
words = st.text("abzAZ019:/._-", min_size=1, max_size=12)
tag_lists = st.dictionaries(words.filter(lambda key: not key.startswith("aws:")), text, max_size=3)
tags = tag_lists.map(lambda pairs: tuple((key, value[:256]) for key, value in pairs.items()))
instants = st.integers(0, 4_000_000_000_000).map(lambda ms: ms * 1_000_000)
days = st.integers(1, 4000)
optional_days = st.none() | days


def tuples(items: st.SearchStrategy[Any], *, least: int = 0) -> st.SearchStrategy[Any]:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


def unique_ids(rules: Any) -> bool:
    ids = [rule.id for rule in rules if rule.id]
    return len(set(ids)) == len(ids)


retentions = st.builds(lock.Retention, st.sampled_from(lock.MODES), instants)
defaults = st.one_of(
    st.builds(lock.DefaultRetention, st.sampled_from(lock.MODES), days, st.none()),
    st.builds(
        lambda mode, years: lock.DefaultRetention(mode, years=years),
        st.sampled_from(lock.MODES),
        st.integers(1, 100),
    ),
)
cors_rules = st.lists(
    st.builds(
        cors.CorsRule,
        tuples(words, least=1),
        tuples(st.sampled_from(cors.METHODS), least=1),
        tuples(words | st.just("*")),
        tuples(words),
        st.none() | st.integers(0, 1_000_000),
        st.none() | words,
    ),
    min_size=1,
    max_size=4,
).filter(unique_ids)
lifecycle_rules = st.lists(
    st.builds(
        lifecycle.LifecycleRule,
        st.none() | words,
        st.booleans(),
        st.builds(lifecycle.Filter, text, tags, optional_days, optional_days),
        st.none()
        | st.builds(
            lifecycle.Expiration, optional_days, st.none() | instants, st.booleans(), st.booleans()
        ),
        tuples(st.builds(lifecycle.Transition, words, optional_days, st.none() | instants)),
        st.none() | st.builds(lifecycle.NoncurrentExpiration, optional_days, optional_days),
        tuples(st.builds(lifecycle.NoncurrentTransition, words, optional_days, optional_days)),
        optional_days,
        optional_days,
    ),
    max_size=4,
)
hooks = tuples(
    st.builds(
        notification.Hook,
        words,
        tuples(st.sampled_from(sorted(EVENTS)), least=1),
        text,
        text,
        st.sampled_from(notification.KINDS),
        st.none() | words,
    ),
).filter(unique_ids)
replications = st.builds(
    replication.Replication,
    st.just("") | words,
    tuples(
        st.builds(
            replication.ReplicationRule,
            words,
            st.none() | words,
            st.none() | st.integers(0, 1000),
            st.booleans(),
            text,
            tags,
            st.none() | words,
            st.booleans(),
            st.booleans(),
            st.none() | st.booleans(),
            st.none() | st.booleans(),
            st.sampled_from(
                ["", "<Account>123</Account>", "<Metrics><Status>On</Status></Metrics>"]
            ),
            st.just(""),
        ),
        least=1,
    ).filter(
        lambda rules: (
            unique_ids(rules)
            and len({rule.priority for rule in rules if rule.priority is not None})
            == sum(rule.priority is not None for rule in rules)
        )
    ),
)


@given(st.booleans(), st.none() | defaults)
def test_lock_configurations(enabled: bool, default: lock.DefaultRetention | None) -> None:
    configuration = lock.LockConfiguration(enabled, default)
    data = lock.render_configuration(configuration)
    assert configuration == lock.parse_configuration(data)


@given(st.none() | retentions, st.booleans())
def test_retention_and_legal_hold(retention: lock.Retention | None, on: bool) -> None:
    assert retention == lock.parse_retention(lock.render_retention(retention))
    assert on == lock.parse_legal_hold(lock.render_legal_hold(on=on))


@given(cors_rules)
def test_cors(rules: list[cors.CorsRule]) -> None:
    assert rules == cors.parse(cors.render(rules))


@given(
    st.builds(encryption.BucketEncryption, st.just("aws:kms"), st.none() | words, st.booleans())
    | st.just(encryption.BucketEncryption("AES256"))
)
def test_encryption(setting: encryption.BucketEncryption) -> None:
    assert setting == encryption.parse(encryption.render(setting))


@given(lifecycle_rules)
def test_lifecycle(rules: list[lifecycle.LifecycleRule]) -> None:
    assert rules == lifecycle.parse(lifecycle.render(rules))
    # Whatever the rules say, they are taken or refused with a code.
    with contextlib.suppress(S3Error):
        lifecyclerules.check(rules)


@given(hooks, st.booleans())
def test_notifications(found: tuple[notification.Hook, ...], bridge: bool) -> None:
    data = notification.render(notification.Notifications(found, bridge))
    back = notification.parse(data)
    assert bridge == back.event_bridge
    # Targets of one kind keep their order; the kinds have one of their own.
    for kind in notification.KINDS:
        assert [h for h in found if h.kind == kind] == [h for h in back.hooks if h.kind == kind]


@given(replications)
def test_replication(setting: replication.Replication) -> None:
    assert setting == replication.parse(replication.render(setting))


PARSERS = {
    "ObjectLockConfiguration": lock.parse_configuration,
    "Retention": lock.parse_retention,
    "LegalHold": lock.parse_legal_hold,
    "CORSConfiguration": cors.parse,
    "ServerSideEncryptionConfiguration": encryption.parse,
    "LifecycleConfiguration": lifecycle.parse,
    "NotificationConfiguration": notification.parse,
    "ReplicationConfiguration": replication.parse,
}


@pytest.mark.parametrize("root", sorted(PARSERS))
def test_unknown_elements_are_refused(root: str) -> None:
    with pytest.raises(S3Error, match="must have no Surprise") as caught:
        PARSERS[root](xml.document(root, xml.leaf("Surprise", "x")))
    assert caught.value.code == "MalformedXML"


@given(
    st.sampled_from(sorted(PARSERS)),
    st.recursive(
        st.builds(
            xml.leaf, st.sampled_from(["Rule", "Status", "Mode", "Days", "ID", "Filter"]), text
        ),
        lambda inner: st.builds(
            lambda name, parts: xml.node(name, *parts),
            st.sampled_from(["Rule", "Filter", "And", "Expiration", "Destination", "CORSRule"]),
            st.lists(inner, max_size=4),
        ),
    ),
)
def test_any_document_is_read_or_refused(root: str, content: str) -> None:
    with contextlib.suppress(S3Error):
        PARSERS[root](xml.document(root, content))


class TestLifecycleRules:
    @pytest.mark.parametrize(
        ("rule", "code"),
        [
            (lifecycle.LifecycleRule(), "InvalidRequest"),
            (lifecycle.LifecycleRule(expiration=lifecycle.Expiration(0)), "InvalidArgument"),
            (lifecycle.LifecycleRule(expiration=lifecycle.Expiration(1, 0)), "MalformedXML"),
            (
                lifecycle.LifecycleRule(expiration=lifecycle.Expiration(date_ns=1)),
                "InvalidArgument",
            ),
            (
                lifecycle.LifecycleRule(
                    filter=lifecycle.Filter(tags=(("a", "b"),)),
                    expiration=lifecycle.Expiration(lone_marker=True),
                ),
                "InvalidRequest",
            ),
            (
                lifecycle.LifecycleRule(filter=lifecycle.Filter(larger_bytes=1), abort_days=1),
                "InvalidRequest",
            ),
            (
                lifecycle.LifecycleRule(
                    filter=lifecycle.Filter(larger_bytes=2, smaller_bytes=2),
                    expiration=lifecycle.Expiration(1),
                ),
                "InvalidRequest",
            ),
            (
                lifecycle.LifecycleRule(
                    noncurrent_expiration=lifecycle.NoncurrentExpiration(1, keep=101)
                ),
                "InvalidArgument",
            ),
            (
                lifecycle.LifecycleRule(transitions=(lifecycle.Transition("GLACIER"),)),
                "MalformedXML",
            ),
        ],
    )
    def test_what_s3_refuses(self, rule: lifecycle.LifecycleRule, code: str) -> None:
        with pytest.raises(S3Error) as caught:
            lifecyclerules.check([rule])
        assert caught.value.code == code

    def test_the_old_way_of_writing_a_prefix_is_read(self) -> None:
        data = xml.document(
            "LifecycleConfiguration",
            "<Rule><Prefix>logs/</Prefix><Status>Enabled</Status>"
            "<Expiration><Days>3</Days></Expiration></Rule>",
        )
        (rule,) = lifecycle.parse(data)
        assert (rule.filter.prefix, rule.expiration) == ("logs/", lifecycle.Expiration(3))
