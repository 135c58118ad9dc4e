"""The published JSON Schema is the one the code makes, and knows the keys that the reader knows."""

import json
import re
from pathlib import Path

import pytest

from ingot.appliance.documents import Document
from ingot.appliance.schema import appliance_schema, render_schema
from ingot.appliance.spec import parse_appliance
from ingot.base.document import DocumentError

ROOT = Path(__file__).parents[3]
SCHEMA = appliance_schema()
CONTAINER = SCHEMA["$defs"]["container"]


def test_the_published_schema_is_current() -> None:
    assert (ROOT / "docs/reference/appliance.schema.json").read_bytes() == render_schema()


def known_keys(text: str) -> set[str]:
    """Return the keys that the reader would have accepted where `text` has `zzzzzzzz`."""
    with pytest.raises(DocumentError) as caught:
        parse_appliance([Document(text, "x.yml")], name="x")
    listed = re.search(r"'zzzzzzzz' is not known here \(known: ([^)]*)\)", caught.value.message)
    assert listed is not None, caught.value.message
    return set(listed[1].split(", "))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("zzzzzzzz: 1", SCHEMA),
        ("kernel: {zzzzzzzz: 1}", SCHEMA["properties"]["kernel"]),
        ("files: [{zzzzzzzz: 1}]", SCHEMA["properties"]["files"]["items"]),
        ("data: {zzzzzzzz: 1}", SCHEMA["$defs"]["disk"]),
        ("data: [{zzzzzzzz: 1}]", SCHEMA["$defs"]["disk"]),
        ("network: {zzzzzzzz: 1}", SCHEMA["properties"]["network"]),
        ("onboot: [{zzzzzzzz: 1}]", CONTAINER),
        ("services: [{zzzzzzzz: 1}]", CONTAINER),
        ("services: [{name: a, image: b, ready: {zzzzzzzz: 1}}]", CONTAINER["properties"]["ready"]),
        (
            "onboot: [{name: a, image: b, mounts: [{zzzzzzzz: 1}]}]",
            CONTAINER["properties"]["mounts"]["items"],
        ),
        (
            "onboot: [{name: a, image: b, devices: [{zzzzzzzz: 1}]}]",
            CONTAINER["properties"]["devices"]["items"],
        ),
        (
            "onboot: [{name: a, image: b, runtime: {zzzzzzzz: 1}}]",
            CONTAINER["properties"]["runtime"],
        ),
        (
            "onboot: [{name: a, image: b, runtime: {interfaces: [{zzzzzzzz: 1}]}}]",
            CONTAINER["properties"]["runtime"]["properties"]["interfaces"]["items"],
        ),
        (
            "onboot: [{name: a, image: b, runtime: {bindNS: {zzzzzzzz: 1}}}]",
            CONTAINER["properties"]["runtime"]["properties"]["bindNS"],
        ),
        (
            "onboot: [{name: a, image: b, runtime: {mounts: [{zzzzzzzz: 1}]}}]",
            CONTAINER["properties"]["runtime"]["properties"]["mounts"]["items"],
        ),
        (
            "onboot: [{name: a, image: b, resources: {zzzzzzzz: 1}}]",
            CONTAINER["properties"]["resources"],
        ),
        (
            "onboot: [{name: a, image: b, resources: {memory: {zzzzzzzz: 1}}}]",
            CONTAINER["properties"]["resources"]["properties"]["memory"],
        ),
        (
            "onboot: [{name: a, image: b, uidMappings: [{zzzzzzzz: 1}]}]",
            CONTAINER["properties"]["uidMappings"]["items"],
        ),
        ("volumes: [{zzzzzzzz: 1}]", SCHEMA["properties"]["volumes"]["items"]),
        ("trust: {zzzzzzzz: 1}", SCHEMA["properties"]["trust"]),
    ],
)
def test_schema_and_reader_know_the_same_keys(text: str, part) -> None:
    # Entries that change an earlier one are gone before the rest is read.
    assert set(part["properties"]) - {"override", "remove"} == known_keys(text)


def test_every_part_refuses_what_it_does_not_know() -> None:
    def objects(node: object) -> list[dict[str, object]]:
        if isinstance(node, list):
            return [found for item in node for found in objects(item)]
        if not isinstance(node, dict):
            return []
        below = [found for value in node.values() for found in objects(value)]
        return [node, *below] if "properties" in node and "type" in node else below

    found = objects(SCHEMA)
    assert len(found) > 30
    assert all(node["additionalProperties"] is False for node in found)


def test_the_schema_is_json() -> None:
    assert json.loads(render_schema()) == SCHEMA
