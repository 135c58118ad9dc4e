import json
from pathlib import Path

import pytest

from ingot.base.errors import Error, NotFoundError
from ingot.server.process.keys import KEYS_FILE, generate, of_settings, stored, stored_or_generated
from ingot.server.settings import load


def test_keys_are_generated_once_and_kept_for_the_owner_only(tmp_path: Path) -> None:
    first = stored_or_generated(tmp_path)
    again = stored_or_generated(tmp_path)

    assert first == again == stored(tmp_path)
    assert first.generated
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o600


def test_generated_keys_differ_and_need_no_quoting() -> None:
    keys = [generate() for _ in range(20)]

    assert len({pair.access_key for pair in keys}) == 20
    assert len({pair.secret_key.reveal() for pair in keys}) == 20
    for pair in keys:
        assert len(pair.access_key) == 20
        assert len(pair.secret_key.reveal()) == 40
        assert (pair.access_key + pair.secret_key.reveal()).isalnum()


def test_asking_for_keys_that_were_never_generated_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        stored(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"access_key": 1}'])
def test_a_damaged_file_is_an_error_and_not_replaced(text: str, tmp_path: Path) -> None:
    (tmp_path / KEYS_FILE).write_text(text)

    with pytest.raises(Error, match="cannot read"):
        stored_or_generated(tmp_path)

    assert (tmp_path / KEYS_FILE).read_text() == text


def test_the_file_is_plain_json_with_a_schema_number(tmp_path: Path) -> None:
    keys = stored_or_generated(tmp_path)

    document = json.loads((tmp_path / KEYS_FILE).read_text())
    assert document == {
        "schema": 1,
        "access_key": keys.access_key,
        "secret_key": keys.secret_key.reveal(),
    }


def test_configured_keys_come_before_stored_ones(tmp_path: Path) -> None:
    environment = {"INGOT_ROOT_USER": "user", "INGOT_ROOT_PASSWORD": "password"}

    keys = of_settings(load(environment, {"data_dir": tmp_path}))

    assert keys is not None
    assert (keys.access_key, keys.secret_key.reveal(), keys.generated) == (
        "user",
        "password",
        False,
    )
    assert of_settings(load({}, {"data_dir": tmp_path})) is None
