"""Shapes of nested YAML values: one table both reads them and describes them in the JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.base.document import Reader

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with these keys; those in `required` must be there."""

    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Values:
    """A mapping with any keys."""

    of: Shape


Shape: TypeAlias = Literal["integer", "boolean", "text"] | Fields | Items | Values


def read_shape(reader: Reader, node: yaml.Node, shape: Shape) -> Any:
    """Return a node as plain values; whatever has another shape is noted as a mistake."""
    match shape:
        case "integer":
            return reader.integer(node, low=INTEGER_MIN, high=INTEGER_MAX)
        case "boolean":
            return reader.boolean(node)
        case "text":
            return reader.string(node)
        case Items(of):
            return [read_shape(reader, item, of) for item in reader.items(node)]
        case Values(of):
            return {k: read_shape(reader, v, of) for k, v in reader.mapping(node).items()}
        case Fields(keys, required):
            nodes = known_fields(reader, node, tuple(keys))
            for key in required:
                if key not in nodes:
                    reader.problem(node, f"{key!r} is needed here")
            return {key: read_shape(reader, value, keys[key]) for key, value in nodes.items()}


def describe(shape: Shape) -> dict[str, Any]:
    """Return the JSON Schema of a shape."""
    match shape:
        case "integer" | "boolean":
            return {"type": shape}
        case "text":
            return {"type": ["string", "number", "boolean"]}
        case Items(of):
            return {"type": "array", "items": describe(of)}
        case Values(of):
            return {"type": "object", "additionalProperties": describe(of)}
        case Fields(keys, required):
            made: dict[str, Any] = {"type": "object", "additionalProperties": False}
            if required:
                made["required"] = list(required)
            return {**made, "properties": {key: describe(below) for key, below in keys.items()}}
