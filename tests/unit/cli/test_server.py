"""`ingot server` as typed: its help, its errors, its keys; it serves in tests/integration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingot.cli.main import run
from ingot.server.process.keys import stored_or_generated


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("INGOT", "MINIO"):
        for name in ("ROOT_USER", "ROOT_PASSWORD", "DATA_DIR", "VOLUMES"):
            monkeypatch.delenv(f"{prefix}_{name}", raising=False)


def test_help_is_that_of_running_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["server", "--help"]) == 0

    text = capsys.readouterr().out
    assert text.startswith("Usage: ingot server [OPTIONS] [DIR]\n")
    for part in ("Examples:", "ingot server keys ./data", "INGOT_ROOT_USER", "--access-log"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no data directory"),
        (["d", "--workers", "0"], "--workers"),
        (["d", "--address", "nowhere"], "--address: 'nowhere' is not an address"),
        (["d", "--no-such-option"], "No such option"),
    ],
)
def test_usage_errors(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["server", *arguments]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["INGOT_DATA_DIR", "MINIO_VOLUMES"])
def test_keys_prints_what_was_generated(
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = stored_or_generated(tmp_path)
    monkeypatch.setenv(variable, str(tmp_path))

    assert run(["server", "keys"]) == 0
    assert capsys.readouterr().out == (
        f"Access key: {keys.access_key}\nSecret key: {keys.secret_key.reveal()}\n"
    )
    assert run(["server", "keys", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "status": "success",
        "access_key": keys.access_key,
        "secret_key": keys.secret_key.reveal(),
        "generated": True,
    }


def test_keys_prints_what_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINIO_ROOT_USER", "configured")
    monkeypatch.setenv("MINIO_ROOT_PASSWORD", "configured-secret")

    assert run(["server", "keys", str(tmp_path)]) == 0

    assert "configured-secret" in capsys.readouterr().out


def test_keys_that_were_never_generated_are_not_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["server", "keys", str(tmp_path)]) == 5

    assert "hint:" in capsys.readouterr().err
