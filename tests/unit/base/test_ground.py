"""Errors, secrets, retry, paths, logs: the small parts every room stands on."""

import io
import json
import logging
import random
from pathlib import Path

import pytest

from ingot.base import errors, logs, paths
from ingot.base.retry import Backoff
from ingot.base.secret import Secret


def test_every_error_has_its_documented_exit_code() -> None:
    codes = {cls.slug: cls.exit_code for cls in errors.Error.__subclasses__()
             if cls.__module__ == errors.__name__}  # fmt: skip
    assert codes == {
        "usage": 2,
        "partial": 3,
        "denied": 4,
        "not-found": 5,
        "conflict": 6,
        "network": 7,
        "integrity": 1,
        "missing-tool": 1,
    }


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hunter22")
    assert "hunter22" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter22"
    assert secret.matches("hunter22")
    assert not secret.matches("hunter23")
    assert secret == Secret("hunter22")
    assert secret != Secret("other")


def test_backoff_grows_to_its_limit_and_ends() -> None:
    delays = list(Backoff(attempts=8, first_s=0.5, limit_s=4).delays_s(random.Random(1)))
    assert len(delays) == 7
    ceilings = [0.5, 1, 2, 4, 4, 4, 4]
    for delay, ceiling in zip(delays, ceilings, strict=True):
        assert ceiling / 2 <= delay <= ceiling


def test_back_off_goes_on_for_as_long_as_it_is_asked_to() -> None:
    delays = Backoff(attempts=3000, first_s=1.0, limit_s=30).delays_s(random.Random(1))
    assert all(15 <= delay <= 30 for delay in list(delays)[10:])


def test_folders_follow_xdg_and_their_own_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INGOT_CONFIG_DIR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert paths.config_dir() == tmp_path / "ingot"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/ignored")
    assert paths.config_dir() == Path.home() / ".config" / "ingot"
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(tmp_path / "own"))
    assert paths.config_dir() == tmp_path / "own"


def test_json_log_lines_carry_fields_request_id_and_traceback() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    token = logs.request_id.set("R1")
    try:
        logs.configure(level="info", json_lines=True, stream=stream)
        try:
            int("broken")
        except ValueError:
            logging.getLogger("a.b").exception("it %s", "failed", extra={"fields": {"key": "k"}})
    finally:
        logs.request_id.reset(token)
        root.handlers[:], level = before
        root.setLevel(level)
    line = json.loads(stream.getvalue())
    assert line["message"] == "it failed"
    assert line["request_id"] == "R1"
    assert line["key"] == "k"
    assert "ValueError: invalid literal" in line["traceback"]
