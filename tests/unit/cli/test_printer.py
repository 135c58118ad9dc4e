"""What commands print: JSON that any reader takes, and nothing between its lines."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingot.base.errors import Error, NotFoundError
from ingot.cli.main import run
from ingot.cli.printer import Printer, print_error
from ingot.s3.documents.error import ErrorDocument
from ingot.s3client.errors import service_error


def error_of(capsys: pytest.CaptureFixture[str], error: Error) -> dict[str, object]:
    print_error(error, as_json=True)
    (line,) = capsys.readouterr().err.splitlines()
    document = json.loads(line)
    assert document["status"] == "error"
    told: dict[str, object] = document["error"]
    return told


def refused() -> Error:
    document = ErrorDocument("NoSuchKey", "It is gone.", "/b/k", "77", {"Key": "k"})
    return service_error(document, 404, "b/k")


def test_the_cause_is_what_the_service_said(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"Key": "k", "Code": "NoSuchKey", "Message": "It is gone.", "RequestID": "77"}
    expected = {"message": "It is gone.", "error": fields}
    assert error_of(capsys, refused())["cause"] == expected
    above = NotFoundError("x/b/k does not exist")
    above.__cause__ = refused()
    assert error_of(capsys, above)["cause"] == expected


def test_a_cause_is_always_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert error_of(capsys, Error("no", hint="yes")) == {
        "type": "error",
        "slug": "failed",
        "message": "no",
        "hint": "yes",
        "cause": {"message": "no", "error": {}},
    }
    above = Error("cannot write x")
    above.__cause__ = OSError(28, "No space left on device")
    cause = error_of(capsys, above)["cause"]
    assert cause == {"message": "[Errno 28] No space left on device", "error": {}}


def test_asides_are_lines_of_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (False, True):
        printer = Printer(as_json=True, quiet=quiet)
        printer.note("\nhello")
        printer.warning("careful")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    careful = {"status": "warning", "message": "careful"}
    assert told == [{"status": "info", "message": "hello"}, careful, careful]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_any_name_is_printed_as_json(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "é \N{SNOWMAN} " + b"caf\xe9".decode("utf-8", "surrogateescape")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    Printer(as_json=True).data({"key": name}, None)
    assert json.loads(raw.getvalue().decode("utf-8")) == {"status": "success", "key": name}


def test_what_is_a_letter_in_the_locale_is_utf_8_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    Printer(as_json=True).data({"key": "é"}, None)
    assert json.loads(raw.getvalue().decode("utf-8"))["key"] == "é"


def test_a_letter_that_the_locale_lacks_is_no_end() -> None:
    script = (
        "from ingot.cli import main as m; from ingot.cli.printer import Printer; "
        "m.run = lambda words: Printer().data({}, chr(233)); m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"\\xe9\n")


def test_names_stay_legible_where_they_can(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=True).data({"key": "é"}, None)
    assert "é" in capsys.readouterr().out


def test_a_word_of_a_command_inside_a_machine_is_not_ours(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGOT_STATE_DIR", str(tmp_path))
    assert run(["exec", "absent", "web", "ingot", "ls", "--json"]) == 5
    assert capsys.readouterr().err.startswith("error: ")
    assert run(["exec", "--json", "absent", "web", "true"]) == 5
    assert json.loads(capsys.readouterr().err)["error"]["slug"] == "not-found"
