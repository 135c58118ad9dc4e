from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import UsageError
from ingot.server.process.address import Address
from ingot.server.settings import SETTINGS, WORKERS_DEFAULT_MAX, load, parsed_options

DATA = {"data_dir": Path("data")}


def test_defaults() -> None:
    settings = load({}, DATA)

    assert settings.address == Address("0.0.0.0", 9000)
    assert settings.console_address == Address("0.0.0.0", 9001)
    assert settings.root_user is None
    assert settings.root_password is None
    assert settings.region == ""
    assert settings.domains == ()
    assert 1 <= settings.workers <= WORKERS_DEFAULT_MAX
    assert settings.access_log == "off"
    assert not settings.json_log
    assert not settings.show_keys


@pytest.mark.parametrize(
    ("environment", "name", "expected"),
    [
        ({"MINIO_VOLUMES": "/srv/minio"}, "data_dir", Path("/srv/minio")),
        ({"INGOT_DATA_DIR": "/a", "MINIO_VOLUMES": "/b"}, "data_dir", Path("/a")),
        ({"INGOT_DATA_DIR": "/my data"}, "data_dir", Path("/my data")),
        ({"MINIO_ADDRESS": ":80"}, "address", Address("0.0.0.0", 80)),
        ({"MINIO_CONSOLE_ADDRESS": "[::1]:9"}, "console_address", Address("::1", 9)),
        ({"MINIO_SITE_REGION": "eu-west-1", "MINIO_REGION": "x"}, "region", "eu-west-1"),
        ({"INGOT_REGION": "here", "MINIO_SITE_REGION": "there"}, "region", "here"),
        ({"MINIO_DOMAIN": "s3.test, .S3.Example."}, "domains", ("s3.test", "s3.example")),
        ({"INGOT_WORKERS": "3"}, "workers", 3),
        ({"INGOT_ACCESS_LOG": "json"}, "access_log", "json"),
        ({"INGOT_SHOW_KEYS": "1"}, "show_keys", True),
        ({"INGOT_SHOW_KEYS": "off"}, "show_keys", False),
        ({"INGOT_STOP_TIMEOUT": "2m"}, "stop_timeout_s", 120.0),
        ({}, "upload_expiry_s", 86400.0),
        ({}, "garbage_delay_s", 900.0),
        ({"INGOT_GARBAGE_DELAY": "2h"}, "garbage_delay_s", 7200.0),
        ({}, "scrub_rate_bytes", 8 << 20),
        ({"INGOT_SCRUB_RATE": "0"}, "scrub_rate_bytes", 0),
        ({"INGOT_SCRUB_RATE": "1.5m"}, "scrub_rate_bytes", 3 << 19),
        ({}, "scrub_interval_s", 604800.0),
        ({"INGOT_SCRUB_INTERVAL": "30d"}, "scrub_interval_s", 2592000.0),
        ({"MINIO_API_STALE_UPLOADS_EXPIRY": "12h"}, "upload_expiry_s", 43200.0),
    ],
)
def test_environment(environment: dict[str, str], name: str, expected: Any) -> None:
    overrides = {} if name == "data_dir" else DATA

    assert expected == getattr(load(environment, overrides), name)


@pytest.mark.parametrize(
    "names",
    [
        ("INGOT_ROOT_USER", "INGOT_ROOT_PASSWORD"),
        ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"),
        ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"),
    ],
)
def test_root_keys_come_from_each_pair_of_variables_and_from_files(
    names: tuple[str, str], tmp_path: Path
) -> None:
    plain = load(dict(zip(names, ("user", "password"), strict=True)), DATA)
    files = {}
    for name, value in zip(names, ("user", "password"), strict=True):
        path = tmp_path / name
        path.write_text(f"{value}\n")
        files[f"{name}_FILE"] = str(path)
    from_files = load(files, DATA)

    for settings in (plain, from_files):
        assert settings.root_user == "user"
        assert settings.root_password is not None
        assert settings.root_password.reveal() == "password"


def test_an_option_beats_the_environment() -> None:
    options = parsed_options({"address": ":1", "workers": None})

    settings = load({"INGOT_ADDRESS": ":2", "INGOT_WORKERS": "2"}, DATA | options)

    assert settings.address.port == 1
    assert settings.workers == 2


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"INGOT_ROOT_USER": "ab", "INGOT_ROOT_PASSWORD": "long-enough"}, "at least 3"),
        ({"INGOT_ROOT_USER": "a/b", "INGOT_ROOT_PASSWORD": "long-enough"}, "printable"),
        ({"INGOT_ROOT_USER": "abc", "INGOT_ROOT_PASSWORD": "short"}, "at least 8"),
        ({"INGOT_ROOT_USER": "abc"}, "no root password"),
        ({"MINIO_ROOT_PASSWORD": "long-enough"}, "no root user"),
        ({"MINIO_ROOT_USER_FILE": "/nonexistent/file"}, "cannot read"),
        ({"INGOT_WORKERS": "0"}, "number of workers"),
        ({"INGOT_ACCESS_LOG": "xml"}, "none of off, text, json"),
        ({"INGOT_SHOW_KEYS": "maybe"}, "neither on nor off"),
        ({"INGOT_STOP_TIMEOUT": "soon"}, "not a duration"),
        ({"MINIO_ADDRESS": "9000"}, "MINIO_ADDRESS"),
    ],
)
def test_errors_name_the_variable_or_the_missing_half(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load(environment, DATA)


@pytest.mark.parametrize("volumes", ["/a /b", "/data{1...4}"])
def test_several_drives_are_refused(volumes: str) -> None:
    with pytest.raises(UsageError, match="one data directory"):
        load({"MINIO_VOLUMES": volumes}, {})


def test_no_data_directory_is_an_error_with_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        load({}, {})

    assert caught.value.hint is not None
    assert "INGOT_DATA_DIR" in caught.value.hint


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    with pytest.raises(UsageError, match="empty"):
        load({"INGOT_ROOT_USER_FILE": str(tmp_path / "empty")}, DATA)


def test_settings_never_show_the_password() -> None:
    settings = load({"INGOT_ROOT_USER": "user", "INGOT_ROOT_PASSWORD": "pass-phrase"}, DATA)

    assert "pass-phrase" not in repr(settings)


def test_every_row_is_documented_and_named_after_ingot_first() -> None:
    for row in SETTINGS:
        assert row.doc.endswith(".")
        assert row.variables[0].startswith("INGOT_")
