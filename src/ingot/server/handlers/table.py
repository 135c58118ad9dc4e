"""Operation names paired with their functions: `PutObject` is `put_object` in its family's file."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable, Mapping

from ingot.s3.operations import OPERATIONS
from ingot.server.request import Request
from ingot.server.response import Response
from ingot.server.service import Service

Handler = Callable[[Request, Service], Awaitable[Response]]

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


def function_name(operation_name: str) -> str:
    """Return the handler's name: `ListObjectsV2` is `list_objects_v2`."""
    return _WORD_START.sub("_", operation_name).lower()


def _load() -> Mapping[str, Handler]:
    handlers: dict[str, Handler] = {}
    for operation in OPERATIONS:
        module = importlib.import_module(f"ingot.server.handlers.{operation.family}")
        handlers[operation.name] = getattr(module, function_name(operation.name))
    return handlers


HANDLERS: Mapping[str, Handler] = _load()
