import json
import os

import pytest

from ingot.server.access_log import Entry, access_log, redacted, render_json, render_text

ENTRY = Entry(
    method="GET",
    raw_path="/bucket/a%20key",
    query="",
    status=200,
    sent_bytes=5,
    received_bytes=0,
    duration_s=0.00123456,
    request_id="00AA",
    operation="GetObject",
    access_key="ACCESS",
    remote="127.0.0.1:4",
)
PRESIGNED = (
    "X-Amz-Credential=A&X-Amz-Signature=0123abcd&x-amz-security-token=tok&response-expires=1"
)


def test_json_lines_hold_what_is_known() -> None:
    assert json.loads(render_json(ENTRY, 1_700_000_000.25)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "request_id": "00AA",
        "remote": "127.0.0.1:4",
        "access_key": "ACCESS",
        "method": "GET",
        "path": "/bucket/a%20key",
        "operation": "GetObject",
        "status": 200,
        "sent_bytes": 5,
        "received_bytes": 0,
        "duration_ms": 1.235,
    }


def test_text_lines_are_one_line_each() -> None:
    line = render_text(ENTRY, 1_700_000_000.25)

    assert line == (
        "2023-11-14T22:13:20.250Z 127.0.0.1:4 ACCESS GET /bucket/a%20key 200 5 B 1.2 ms 00AA"
    )


def test_signatures_and_tokens_of_presigned_urls_are_masked() -> None:
    entry = ENTRY._replace(query=PRESIGNED)

    assert redacted(PRESIGNED) == (
        "X-Amz-Credential=A&X-Amz-Signature=REDACTED&x-amz-security-token=REDACTED"
        "&response-expires=1"
    )
    for line in (render_json(entry, 0), render_text(entry, 0)):
        assert "0123abcd" not in line
        assert "tok" not in line.replace("token", "")


@pytest.mark.parametrize("style", ["json", "text"])
def test_an_entry_is_one_line_on_standard_error(
    style: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = access_log(style)
    assert write is not None
    with os.fdopen(os.dup(2), "w") as real_stderr:
        monkeypatch.setattr("sys.stderr", real_stderr)
        write(ENTRY)

    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "/bucket/a%20key" in lines[0]


def test_a_log_that_nobody_takes_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    write = access_log("json")
    assert write is not None
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken:
        monkeypatch.setattr("sys.stderr", broken)
        write(ENTRY)


def test_off_is_no_log() -> None:
    assert access_log("off") is None
