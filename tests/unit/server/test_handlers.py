"""Every operation of the table has its function, and the other way round."""

from __future__ import annotations

import importlib
import inspect

from ingot.s3.operations import OPERATIONS
from ingot.server.handlers.table import HANDLERS, function_name


def test_every_operation_has_one_handler_in_its_family() -> None:
    assert list(HANDLERS) == [operation.name for operation in OPERATIONS]
    for operation in OPERATIONS:
        handler = HANDLERS[operation.name]
        assert handler.__module__ == f"ingot.server.handlers.{operation.family}"
        assert handler.__name__ == function_name(operation.name)
        assert handler.__doc__


def test_every_public_coroutine_of_a_family_is_an_operation() -> None:
    expected = {function_name(operation.name) for operation in OPERATIONS}
    found = set()
    for family in {operation.family for operation in OPERATIONS}:
        module = importlib.import_module(f"ingot.server.handlers.{family}")
        found |= {
            name
            for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
            if function.__module__ == module.__name__ and not name.startswith("_")
        }

    assert found == expected


def test_names_of_functions() -> None:
    assert function_name("ListObjectsV2") == "list_objects_v2"
    assert function_name("GetBucketLocation") == "get_bucket_location"
