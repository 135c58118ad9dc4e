"""Settings of buckets, against our server where it has them, and against another service."""

from __future__ import annotations

import io
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def rules(remote: Any) -> list[dict[str, Any]]:
    answer = remote.s3.get_bucket_lifecycle_configuration(Bucket=remote.bucket)
    found: list[dict[str, Any]] = answer["Rules"]
    return found


@pytest.fixture(params=["remote", "elsewhere"])
def place(request: pytest.FixtureRequest) -> Any:
    """A bucket of our server, and one of another service."""
    return request.getfixturevalue(request.param)


class TestIlm:
    def test_a_rule_is_added_shown_changed_and_removed(self, cli: Any, place: Any) -> None:
        address = place.address
        assert (cli("ilm", "rule", "ls", address).code, cli("ilm", "rule", "ls", address).out) == (
            0,
            "",
        )
        added = cli(
            *("ilm", "rule", "add", "--expire-days", "30", "--prefix", "tmp/", "--tags", "a=1"),
            *(address, "--json"),
        )
        assert added.code == 0
        rule_id = added.documents()[0]["id"]
        (rule,) = rules(place)
        assert (rule["ID"], rule["Status"], rule["Expiration"]) == (
            *(rule_id, "Enabled"),
            {"Days": 30},
        )
        assert rule["Filter"]["And"]["Prefix"] == "tmp/"
        shown = cli("ilm", "rule", "ls", address).out.splitlines()
        assert shown[0].split() == ["ID", "STATUS", "OBJECTS", "ACTIONS"]
        assert shown[1].endswith("on      tmp/*, a=1  expire after 30 d")
        edit = ("ilm", "rule", "edit", "--id", rule_id, address)
        assert cli(*edit, "--expire-days", "60", "--disable").code == 0
        (rule,) = rules(place)
        assert (rule["Status"], rule["Expiration"]["Days"]) == ("Disabled", 60)
        assert rule["Filter"]["And"]["Prefix"] == "tmp/"
        assert cli("ilm", "rule", "rm", "--id", rule_id, address).code == 0
        assert cli("ilm", "rule", "ls", address).out == ""

    def test_versions_uploads_and_classes(self, cli: Any, place: Any) -> None:
        address = place.address
        add = ("ilm", "rule", "add")
        assert cli(*add, "--abort-days", "2", address).code == 0
        assert cli(*add, "--expire-delete-marker", address).code == 0
        assert cli(*add, "--noncurrent-expire-days", "3", address).code == 0
        found = rules(place)
        assert found[0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
        assert found[1]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
        assert found[2]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 3
        assert cli("ilm", "rule", "rm", "--all", address).code == 2
        assert cli("ilm", "rule", "rm", "--all", "--force", address).code == 0
        assert cli("ilm", "rule", "export", address).code == 5

    def test_objects_move_where_there_is_another_class(self, cli: Any, elsewhere: Any) -> None:
        moved = ("--transition-days", "9", "--transition-tier", "GLACIER")
        assert cli("ilm", "rule", "add", *moved, elsewhere.address).code == 0
        (rule,) = rules(elsewhere)
        assert rule["Transitions"] == [{"Days": 9, "StorageClass": "GLACIER"}]

    def test_rules_travel_as_json(
        self, cli: Any, place: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = place.address
        for days in ("1", "2"):
            cli("ilm", "rule", "add", "--expire-days", days, "--prefix", days, address)
        exported = cli("ilm", "rule", "export", address).out
        before = rules(place)
        assert [rule["Expiration"]["Days"] for rule in json.loads(exported)["Rules"]] == [1, 2]
        cli("ilm", "rule", "rm", "--all", "--force", address)
        feed(monkeypatch, exported)
        assert cli("ilm", "rule", "import", address).out == f"{address} has 2 rules\n"
        assert rules(place) == before
        # As mc writes it.
        feed(
            monkeypatch,
            '{"Rules": [{"ID": "x", "Status": "Enabled", "RuleFilter": {"Prefix": "a"},'
            ' "Expiration": {"Days": 3}}]}',
        )
        assert cli("ilm", "rule", "import", address).code == 0
        assert [rule["ID"] for rule in rules(place)] == ["x"]

    @pytest.mark.parametrize(
        "said",
        [
            (),
            ("--expire-days", "0"),
            ("--expire-days", "1", "--expire-date", "2030-01-01"),
            ("--expire-date", "tomorrow"),
            ("--transition-days", "1"),
            ("--expire-delete-marker", "--tags", "a=1"),
            ("--noncurrent-transition-days", "3"),
            ("--expire-all-object-versions",),
        ],
    )
    def test_what_is_no_rule(self, cli: Any, place: Any, said: tuple[str, ...]) -> None:
        assert cli("ilm", "rule", "add", *said, place.address).code == 2

    def test_what_is_not_there(self, cli: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        address = place.address
        cli("ilm", "rule", "add", "--expire-days", "1", address)
        done = cli("ilm", "rule", "edit", "--id", "none", "--enable", address)
        assert (done.code, "hint: there are: " in done.err) == (5, True)
        assert cli("ilm", "rule", "ls", f"{place.alias}/no-such-bucket").code == 5
        for text in ("", "[]", "{}", "<a/>", '{"Rules": [{"Surprise": 1}]}', '{"Rules": 1}'):
            feed(monkeypatch, text)
            assert cli("ilm", "rule", "import", address).code == 2, text
        assert len(rules(place)) == 1


class TestCors:
    def test_rules_are_set_got_and_removed(
        self, cli: Any, place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = place.address
        assert cli("cors", "get", address).code == 5
        config = {
            "CORSRules": [
                {
                    "AllowedOrigins": ["https://*.example.com"],
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedHeaders": ["*"],
                    "MaxAgeSeconds": 60,
                }
            ]
        }
        (tmp_path / "cors.json").write_text(json.dumps(config))
        assert cli("cors", "set", address, "cors.json").out == f"{address} has 1 CORS rules\n"
        assert place.s3.get_bucket_cors(Bucket=place.bucket)["CORSRules"] == (config["CORSRules"])
        got = cli("cors", "get", address)
        assert json.loads(got.out) == config
        feed(monkeypatch, got.out)
        assert cli("cors", "set", address, "-").code == 0
        feed(
            monkeypatch,
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>"
            "<AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>",
        )
        assert cli("cors", "set", address, "-").code == 0
        (document,) = cli("cors", "get", "--json", address).documents()
        assert document["cors"]["CORSRules"] == [
            {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]}
        ]
        assert cli("cors", "remove", address).code == 0
        assert cli("cors", "get", address).code == 5

    def test_what_is_no_rule(self, cli: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        feed(monkeypatch, '{"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["DO"]}]}')
        done = cli("cors", "set", place.address, "-")
        assert (done.code, "unsupported HTTP method" in done.err) == (2, True)
        assert cli("cors", "set", place.address, "no-such-file").code == 1


class TestEncrypt:
    def test_encryption_is_set_told_and_cleared(self, cli: Any, elsewhere: Any) -> None:
        address = elsewhere.address
        assert cli("encrypt", "info", address).out == f"{address} has no encryption of its own\n"
        assert cli("encrypt", "set", "sse-s3", address).code == 0
        assert cli("encrypt", "info", address).out.endswith("are encrypted by AES256\n")
        assert cli("encrypt", "set", "sse-kms", "my-key", address).code == 0
        (document,) = cli("encrypt", "info", "--json", address).documents()
        assert document["encryption"] == {"algorithm": "aws:kms", "keyId": "my-key"}
        assert cli("encrypt", "clear", address).code == 0
        assert cli("encrypt", "info", address).out == f"{address} has no encryption of its own\n"
        assert cli("encrypt", "set", "sse-s3", "key", address).code == 2


ARN = "arn:aws:sqs:us-east-1:123456789012:queue"


class TestEvent:
    def test_a_target_is_added_shown_and_removed(self, cli: Any, elsewhere: Any) -> None:
        address = elsewhere.address
        assert cli("event", "ls", address).out == ""
        add = ("event", "add", address, ARN, "--event", "put,s3:ObjectRemoved:Delete")
        assert cli(*add, "--prefix", "in/", "--suffix", ".jpg").code == 0
        assert cli(*add).code == 0
        assert cli(*add).code == 6
        assert cli(*add, "--ignore-existing").code == 0
        found = elsewhere.s3.get_bucket_notification_configuration(Bucket=elsewhere.bucket)
        hook = found["QueueConfigurations"][0]
        assert (hook["QueueArn"], hook["Events"]) == (
            ARN,
            ["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"],
        )
        shown = cli("event", "ls", "--json", address).documents()
        assert [(item["prefix"], item["suffix"]) for item in shown] == [("in/", ".jpg"), ("", "")]
        assert cli("event", "ls", address).out.splitlines()[1].split() == [
            ARN,
            "s3:ObjectCreated:*,s3:ObjectRemoved:Delete",
            "in/",
            ".jpg",
        ]
        assert cli("event", "rm", address, ARN, "--prefix", "in/").code == 0
        assert len(cli("event", "ls", "--json", address).documents()) == 1
        assert cli("event", "rm", address, ARN, "--prefix", "in/").code == 5
        assert cli("event", "rm", address).code == 2
        assert cli("event", "rm", "--force", address).code == 0
        assert cli("event", "ls", address).out == ""

    def test_what_is_no_event(self, cli: Any, elsewhere: Any) -> None:
        assert cli("event", "add", elsewhere.address, ARN, "--event", "explode").code == 2
        assert cli("event", "add", elsewhere.address, "queue").code == 2
        assert cli("event", "add", elsewhere.address, ARN, "--event", ",").code == 2


class TestAnonymous:
    def test_permissions_of_a_bucket(self, cli: Any, place: Any) -> None:
        address = place.address
        assert cli("anonymous", "get", address).out == f"{address} is private\n"
        for word in ("download", "upload", "public"):
            assert cli("anonymous", "set", word, address).out == f"{address} is {word}\n"
            assert cli("anonymous", "get", address).out == f"{address} is {word}\n"
        assert cli("anonymous", "set", "private", address).code == 0
        # Nothing of the policy stays.
        assert cli("anonymous", "get-json", address).code == 5

    def test_permissions_of_folders(self, cli: Any, place: Any) -> None:
        address = place.address
        place.put_all({"open/a b": b"1", "open/c/d": b"2", "closed/e": b"3"})
        assert cli("anonymous", "set", "download", f"{address}/open/").code == 0
        assert cli("anonymous", "set", "upload", f"{address}/in/").code == 0
        assert cli("anonymous", "get", f"{address}/open/c/").out.endswith("is download\n")
        assert cli("anonymous", "get", f"{address}/closed/").out.endswith("is private\n")
        assert cli("anonymous", "get", address).out.endswith("is custom\n")
        assert cli("anonymous", "list", address).out.splitlines() == [
            f"{address}/in/* is upload",
            f"{address}/open/* is download",
        ]
        urls = cli("anonymous", "links", "-r", address).out.splitlines()
        assert [url.partition(place.bucket)[2] for url in urls] == ["/open/a%20b", "/open/c/d"]
        with urllib.request.urlopen(urls[0]) as answer:
            assert answer.read() == b"1"
        assert cli("anonymous", "set", "private", f"{address}/open/").code == 0
        assert cli("anonymous", "list", address).out == f"{address}/in/* is upload\n"

    def test_a_policy_of_ones_own(
        self, cli: Any, place: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = place.address
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "mine",
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:Get*",
                    "Resource": f"arn:aws:s3:::{place.bucket}/*",
                }
            ],
        }
        feed(monkeypatch, json.dumps(policy))
        assert cli("anonymous", "set-json", "-", address).code == 0
        assert json.loads(cli("anonymous", "get-json", address).out) == policy
        assert cli("anonymous", "get", address).out.endswith("is download\n")
        # What somebody else wrote is neither thrown away nor taken for private.
        refused = cli("anonymous", "set", "private", address)
        assert (refused.code, "other statements" in refused.err) == (2, True)
        assert json.loads(cli("anonymous", "get-json", address).out) == policy
        for text in ("", "[]", "nonsense", '{"Statement": [1]}'):
            feed(monkeypatch, text)
            assert cli("anonymous", "set-json", "-", address).code == 2


class TestReplicate:
    def test_rules_are_added_changed_and_removed(
        self, cli: Any, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = elsewhere.address
        cli("version", "enable", address)
        assert cli("replicate", "ls", address).out == ""
        role = "arn:aws:iam::123456789012:role/copies"
        add = ("replicate", "add", address, "--remote-bucket", "arn:aws:s3:::copies")
        assert cli(*add, "--role", role, "--prefix", "a/", "--id", "one").code == 0
        assert cli(*add, "--replicate", "", "--id", "two").code == 0
        assert cli(*add, "--id", "two").code == 2
        assert cli(*add, "--priority", "1").code == 2
        answer = elsewhere.s3.get_bucket_replication(Bucket=elsewhere.bucket)
        found = answer["ReplicationConfiguration"]
        assert found["Role"] == role
        assert [(rule["ID"], rule["Priority"]) for rule in found["Rules"]] == [
            ("one", 1),
            ("two", 2),
        ]
        shown = cli("replicate", "ls", address).out.splitlines()
        # This service forgets the prefix and what is carried over beside.
        assert shown[1].split()[:3] == ["one", "on", "1"]
        update = ("replicate", "update", address, "--id", "one")
        assert cli(*update, "--state", "disable", "--priority", "7").code == 0
        exported = cli("replicate", "export", address).out
        (one, two) = json.loads(exported)["Rules"]
        assert (one["Status"], one["Priority"], two["Priority"]) == ("Disabled", 7, 2)
        assert cli("replicate", "rm", "--id", "one", address).code == 0
        assert cli("replicate", "rm", "--id", "one", address).code == 5
        assert cli("replicate", "rm", "--all", "--force", address).code == 0
        feed(monkeypatch, exported)
        assert cli("replicate", "import", address).out == f"{address} has 2 rules\n"
        assert json.loads(cli("replicate", "export", address).out) == json.loads(exported)
        assert cli("replicate", "add", address, "--remote-bucket", "copies").code == 2
