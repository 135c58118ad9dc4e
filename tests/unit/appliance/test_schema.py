"""The published JSON Schema is the one the code makes, and knows the keys that the reader knows."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from ingot.appliance.documents import Document
from ingot.appliance.schema import appliance_schema, render_schema
from ingot.appliance.spec import parse_appliance
from ingot.base.document import DocumentError, Reader

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
        (
            "network: {interfaces: [{zzzzzzzz: 1}]}",
            SCHEMA["properties"]["network"]["properties"]["interfaces"]["items"],
        ),
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
        ("outputs: [{zzzzzzzz: 1}]", SCHEMA["properties"]["outputs"]["items"]),
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


EXAMPLES = sorted(
    path
    for pattern in ("examples/*.yml", "tests/unit/appliance/linuxkit/*.yml")
    for path in ROOT.glob(pattern)
)


def violations(text: str) -> list[str]:
    """Return what an independent validator finds, with YAML 1.2 scalars as editors read them."""
    reader = Reader("x.yml")
    root = reader.compose(text)
    assert root is not None
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.json_path for error in validator.iter_errors(reader.plain(root))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_agrees_with_the_schema(path: Path) -> None:
    assert violations(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services: [{name: a}]", "$.services[0]"),
        ("services: [{name: a, image: b, capabilities: all}]", "$.services[0].capabilities"),
        ("services: [{name: a, image: b, capabilities: [CAP_X]}]", "$.services[0].capabilities[0]"),
        ("services: [{name: a, image: b, resources: {pids: {}}}]", "$.services[0].resources.pids"),
        (
            "services: [{name: a, image: b, runtime: {bindNS: {x: y}}}]",
            "$.services[0].runtime.bindNS",
        ),
        ("volumes: [{name: A}]", "$.volumes[0].name"),
        ("volumes: [{name: a, format: tar}]", "$.volumes[0].format"),
        ("files: [{contents: x}]", "$.files[0]"),
        ("files: [{path: x, metadata: toml}]", "$.files[0].metadata"),
        ("kernel: {image: a, bogus: b}", "$.kernel"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str, place: str) -> None:
    assert place in violations(text)
    with pytest.raises(DocumentError):
        parse_appliance([Document(text, "x.yml")], name="x")


def test_entries_that_change_earlier_ones_agree_with_the_schema() -> None:
    assert violations("services: [{name: a, override: true, env: [B=1]}]") == []
    assert violations("files: [{path: a, remove: true}]\nvolumes: [{name: b, remove: true}]") == []
