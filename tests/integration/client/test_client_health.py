"""share, ping and ready against a real server."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import Any

import pytest


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


class TestShare:
    def test_a_link_gives_the_object_without_keys(self, cli: Any, remote: Any) -> None:
        key = "d/é ?&#+%41"
        remote.put(key, b"shared")
        result = cli("share", "download", f"{remote.address}/{key}", "--expire", "1h")
        assert (result.code, result.err) == (0, "good for 1h00m\n")
        assert fetch(result.out.strip()) == b"shared"
        document = cli("share", "download", "--json", f"{remote.address}/{key}").documents()[0]
        assert document["timeLeft"] == 7 * 86400 * 10**9
        assert fetch(document["share"]) == b"shared"

    def test_a_link_is_for_one_object_only(self, cli: Any, remote: Any) -> None:
        remote.put_all({"a": b"1", "b": b"2"})
        link = cli("share", "download", f"{remote.address}/a").out.strip()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            fetch(link.replace("/a?", "/b?"))

    def test_links_for_all_below(self, cli: Any, remote: Any) -> None:
        remote.put_all({"d/a": b"1", "d/b": b"2", "e": b"3"})
        result = cli("share", "download", "--recursive", f"{remote.address}/d/")
        assert [fetch(url) for url in result.out.split()] == [b"1", b"2"]

    def test_what_cannot_be_shared_is_an_error(
        self, cli: Any, remote: Any, server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        remote.put("a", b"1")
        assert cli("share", "download", f"{remote.address}/none").code == 5
        for expire in ("8d", "0s", "soon"):
            assert cli("share", "download", f"{remote.address}/a", "--expire", expire).code == 2
        monkeypatch.setenv("MC_HOST_anonymous", server.endpoint)
        assert cli("share", "download", f"anonymous/{remote.bucket}/a").code == 2


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> str:
    """An alias at which nothing answers."""
    monkeypatch.setenv("MC_HOST_away", f"http://a:b@127.0.0.1:{unused_port}")
    return "away"


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


class TestPing:
    def test_answers_are_told(self, cli: Any) -> None:
        result = cli("ping", "s3", "--count", "2", "--interval", "10ms", "--json")
        assert (result.code, result.err) == (0, "")
        documents = result.documents()
        assert [one["counter"] for one in documents] == [1, 2]
        assert all(0 < one["roundtrip"] < 10**10 and one["code"] == 200 for one in documents)

    def test_the_first_answer_can_be_enough(self, cli: Any) -> None:
        result = cli("ping", "s3", "--exit")
        assert (result.code, len(result.out.splitlines())) == (0, 1)

    def test_a_service_that_is_away_is_a_network_failure(self, cli: Any, away: str) -> None:
        result = cli("ping", away, "--error-count", "2", "--interval", "10ms")
        assert (result.code, result.out) == (7, "")
        assert "2 of 2 pings failed" in result.err


class TestReady:
    def test_a_server_that_serves_is_ready(self, cli: Any) -> None:
        result = cli("ready", "s3")
        assert (result.code, result.out) == (0, "s3 is ready\n")
        assert cli("ready", "s3", "--cluster-read", "--json").documents()[0]["healthy"] is True

    def test_a_service_that_is_away_is_not(self, cli: Any, away: str) -> None:
        result = cli("ready", away, "--timeout", "100ms")
        assert (result.code, result.out) == (7, "")

    def test_a_server_is_waited_for(self, start: Any, outage: Any) -> None:
        outage.kill()
        waiting = start("ready", "s3", "--timeout", "60s")
        outage.restart()
        waiting.wait_for_text("s3 is ready")
        assert waiting.process.wait(60) == 0
