"""Administering, without a service: places in policies, ends of keys, what a server tells; pure."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import UsageError
from ingot.base.newkeys import random_access_key, random_secret_key
from ingot.base.secret import Secret
from ingot.client.identities import KeyWish, changed_policies, expiration_of, listed_keys
from ingot.client.jsonplaces import read_places
from ingot.client.policyfiles import read_policy
from ingot.client.serverfacts import facts_of
from ingot.s3.documents.error import ErrorDocument
from ingot.s3client.admincaller import admin_call
from ingot.s3client.errors import ServiceDeniedError, ServiceError, service_error
from ingot.s3client.identityresults import AccessKeyInfo
from ingot.s3client.settings import POLICY_BYTES_MAX

NOW_NS = 1_800_000_000 * 10**9
POLICY = b"""{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Effect": "Alow",
     "Condition": {"StringEquals": {"s3:prefix": "a", "s3:pre.fix": []}}}
  ]
}
"""
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """Return the paths of everything in a JSON value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return {path}.union(*(paths(inner, (*path, step)) for step, inner in items))


@given(values, st.sampled_from([None, 2]), st.booleans())
def test_every_part_of_a_json_text_is_found_where_it_begins(
    value: Any, indent: int | None, escaped: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    if not escaped and any(0xD800 <= ord(char) < 0xE000 for char in text):
        return  # halves of a character are no text in UTF-8
    lines = text.split("\n")
    places = read_places(text.encode(), "file")
    assert places.keys() == paths(value)
    for path, place in places.items():
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        found, _ = json.JSONDecoder().raw_decode(rest)
        inner = value
        for step in path:
            inner = inner[step]
        is_member = bool(path) and isinstance(path[-1], str)
        assert found == (path[-1] if is_member else inner)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1,\n  b}', "look:2:3: this is no JSON"),
        (b'{"a": {"b": 1,\n "b": 2}}', 'look:2:2: "b" is there twice'),
        (b"\xff", "look: this is no text in UTF-8"),
        (b"[" * 100_000, "look: this is nested too deeply"),
        (b"[" * 200 + b"]" * 200, "look: this is nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "look: a number has too many digits"),
        (b"", "look:1:1: this is no JSON"),
        (b'\n "text"', "look:2:2: a policy is a JSON object"),
        (b" " * (POLICY_BYTES_MAX + 1), "look: a policy has at most"),
    ],
)
def test_what_is_no_policy_is_told_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_policy(data, "look")
    assert caught.value.message.startswith(said)


def refusal(message: str, code: str = "MalformedPolicy") -> ServiceError:
    return service_error(ErrorDocument(code, message), 400, "name")


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("Statement[1].Effect: must be another", "5:6"),
        ("Statement[1]: needs either Action or NotAction", "5:5"),
        ("Statement[1].Condition.StringEquals.s3:pre.fix: takes 1 to 200 values", "6:55"),
        ("Statement: 101 are more than 100", "3:3"),
        ("Version: '1' is not known", "2:3"),
    ],
)
def test_what_a_service_finds_wrong_is_told_with_its_place(said: str, place: str) -> None:
    error = read_policy(POLICY, "look.json").located(refusal(said))
    assert (type(error), error.message) == (UsageError, f"look.json:{place}: {said}")


def test_a_single_statement_has_its_place_too_and_what_has_none_says_so() -> None:
    written = read_policy(b'{"Statement": {"Effect": 1}}', "-")
    assert written.located(refusal("Statement[0].Effect: no")).message == (
        "-:1:16: Statement[0].Effect: no"
    )
    assert written.located(refusal("invalid Effect")).message == "-: invalid Effect"
    other = refusal("it is not", "AccessDenied")
    assert written.located(other) is other


class Recorder:
    """Stands for a client: notes what is asked, as MinIO's key with a policy would be told."""

    def __init__(self, policy: str | None) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._policy = policy

    def info_service_account(self, access_key: str) -> AccessKeyInfo:
        return AccessKeyInfo(
            access_key,
            policy=self._policy or '{"of": "its owner"}',
            implied_policy=not self._policy,
        )

    def update_service_account(self, access_key: str, **change: Any) -> None:
        self.asked.append((access_key, change))

    def list_access_keys_bulk(self, *_: Any, everybody: bool = False, kind: str) -> dict[str, Any]:
        if everybody:
            raise refusal_of_everybody()
        return {"self": kind}


