"""Machines that boot an image file, of each format that has one."""

import json
from typing import Any

import pytest


@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk", "vpc", "vdi"])
def test_an_image_of_each_format_boots_and_stays_as_it_is(host: Any, form: str) -> None:
    image = host.disk("demo", form)
    before = image.read_bytes()
    host.ingot("run", image, "--disk", "size=8M", "--detach")
    host.await_console("demo", "tiny kernel up")
    assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "powered-off"
    assert before == image.read_bytes()