def refusal_of_everybody() -> ServiceError:
    error = service_error(ErrorDocument("AccessDenied", "no"), 403, "name")
    assert isinstance(error, ServiceDeniedError)
    return error


def test_a_key_that_is_changed_keeps_its_policy() -> None:
    """MinIO takes the policy away from a key whose change names none."""
    wish = KeyWish(name="other", secret=Secret("long-enough"))
    for policy, sent in (('{"Statement": []}', {"newPolicy": {"Statement": []}}), (None, {})):
        client = Recorder(policy)
        wish.change(cast("Any", client), "key")
        change = {"newName": "other", "newSecretKey": "long-enough", **sent}
        assert client.asked == [("key", change)]
    with pytest.raises(UsageError, match="nothing is to change"):
        KeyWish().change(cast("Any", client), "key")


def test_who_may_not_list_all_keys_lists_their_own() -> None:
    client = cast("Any", Recorder(None))
    assert listed_keys(client, (), own=False, everybody=False, kind="all") == {"self": "all"}
    with pytest.raises(ServiceDeniedError):
        listed_keys(client, (), own=False, everybody=True, kind="all")
    with pytest.raises(UsageError):
        listed_keys(client, ("ann",), own=True, everybody=False, kind="all")


def test_what_is_so_already_is_no_failure() -> None:
    def again(code: str) -> list[str]:
        raise refusal("it is so", code)

    assert changed_policies(lambda: again("XMinioAdminPolicyChangeAlreadyApplied")) == []
    with pytest.raises(ServiceError):
        changed_policies(lambda: again("XMinioAdminNoSuchPolicy"))


def test_ends_are_moments_or_durations_to_come() -> None:
    assert expiration_of(None, None, NOW_NS) is None
    assert expiration_of("2027-01-31", None, NOW_NS) == "2027-01-31T00:00:00.000Z"
    assert expiration_of(None, "1h", NOW_NS) == "2027-01-15T09:00:00.000Z"
    for moment, duration in (("2027-01-31", "1h"), ("2020-01-01", None), ("7d", None), (None, "0")):
        with pytest.raises(UsageError):
            expiration_of(moment, duration, NOW_NS)


def test_a_body_has_a_type() -> None:
    """MinIO takes a POST without one for a browser's form, and refuses it."""
    assert admin_call("POST", "x", data=b"x").headers == {
        "content-type": "application/octet-stream"
    }
    assert admin_call("GET", "x").headers == {}


@pytest.mark.parametrize("info", [{}, {"servers": None, "usage": 3}, {"servers": [1, {}]}])
def test_a_server_that_tells_little_is_shown_nevertheless(info: dict[str, Any]) -> None:
    assert facts_of(info)[-1].rows[-1] == ("used", "0 B")


def test_a_server_is_shown_with_its_drives() -> None:
    drive = {"path": "/data", "state": "ok", "totalspace": 4 << 30, "availspace": 1 << 30}
    server = {"endpoint": "a:9000", "uptime": 3600, "drives": [drive], "network": {"a": "online"}}
    first, together = facts_of({"region": "here", "servers": [server], "buckets": {"count": 2}})
    assert first == (
        "a:9000",
        [
            ("state", "unknown"),
            ("up for", "1h00m"),
            ("network", "1 of 1 online"),
            ("drive", "/data ok, 1.0 GiB of 4.0 GiB free"),
        ],
    )
    assert together.rows[:2] == [("region", "here"), ("buckets", "2")]


def test_keys_that_are_made_up_fit_all_services() -> None:
    assert len({random_access_key() for _ in range(50)}) == 50
    access_key, secret = random_access_key(), random_secret_key().reveal()
    assert (len(access_key), len(secret)) == (20, 40)
    assert f"{access_key}{secret}".isalnum()
